/** The panel's files as files: what can be checked without running them. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import server from "../../../../photoshop_uxp/server.js";
import errors from "../../../../photoshop_uxp/errors.js";
import labels from "../../../../photoshop_uxp/labels.js";
import { panelSources } from "../host/page.mjs";
import { controls } from "../scenarios/controls.mjs";

const PANEL = fileURLToPath(new URL("../../../../photoshop_uxp", import.meta.url));
const read = (name) => readFileSync(join(PANEL, name), "utf8");
const scripts = readdirSync(PANEL).filter((name) => name.endsWith(".js"));
const sources = scripts.map(read).join("\n");
const html = read("index.html");
const manifest = JSON.parse(read("manifest.json"));

test("the manifest lets the panel reach loopback on the ports that the client tries, and nothing else", () => {
  const expected = server.HOSTS.flatMap((host) => server.PORTS.map((port) => `http://${host}:${port}`));
  assert.deepEqual(manifest.requiredPermissions, { network: { domains: expected } });
});

test("the server's default and fallback ports are the manifest's", () => {
  const settings = readFileSync(join(PANEL, "../server/colorize_server/settings.py"), "utf8");
  const port = Number(/^DEFAULT_PORT: Final = (\d+)/m.exec(settings)[1]);
  const fallbacks = JSON.parse(
    /^FALLBACK_PORTS: Final = \((.+)\)/m.exec(settings)[1].replace(/^/, "[").replace(/$/, "]"),
  );
  assert.deepEqual([port, ...fallbacks], server.PORTS);
});

test("the version is the server's", () => {
  const init = readFileSync(join(PANEL, "../server/colorize_server/__init__.py"), "utf8");
  assert.equal(manifest.version, /__version__ = "(.+)"/.exec(init)[1]);
});

test("every label has a text in every language, and none is left out or unused", () => {
  const asked = new Set([...html.matchAll(/data-label="([^"]+)"/g)].map((match) => match[1]));
  for (const [, key] of sources.matchAll(/label\(\s*(?:\w+ \? )?"([\w.]+)"/g)) asked.add(key);
  for (const [, key] of sources.matchAll(/\? "([\w.]+)" : "[\w.]+"[,)]/g)) if (labels.TABLE[key]) asked.add(key);
  for (const [, key] of sources.matchAll(/ : "([\w.]+)"[,)]/g)) if (labels.TABLE[key]) asked.add(key);
  for (const [, key] of sources.matchAll(/new PanelError\("([\w.]+)"/g)) asked.add(`error.${key}`);
  for (const [, keys] of sources.matchAll(/key: ((?:"\w+"(?: \| )?)+)/g))
    for (const [, key] of keys.matchAll(/"(\w+)"/g)) if (labels.TABLE[`step.${key}`]) asked.add(`step.${key}`);
  // Families whose last part is a value: states of a server, colour modes, codes of PROTOCOL.md.
  const families = /^(error\.server\.|mode\.|code\.|error\.host$)/;
  const unused = Object.keys(labels.TABLE).filter((key) => !asked.has(key) && !families.test(key));
  const missing = [...asked].filter((key) => !labels.TABLE[key]);
  assert.deepEqual({ unused, missing }, { unused: [], missing: [] });
  for (const [key, row] of Object.entries(labels.TABLE)) {
    assert.deepEqual(Object.keys(row), Object.keys(labels.LANGUAGES), key);
    const values = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();
    for (const text of Object.values(row))
      assert.deepEqual(values(text), values(row.en), `${key}: the values in the text`);
  }
});

test("every error is one sentence that ends with a full stop", () => {
  for (const [key, row] of Object.entries(labels.TABLE)) {
    if (!/^(error|code)\./.test(key)) continue;
    for (const text of Object.values(row))
      assert.match(text, /^[^.]*(\.(?=[\d-])[^.]*)*(\.|\{text\})$/, `${key}: ${text}`);
  }
});

test("every state of a server but ready has a sentence", () => {
  const states = /ORDER = \[([^\]]+)\]/
    .exec(read("server.js"))[1]
    .match(/"\w+"/g)
    .map((state) => state.slice(1, -1));
  for (const state of states.filter((each) => each !== "ready"))
    assert.ok(labels.TABLE[`error.server.${state}`], state);
});

test("every code that has a sentence of its own is one of PROTOCOL.md", () => {
  const protocol = readFileSync(join(PANEL, "../server/PROTOCOL.md"), "utf8");
  for (const key of Object.keys(labels.TABLE)) {
    if (key.startsWith("code.")) assert.ok(protocol.includes(`\`${key.slice(5)}\``), key);
  }
});

test("languages: the artist's choice, else the host's, else English", () => {
  const shown = (choice, locale) => {
    labels.setLanguage(choice, locale);
    return labels.label("cancel");
  };
  assert.equal(shown("", "de_DE"), "Abbrechen");
  assert.equal(shown("en", "de_DE"), "Cancel");
  assert.equal(shown("de", "en_US"), "Abbrechen");
  assert.equal(shown("", "fr_FR"), "Cancel");
});

test("a value that looks like a reference but is none stays as it is", () => {
  labels.setLanguage("en", "");
  assert.match(
    labels.sentence(new errors.PanelError("layer.adjustment", { layer: "@home {x}" })),
    /^“@home \{x\}” has/,
  );
  assert.match(labels.sentence(new errors.PanelError("mode", { mode: "@mode.labColorMode" })), /in Lab mode/);
});

test("an error of the server: our sentence where there is one, else the server's own words", () => {
  labels.setLanguage("de", "");
  assert.match(
    labels.sentence(new errors.PanelError("server", { code: "queue_full", text: "x" })),
    /^Der Server hat zu viel/,
  );
  assert.equal(
    labels.sentence(new errors.PanelError("server", { code: "bad_hints", text: "No." })),
    "Der Server meldet: No.",
  );
  assert.match(labels.sentence(new Error("Scratch disk is full")), /\(Scratch disk is full\)/);
});

test("no handler and no style in the HTML, one script, no address outside the folder", () => {
  assert.doesNotMatch(html, /\son\w+\s*=/);
  assert.doesNotMatch(html, /style=/);
  assert.deepEqual(
    [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]),
    ["style.css", "main.js"],
  );
});

test("the style sheet keeps to the properties that UXP documents", () => {
  const documented =
    /^(align-(content|items|self)|background(-color|-image|-repeat|-size|-attachment)?|border(-(top|right|bottom|left))?(-(color|style|width))?|border-radius|bottom|color|display|flex(-(basis|direction|grow|shrink|wrap))?|font-(family|size|style|weight)|height|justify-content|left|letter-spacing|margin(-(top|right|bottom|left))?|(max|min)-(height|width)|opacity|overflow(-[xy])?|padding(-(top|right|bottom|left))?|right|text-align|text-overflow|top|visibility|white-space|width)$/;
  const css = read("style.css").replace(/\/\*[\s\S]*?\*\//g, "");
  const properties = [...css.matchAll(/^\s+([\w-]+):/gm)].map((match) => match[1]);
  assert.ok(properties.length > 20);
  assert.deepEqual(
    properties.filter((property) => !documented.test(property)),
    [],
  );
  assert.doesNotMatch(
    css,
    /display:\s*grid|#[0-9a-f]{3,6}\b(?![^{]*\{)|:\s*(rgb|#)/i,
    "colours come from the host's theme",
  );
});

test("modules of the panel require the host and files beside them only", () => {
  const required = [...sources.matchAll(/require\("([^"]+)"\)/g)].map((match) => match[1]);
  const allowed = ["photoshop", "uxp", "./vendor/sha256.js", ...scripts.map((name) => `./${name}`)];
  assert.deepEqual(
    required.filter((name) => !allowed.includes(name)),
    [],
  );
});

test("every negative control finds the guard that it takes out, once, and names a scenario", () => {
  for (const { patches, scenario } of Object.values(controls)) {
    panelSources(patches);
    assert.ok(typeof scenario === "string" && patches.length > 0);
  }
});
