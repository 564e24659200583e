/**
 * The document changes while the server works: the colours are thrown away with a sentence, or put where they belong.
 */

import assert from "node:assert/strict";
import { layerOf, plain, simpleDocument } from "../documents.mjs";
import { assertRefused, colourLayer } from "./kit.mjs";

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

export const meanwhileChanged = {
  async "document closed meanwhile"(kit) {
    await refusedAfter(kit, (panel, id) => panel.artist("close", id), /^The document was closed/);
  },
  async "layer deleted meanwhile"(kit) {
    await refusedAfter(
      kit,
      (panel, id) => panel.artist("deleteLayer", id, "Photograph"),
      /^The photograph's layer was deleted/,
    );
  },
  async "layer moved meanwhile"(kit) {
    await refusedAfter(
      kit,
      (panel, id) => panel.artist("nudgeLayer", id, "Photograph", 3, 0),
      /layer was moved or resized/,
    );
  },
  async "canvas resized meanwhile"(kit) {
    await refusedAfter(kit, (panel, id) => panel.artist("resizeCanvas", id, 1000, 800), /^The canvas was resized/);
  },
  async "photograph mirrored meanwhile"(kit) {
    await refusedAfter(
      kit,
      (panel, id) => panel.artist("mirrorLayer", id, "Photograph"),
      /^The photograph itself was changed/,
    );
  },
  async "visible layer hidden meanwhile"(kit) {
    await refusedAfter(
      kit,
      (panel, id) => panel.artist("hideLayer", id, "Photograph"),
      /^The photograph itself was changed/,
      { source: "visible" },
    );
  },
  async "dust removed meanwhile"(kit) {
    const { panel, id, status } = await changed(kit, simpleDocument(kit.photographs.girl), (p, document) =>
      p.artist("retouch", document, "Photograph", 6),
    );
    assert.match(status, /^Done/);
    const { documents } = await panel.orderlyReport();
    assert.ok(colourLayer(documents.find((document) => document.id === id)));
  },
  async "layers reordered meanwhile"(kit) {
    const spec = simpleDocument(kit.photographs.girl);
    spec.layers.unshift(layerOf("Title", plain(20, 20, [0, 0, 0, 255]), { left: 2, top: 2 }));
    spec.active = [1];
    const { panel, id, status } = await changed(kit, spec, (p, document) =>
      p.artist("raiseLayer", document, "Photograph"),
    );
    assert.match(status, /^Done/);
    const { documents } = await panel.orderlyReport();
    const order = documents.find((document) => document.id === id).layers.map((layer) => layer.name.slice(0, 10));
    assert.deepEqual(order, ["Touch-ups", "Colorize (", "Photograph", "Title", "Background"]);
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
};
