/**
 * Runs that must end with a sentence and an untouched document: refusals, cancelling, a document changed meanwhile.
 */

import assert from "node:assert/strict";
import { layerOf, plain, simpleDocument, strokes } from "../documents.mjs";
import { assertDone, assertRefused, layerNamed } from "./kit.mjs";
import { pause } from "./server.mjs";

/** Run on a document and expect a sentence; nothing may have been read. */
async function refusedUnread(kit, spec, pattern, choices = {}) {
  const panel = await kit.readyPanel();
  if (spec) await panel.open(spec);
  const before = await panel.report();
  await assertRefused(panel, before, await panel.colorize(choices), pattern);
  const { calls } = await panel.report();
  assert.deepEqual(calls, [], "no call that reads or writes");
  assert.ok(!panel.requests.some((request) => request.method === "POST"), "nothing was sent");
  return panel;
}

/** Have a run cancelled during each of these calls of the host, one run after the other. */
async function cancelDuring(kit, calls, arm) {
  const panel = await kit.readyPanel();
  await panel.open(simpleDocument(kit.photographs.girl));
  const before = await panel.report();
  for (const call of calls) {
    await arm(panel, call);
    await assertRefused(panel, before, await panel.colorize(), /^Cancelled/);
    assert.ok((await panel.report()).calls.includes(call));
  }
}

export const failures = {
  async "no document"(kit) {
    await refusedUnread(kit, null, /^No document is open/);
  },
  async "32 bits"(kit) {
    await refusedUnread(kit, { width: 60, height: 40, bits: 32, layers: [] }, /^A 32-bit document/);
  },
  async "no layer selected"(kit) {
    await refusedUnread(kit, { ...simpleDocument(kit.photographs.girl), active: null }, /^No layer is selected/);
  },
  async "several layers selected"(kit) {
    const panel = await kit.readyPanel();
    const id = await panel.open(simpleDocument(kit.photographs.girl));
    await panel.artist("select", id, ["Photograph", "Background"]);
    await assertRefused(panel, await panel.report(), await panel.colorize(), /^Several layers are selected/);
  },
  async "adjustment layer"(kit) {
    const spec = simpleDocument(kit.photographs.girl);
    spec.layers.unshift({ name: "Curves 1", kind: "curves" });
    await refusedUnread(kit, spec, /^“Curves 1” has no pixels/);
  },
  async "empty layer"(kit) {
    const spec = simpleDocument(kit.photographs.girl);
    spec.layers.unshift({ name: "Layer 1" });
    const panel = await kit.readyPanel();
    await panel.open(spec);
    await assertRefused(panel, await panel.report(), await panel.colorize(), /^The source is empty/);
    // A group of nothing but strokes is no photograph either.
    const children = [layerOf("Colour hints", strokes(60, 60, [[5, 5, 20, 8, [220, 30, 30]]]))];
    await panel.open({ ...spec, layers: [{ name: "Colours", children }, spec.layers[1]] });
    await assertRefused(panel, await panel.report(), await panel.colorize(), /^The source is empty/);
  },
  async "layer outside the canvas"(kit) {
    const spec = simpleDocument(kit.photographs.girl);
    spec.layers[0] = layerOf("Photograph", kit.photographs.girl, { left: spec.width + 5, top: 0 });
    const panel = await kit.readyPanel();
    await panel.open(spec);
    await assertRefused(panel, await panel.report(), await panel.colorize(), /lies outside the canvas/);
  },
  async "a source of a few pixels"(kit) {
    const panel = await kit.readyPanel();
    await panel.open({
      width: 60,
      height: 40,
      layers: [layerOf("Dot", plain(5, 5, [90, 90, 90, 255]), { left: 3, top: 3 })],
    });
    await assertRefused(panel, await panel.report(), await panel.colorize(), /at least 8 pixels on each side/);
  },
  async "no hints layer"(kit) {
    await refusedUnread(kit, simpleDocument(kit.photographs.girl), /^There is no layer named “Colour hints”/, {
      useHints: true,
    });
  },
  async "hints without strokes"(kit) {
    const spec = simpleDocument(kit.photographs.girl);
    spec.layers.unshift(layerOf("Colour hints", strokes(8, 5, [[0, 0, 8, 5, [200, 0, 0]]]), { left: 0, top: 0 }));
    const panel = await kit.readyPanel();
    await panel.open(spec);
    await assertRefused(
      panel,
      await panel.report(),
      await panel.colorize({ useHints: true }),
      /has no strokes on the source/,
    );
  },
  async "hints in a greyscale document"(kit) {
    const picture = plain(40, 40, [90, 90, 90, 255]);
    const layers = [
      layerOf("Colour hints", picture, { isGrey: true }),
      layerOf("Photograph", picture, { isGrey: true }),
    ];
    await refusedUnread(
      kit,
      { width: 40, height: 40, mode: "grayscaleMode", profile: "Gray Gamma 2.2", layers },
      /cannot hold coloured strokes/,
      { useHints: true },
    );
  },
  async "greyscale, left as it is"(kit) {
    const panel = await kit.readyPanel();
    const layers = [layerOf("Photograph", plain(40, 40, [90, 90, 90, 255]), { isGrey: true })];
    await panel.open({ width: 40, height: 40, mode: "grayscaleMode", profile: "Gray Gamma 2.2", layers });
    const before = await panel.report();
    await panel.press("colorize");
    await panel.untilAsked();
    await panel.press("no");
    await panel.untilIdle();
    await assertRefused(panel, before, await panel.text("status"), /^Cancelled/);
    assert.equal(await panel.isShown("question"), false);
  },
  async "greyscale, another mode chosen at the question"(kit) {
    // The question is not modal: the artist may answer it himself meanwhile, or choose a mode that must not be read.
    for (const mode of ["RGBColorMode", "CMYKColorMode"]) {
      const panel = await kit.readyPanel();
      const layers = [layerOf("Photograph", plain(40, 40, [90, 90, 90, 255]), { isGrey: true })];
      const id = await panel.open({ width: 40, height: 40, mode: "grayscaleMode", profile: "Gray Gamma 2.2", layers });
      await panel.press("colorize");
      await panel.untilAsked();
      await panel.artist("setMode", id, mode);
      const before = await panel.report(false);
      await panel.press("yes");
      await panel.untilIdle();
      assert.match(await panel.text("status"), /^Mode, depth or profile of the document were changed/);
      const after = await panel.report(false);
      assert.deepEqual(after.calls, [...before.calls, "executeAsModal"], "nothing was read or written");
      assert.ok(!after.isCrashed);
      await panel.close();
      kit.panels = [];
    }
  },
  async "greyscale, Cancel at the question"(kit) {
    const panel = await kit.readyPanel();
    const layers = [layerOf("Photograph", plain(40, 40, [90, 90, 90, 255]), { isGrey: true })];
    await panel.open({ width: 40, height: 40, mode: "grayscaleMode", profile: "Gray Gamma 2.2", layers });
    await panel.press("colorize");
    await panel.untilAsked();
    await panel.press("cancel");
    await panel.untilIdle();
    assert.match(await panel.text("status"), /^Cancelled/);
  },

  async "cancel while the server works"(kit) {
    let panel = null;
    let job = null;
    const onRequest = async (request) => {
      if (job || request.method !== "GET" || !request.path.startsWith("/v1/jobs/")) return;
      job = { id: request.path.split("/")[3] };
      Object.assign(job, await kit.server.job(job.id));
      await panel.press("cancel");
    };
    panel = await kit.readyPanel({ onRequest });
    // Large enough that the server is still at work when Cancel is pressed.
    await panel.open({
      width: 1300,
      height: 900,
      layers: [layerOf("Photograph", plain(1300, 900, [120, 120, 120, 255]))],
    });
    const before = await panel.report();
    const status = await panel.colorize();
    await assertRefused(panel, before, status, /^Cancelled/);
    assert.ok(["queued", "running"].includes(job.state), `the job was under way: ${job.state}`);
    const pressed = Date.now();
    await panel.until(async () => (await kit.server.job(job.id)).state !== "running", "the job's end", 3000);
    const after = await kit.server.job(job.id);
    assert.ok(
      after.status === 404 || after.state === "cancelled",
      `the server dropped the job: ${JSON.stringify(after)}`,
    );
    await panel.until(
      async () => (await kit.server.health()).queue.running === 0 || Date.now() - pressed > 1500,
      "an idle server",
      3000,
    );
    assert.ok(panel.requests.some((request) => request.method === "DELETE" && request.path.endsWith(job.id)));
    await panel.open(simpleDocument(kit.photographs.girl));
    assert.match(await panel.colorize(), /^Done/, "and the panel goes on");
  },
  async "cancel while sending"(kit) {
    // The answer to the upload comes after the artist has given up: the job it names must not run on.
    let panel = null;
    let isPressed = false;
    const onRequest = async (request) => {
      if (request.method !== "POST" || isPressed) return;
      isPressed = true;
      await panel.press("cancel");
    };
    panel = await kit.readyPanel({ onRequest });
    await panel.open(simpleDocument(kit.photographs.girl));
    const before = await panel.report();
    await assertRefused(panel, before, await panel.colorize(), /^Cancelled/);
    await panel.until(
      () => panel.requests.some((request) => request.method === "DELETE" && request.status === 204),
      "the job's DELETE",
      5000,
    );
  },
  async "Escape during the read"(kit) {
    const panel = await kit.readyPanel();
    await panel.open(simpleDocument(kit.photographs.girl));
    const before = await panel.report();
    await panel.artist("escapeDuring", "getPixels");
    await assertRefused(panel, before, await panel.colorize(), /^Cancelled/);
    assert.ok(!panel.requests.some((request) => request.method === "POST"), "nothing was sent");
  },
  async "Escape while a copy is open"(kit) {
    const panel = await kit.readyPanel();
    await panel.open({
      ...simpleDocument(kit.photographs.girl),
      layers: [{ name: "Group", children: simpleDocument(kit.photographs.girl).layers.slice(0, 1) }],
      active: [0],
    });
    const before = await panel.report();
    await panel.artist("escapeDuring", "getPixels");
    await assertRefused(panel, before, await panel.colorize(), /^Cancelled/);
  },
  "Escape during the write": (kit) =>
    cancelDuring(kit, ["createPixelLayer", "putPixels", "batchPlay", "select", "resumeHistory"], (panel, call) =>
      panel.artist("escapeDuring", call),
    ),
  // The panel's own button, which Photoshop knows nothing of.
  "Cancel during the write": (kit) =>
    cancelDuring(kit, ["createPixelLayer", "putPixels", "batchPlay", "select"], (panel, call) =>
      panel.artist("pressDuring", call, "cancel"),
    ),
  async "Photoshop refuses in the middle"(kit) {
    const panel = await kit.readyPanel();
    await panel.open(simpleDocument(kit.photographs.girl));
    const before = await panel.report();
    await panel.artist("refuse", "putPixels", "Scratch disk is full");
    await assertRefused(
      panel,
      before,
      await panel.colorize(),
      /^Photoshop refused \(Scratch disk is full\), the document is as before/,
    );
  },
  async "a move that goes wrong once"(kit) {
    const spec = simpleDocument(kit.photographs.girl);
    spec.layers = [
      { name: "Group", children: [layerOf("Tone", plain(9, 9, [0, 0, 0, 255]), { isClipped: true }), spec.layers[0]] },
      spec.layers[1],
    ];
    spec.active = [0, 1];
    const panel = await kit.readyPanel();
    const id = await panel.open(spec);
    await panel.artist("moveWrongly", 1);
    const document = await assertDone(panel, await panel.colorize(), id);
    assert.deepEqual(
      layerNamed(document, "Group").children.map((layer) => layer.name.slice(0, 10)),
      ["Touch-ups", "Colorize (", "Tone", "Photograph"],
    );
  },
  async "a move that always goes wrong"(kit) {
    const spec = simpleDocument(kit.photographs.girl);
    spec.layers = [
      { name: "Group", children: [layerOf("Tone", plain(9, 9, [0, 0, 0, 255]), { isClipped: true }), spec.layers[0]] },
      spec.layers[1],
    ];
    spec.active = [0, 1];
    const panel = await kit.readyPanel();
    await panel.open(spec);
    const before = await panel.report();
    await panel.artist("moveWrongly", 99);
    await assertRefused(panel, before, await panel.colorize(), /did not put the new layer above the photograph/);
  },

  async "another plug-in is modal"(kit) {
    const panel = await kit.readyPanel();
    const id = await panel.open(simpleDocument(kit.photographs.girl));
    await panel.artist("holdModal", 1300);
    await panel.press("colorize");
    await panel.untilShown(async () => /another plug-in/.test(await panel.text("status")), "the waiting text");
    await panel.untilIdle();
    await assertDone(panel, await panel.text("status"), id);
  },
  async "another plug-in stays modal"(kit) {
    kit.patches = [...kit.patches, { file: "modal.js", find: "const RETRIES = 40;", replace: "const RETRIES = 3;" }];
    const panel = await kit.readyPanel();
    await panel.open(simpleDocument(kit.photographs.girl));
    const before = await panel.report();
    await panel.artist("holdModal", 60000);
    const status = await panel.colorize();
    assert.match(status, /^Another plug-in or dialog keeps Photoshop busy/);
    assert.deepEqual((await panel.report()).documents, before.documents);
  },

  async "another run while one is under way"(kit) {
    const panel = await kit.readyPanel();
    await panel.open(simpleDocument(kit.photographs.girl));
    await panel.press("colorize");
    await panel.press("colorize");
    await panel.press("selftest");
    await panel.untilIdle();
    await pause(200);
    assert.equal(panel.requests.filter((request) => request.method === "POST").length, 1);
  },
};

/** Colour modes that hold no RGB: refused before any pixel is touched, because reading some of them ends Photoshop. */
for (const [mode, name] of [
  ["CMYKColorMode", "CMYK"],
  ["bitmapMode", "Bitmap"],
  ["indexedColorMode", "Indexed Color"],
  ["labColorMode", "Lab"],
  ["duotoneMode", "Duotone"],
  ["multichannelMode", "Multichannel"],
]) {
  failures[`${name} document`] = (kit) =>
    refusedUnread(
      kit,
      { width: 60, height: 40, mode, layers: [layerOf("Layer", plain(60, 40, [9, 9, 9, 255]))] },
      new RegExp(`^A document in ${name} mode cannot be colorized`),
    );
}
