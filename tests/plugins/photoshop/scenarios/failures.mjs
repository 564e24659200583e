/**
 * Runs that must end with a sentence and an untouched document: refusals, cancelling, a document changed meanwhile.
 */

import assert from "node:assert/strict";
import { layerOf, plain, simpleDocument, strokes } from "../documents.mjs";
import { assertDone, assertRefused, colourLayer, layerNamed } from "./kit.mjs";
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

/** Do something while the server works; the panel waits for the network then, and Photoshop is the artist's. */
function meanwhile(act) {
  const hook = { isDone: false };
  hook.onRequest = async (request) => {
    if (hook.isDone || !request.path.endsWith("/result")) return;
    hook.isDone = true;
    await act();
  };
  return hook;
}

/** Colour while the artist changes something; returns what the ending can be judged by. */
async function changed(kit, spec, act, choices = {}) {
  let panel = null;
  let id = 0;
  let changedReport = null;
  const hook = meanwhile(async () => {
    await act(panel, id);
    changedReport = await panel.report();
  });
  panel = await kit.readyPanel({ onRequest: hook.onRequest });
  id = await panel.open(spec);
  const status = await panel.colorize(choices);
  assert.ok(changedReport, "the change was made");
  return { panel, id, status, before: changedReport };
}

async function refusedAfter(kit, act, pattern, choices = {}) {
  const { panel, status, before } = await changed(kit, simpleDocument(kit.photographs.girl), act, choices);
  await assertRefused(panel, before, status, pattern);
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
    await panel.open({ width: 60, height: 40, layers: [layerOf("Dot", plain(5, 5, [90, 90, 90, 255]), { left: 3, top: 3 })] });
    await assertRefused(panel, await panel.report(), await panel.colorize(), /at least 8 pixels on each side/);
  },
  async "no hints layer"(kit) {
    await refusedUnread(kit, simpleDocument(kit.photographs.girl), /^There is no layer named “Colour hints”/, { useHints: true });
  },
  async "hints without strokes"(kit) {
    const spec = simpleDocument(kit.photographs.girl);
    spec.layers.unshift(layerOf("Colour hints", strokes(8, 5, [[0, 0, 8, 5, [200, 0, 0]]]), { left: 0, top: 0 }));
    const panel = await kit.readyPanel();
    await panel.open(spec);
    await assertRefused(panel, await panel.report(), await panel.colorize({ useHints: true }), /has no strokes on the source/);
  },
  async "hints in a greyscale document"(kit) {
    const picture = plain(40, 40, [90, 90, 90, 255]);
    const layers = [layerOf("Colour hints", picture, { isGrey: true }), layerOf("Photograph", picture, { isGrey: true })];
    await refusedUnread(kit, { width: 40, height: 40, mode: "grayscaleMode", profile: "Gray Gamma 2.2", layers }, /cannot hold coloured strokes/, { useHints: true });
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
    await panel.open({ width: 1300, height: 900, layers: [layerOf("Photograph", plain(1300, 900, [120, 120, 120, 255]))] });
    const before = await panel.report();
    const status = await panel.colorize();
    await assertRefused(panel, before, status, /^Cancelled/);
    assert.ok(["queued", "running"].includes(job.state), `the job was under way: ${job.state}`);
    const pressed = Date.now();
    await panel.until(async () => (await kit.server.job(job.id)).state !== "running", "the job's end", 3000);
    const after = await kit.server.job(job.id);
    assert.ok(after.status === 404 || after.state === "cancelled", `the server dropped the job: ${JSON.stringify(after)}`);
    await panel.until(async () => (await kit.server.health()).queue.running === 0 || Date.now() - pressed > 1500, "an idle server", 3000);
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
    await panel.until(() => panel.requests.some((request) => request.method === "DELETE" && request.status === 204), "the job's DELETE", 5000);
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
    await panel.open({ ...simpleDocument(kit.photographs.girl), layers: [{ name: "Group", children: simpleDocument(kit.photographs.girl).layers.slice(0, 1) }], active: [0] });
    const before = await panel.report();
    await panel.artist("escapeDuring", "getPixels");
    await assertRefused(panel, before, await panel.colorize(), /^Cancelled/);
  },
  async "Escape during the write"(kit) {
    const panel = await kit.readyPanel();
    await panel.open(simpleDocument(kit.photographs.girl));
    const before = await panel.report();
    for (const call of ["createPixelLayer", "putPixels", "batchPlay", "resumeHistory"]) {
      await panel.artist("escapeDuring", call);
      await assertRefused(panel, before, await panel.colorize(), /^Cancelled/);
      assert.ok((await panel.report()).calls.includes(call));
    }
  },
  async "Photoshop refuses in the middle"(kit) {
    const panel = await kit.readyPanel();
    await panel.open(simpleDocument(kit.photographs.girl));
    const before = await panel.report();
    await panel.artist("refuse", "putPixels", "Scratch disk is full");
    await assertRefused(panel, before, await panel.colorize(), /^Photoshop refused \(Scratch disk is full\), the document is as before/);
  },
  async "a move that goes wrong once"(kit) {
    const spec = simpleDocument(kit.photographs.girl);
    spec.layers = [{ name: "Group", children: [layerOf("Tone", plain(9, 9, [0, 0, 0, 255]), { isClipped: true }), spec.layers[0]] }, spec.layers[1]];
    spec.active = [0, 1];
    const panel = await kit.readyPanel();
    const id = await panel.open(spec);
    await panel.artist("moveWrongly", 1);
    const document = await assertDone(panel, await panel.colorize(), id);
    assert.deepEqual(
      layerNamed(document, "Group").children.map((layer) => layer.name.slice(0, 10)),
      ["Colorize (", "Tone", "Photograph"],
    );
  },
  async "a move that always goes wrong"(kit) {
    const spec = simpleDocument(kit.photographs.girl);
    spec.layers = [{ name: "Group", children: [layerOf("Tone", plain(9, 9, [0, 0, 0, 255]), { isClipped: true }), spec.layers[0]] }, spec.layers[1]];
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

  async "document closed meanwhile"(kit) {
    await refusedAfter(kit, (panel, id) => panel.artist("close", id), /^The document was closed/);
  },
  async "layer deleted meanwhile"(kit) {
    await refusedAfter(kit, (panel, id) => panel.artist("deleteLayer", id, "Photograph"), /^The photograph's layer was deleted/);
  },
  async "layer moved meanwhile"(kit) {
    await refusedAfter(kit, (panel, id) => panel.artist("nudgeLayer", id, "Photograph", 3, 0), /layer was moved or resized/);
  },
  async "canvas resized meanwhile"(kit) {
    await refusedAfter(kit, (panel, id) => panel.artist("resizeCanvas", id, 1000, 800), /^The canvas was resized/);
  },
  async "photograph mirrored meanwhile"(kit) {
    await refusedAfter(kit, (panel, id) => panel.artist("mirrorLayer", id, "Photograph"), /^The photograph itself was changed/);
  },
  async "visible layer hidden meanwhile"(kit) {
    await refusedAfter(kit, (panel, id) => panel.artist("hideLayer", id, "Photograph"), /^The photograph itself was changed/, { source: "visible" });
  },
  async "dust removed meanwhile"(kit) {
    const { panel, id, status } = await changed(kit, simpleDocument(kit.photographs.girl), (p, document) => p.artist("retouch", document, "Photograph", 6));
    assert.match(status, /^Done/);
    const { documents } = await panel.orderlyReport();
    assert.ok(colourLayer(documents.find((document) => document.id === id)));
  },
  async "layers reordered meanwhile"(kit) {
    const spec = simpleDocument(kit.photographs.girl);
    spec.layers.unshift(layerOf("Title", plain(20, 20, [0, 0, 0, 255]), { left: 2, top: 2 }));
    spec.active = [1];
    const { panel, id, status } = await changed(kit, spec, (p, document) => p.artist("raiseLayer", document, "Photograph"));
    assert.match(status, /^Done/);
    const { documents } = await panel.orderlyReport();
    const order = documents.find((document) => document.id === id).layers.map((layer) => layer.name.slice(0, 10));
    assert.deepEqual(order, ["Colorize (", "Photograph", "Title", "Background"]);
  },
  async "another document in front meanwhile"(kit) {
    let other = 0;
    const { panel, id, status, before } = await changed(kit, simpleDocument(kit.photographs.girl), async (p) => {
      other = await p.open({ width: 50, height: 40, layers: [layerOf("Other", plain(50, 40, [9, 9, 9, 255]))] });
    });
    assert.match(status, /^Done/);
    const report = await panel.orderlyReport();
    const find = (documents, wanted) => documents.find((document) => document.id === wanted);
    assert.ok(colourLayer(find(report.documents, id)), "the photograph's document got the layer");
    assert.deepEqual(find(report.documents, other), find(before.documents, other), "the other document is untouched");
    assert.equal(report.activeID, other, "and still in front");
  },
  async "another document in front, and the layer deleted"(kit) {
    const act = async (panel, id) => {
      await panel.artist("deleteLayer", id, "Photograph");
      await panel.open({ width: 50, height: 40, layers: [layerOf("Other", plain(50, 40, [9, 9, 9, 255]))] });
    };
    await refusedAfter(kit, act, /^The photograph's layer was deleted/);
  },
  async "another document in front, and Photoshop refuses"(kit) {
    const act = async (panel) => {
      await panel.open({ width: 50, height: 40, layers: [layerOf("Other", plain(50, 40, [9, 9, 9, 255]))] });
      await panel.artist("refuse", "putPixels", "Scratch disk is full");
    };
    await refusedAfter(kit, act, /^Photoshop refused \(Scratch disk is full\)/);
  },
  async "a group changed and changed back, another document in front"(kit) {
    // The group is read again in a temporary copy, and the artist's other document stays in front.
    const spec = simpleDocument(kit.photographs.girl);
    spec.layers = [{ name: "Group", children: [spec.layers[0]] }, spec.layers[1]];
    let other = 0;
    const { panel, id, status } = await changed(kit, spec, async (p, document) => {
      await p.artist("retouch", document, "Photograph", 4);
      other = await p.open({ width: 50, height: 40, layers: [layerOf("Other", plain(50, 40, [9, 9, 9, 255]))] });
    });
    assert.match(status, /^Done/);
    const report = await panel.orderlyReport();
    assert.deepEqual(report.documents.map((document) => document.id).sort(), [id, other].sort(), "no copy is left");
    assert.equal(report.activeID, other);
    assert.ok(colourLayer(report.documents.find((document) => document.id === id)));
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
  failures[`${name} document`] = (kit) => refusedUnread(kit, { width: 60, height: 40, mode, layers: [layerOf("Layer", plain(60, 40, [9, 9, 9, 255]))] }, new RegExp(`^A document in ${name} mode cannot be colorized`));
}
