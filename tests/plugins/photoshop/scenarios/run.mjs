/**
 * Runs scenarios and negative controls: node scenarios/run.mjs --out FOLDER [NAME ...], or --list.
 *
 * Writes FOLDER/results.json: for each name whether it passed, in how many seconds, and if not, why.
 */

import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { halved } from "../documents.mjs";
import { Pages, launchBrowser } from "../host/page.mjs";
import { conduct } from "./conduct.mjs";
import { controls } from "./controls.mjs";
import { failures } from "./failures.mjs";
import { Kit } from "./kit.mjs";
import { meanwhileChanged } from "./meanwhile.mjs";
import { network } from "./network.mjs";
import { palette } from "./palette.mjs";
import { pictures } from "./pictures.mjs";
import { profiles } from "./profiles.mjs";
import { seen } from "./seen.mjs";
import { Server } from "./server.mjs";
import { strict } from "./strict.mjs";
import { hinted } from "./strokes.mjs";
import { loop, touchUps } from "./touchups.mjs";

const scenarios = {
  ...pictures,
  ...profiles,
  ...hinted,
  ...loop,
  ...touchUps,
  ...seen,
  ...palette,
  ...failures,
  ...meanwhileChanged,
  ...network,
  ...conduct,
  ...strict,
};
/**
 * These have the model that ships: what it makes of strokes, and one of each depth and kind of profile.  The others compare
 * with what the same server answers, whatever its model is: they have one that takes no time.
 */
const WITH_REAL_MODEL = [
  "plain",
  "sixteen bits",
  "strong colours, Adobe RGB (1998)",
  ...Object.keys(hinted),
  ...Object.keys(loop),
];
const all = [...Object.keys(scenarios), ...Object.keys(controls).map((name) => `without: ${name}`)];

/**
 * RGBA pictures that the caller prepared, NAME.json and NAME.rgba: small ones in FOLDER/photographs, six as large as they
 * are in FOLDER/whole.  It also made FOLDER/tiny.onnx.
 */
function loadPhotographs(folder) {
  const photographs = {};
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
    const name = file.replace(".json", "");
    photographs[name] = {
      ...JSON.parse(readFileSync(join(folder, file), "utf8")),
      data: new Uint8Array(readFileSync(join(folder, `${name}.rgba`))),
    };
  }
  return photographs;
}

const folderName = (name) => name.replace(/[^a-z0-9]+/gi, "-").replace(/^-|-$/g, "");

async function runOne(name, surroundings) {
  const isControl = name.startsWith("without: ");
  const control = isControl ? controls[name.slice("without: ".length)] : null;
  const kit = new Kit({
    ...surroundings,
    folder: join(surroundings.folder, folderName(name)),
    patches: control ? control.patches : [],
  });
  let failure = null;
  try {
    await scenarios[control ? control.scenario : name](kit);
  } catch (error) {
    failure = String(error.stack || error);
  } finally {
    await kit.close();
  }
  if (!control) return failure;
  if (!failure) return `scenario "${control.scenario}" passes although the guard is taken out`;
  return control.fails.test(failure) ? null : `scenario "${control.scenario}" fails for another reason: ${failure}`;
}

async function main(args) {
  if (args[0] === "--list") {
    console.log(JSON.stringify(all));
    return;
  }
  const folder = args[args.indexOf("--out") + 1];
  const wanted = args.filter((arg, index) => arg !== "--out" && args[index - 1] !== "--out");
  mkdirSync(folder, { recursive: true });
  const photographs = loadPhotographs(join(folder, "photographs"));
  const tiny = join(folder, "tiny.onnx");
  const [browser, server, quickServer] = await Promise.all([
    launchBrowser(),
    Server.start(join(folder, "server")),
    Server.start(join(folder, "quick-server"), tiny),
  ]);
  const smallPhotographs = Object.fromEntries(
    Object.entries(photographs).map(([name, picture]) => [name, halved(picture)]),
  );
  const real = { pages: new Pages(browser), server, photographs, whole: loadPhotographs(join(folder, "whole")), folder };
  const quick = { ...real, server: quickServer };
  const small = { ...quick, photographs: smallPhotographs };
  const surroundings = (name) => {
    const control = controls[name.slice("without: ".length)];
    if (name.startsWith("without: ")) return control.isLarge ? quick : small;
    return WITH_REAL_MODEL.includes(name) ? real : quick;
  };
  const results = {};
  const queue = wanted.length ? all.filter((name) => wanted.includes(name)) : [...all];
  const worker = async () => {
    while (queue.length) {
      const name = queue.shift();
      const began = Date.now();
      const failure = await runOne(name, surroundings(name));
      results[name] = { failure, seconds: (Date.now() - began) / 1000 };
      console.log(
        `${failure ? "FAILED" : "passed"} ${results[name].seconds.toFixed(1)} s  ${name}${failure ? `\n${failure}` : ""}`,
      );
    }
  };
  // Three at a time: some only wait, for a server that does not answer or for a time limit.
  await Promise.all([worker(), worker(), worker()]);
  await browser.close();
  await Promise.all([server.stop(), quickServer.stop()]);
  writeFileSync(join(folder, "results.json"), JSON.stringify(results, null, 1));
}

await main(process.argv.slice(2));
