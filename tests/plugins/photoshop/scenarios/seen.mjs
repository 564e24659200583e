/**
 * Documents of every make: each is read as one sees it, or refused in a sentence before anything is read.
 */

import assert from "node:assert/strict";
import { layerOf, plain, simpleDocument } from "../documents.mjs";
import { assertDone, assertRefused, colourLayer } from "./kit.mjs";
import { TOUCH_UPS, names } from "./pictures.mjs";

async function refused(kit, spec, pattern, choices = {}) {
  const panel = await kit.readyPanel();
  await panel.open(spec);
  await assertRefused(panel, await panel.report(), await panel.colorize(choices), pattern);
  assert.deepEqual((await panel.report()).calls, [], "no call that reads or writes");
  await panel.close();
  kit.panels = [];
}

async function sent(panel) {
  return Buffer.from(await panel.page.evaluate(() => window.__lastBody), "base64");
}

export const seen = {
  "Quick Mask mode": (kit) =>
    refused(kit, { ...simpleDocument(kit.photographs.girl), isQuickMask: true }, /^Photoshop is in Quick Mask mode: press Q/),

  async "a photograph in a locked group"(kit) {
    const spec = simpleDocument(kit.photographs.girl);
    const inner = { name: "Scan", children: [spec.layers[0]] };
    const layers = [{ name: "Archive", children: [inner], flags: { isLocked: true } }, spec.layers[1]];
    await refused(kit, { ...spec, layers, active: [0, 0, 0] }, /^The group “Archive” is locked/);
    // Locked itself it may be: it is read, and what is new goes above it.
    const own = simpleDocument(kit.photographs.girl);
    own.layers[0].flags.isLocked = true;
    const panel = await kit.readyPanel();
    const id = await panel.open(own);
    await assertDone(panel, await panel.colorize(), id);
  },

  async artboards(kit) {
    const spec = simpleDocument(kit.photographs.girl);
    const layers = [{ name: "Artboard 1", children: spec.layers, flags: { isArtboard: true } }];
    await refused(kit, { ...spec, layers, active: [0] }, /^“Artboard 1” is an artboard: select the photograph's layer/);
    await refused(kit, { ...spec, layers, active: [0, 0] }, /^A document with artboards cannot be colorized as a whole/, {
      source: "visible",
    });
    const panel = await kit.readyPanel();
    const id = await panel.open({ ...spec, layers, active: [0, 0] });
    const document = await assertDone(panel, await panel.colorize(), id);
    const [artboard] = document.layers;
    assert.deepEqual(names(artboard.children).slice(2), ["Photograph", "Background"]);
    assert.equal(artboard.children[0].name, TOUCH_UPS);
  },

  async "a kind of layer that nobody knows yet"(kit) {
    // Frames, generative layers and what comes: Photoshop renders it in a copy, and the colours go above it.
    const photograph = kit.photographs.girl;
    const spec = simpleDocument(photograph);
    spec.layers[0] = layerOf("Frame 1", photograph, { left: 13, top: 9, kind: "ofTomorrow" });
    const panel = await kit.readyPanel();
    const id = await panel.open(spec);
    const document = await assertDone(panel, await panel.colorize(), id);
    const colour = colourLayer(document);
    assert.deepEqual(names(document.layers), [TOUCH_UPS, colour.name, "Frame 1", "Background"]);
    assert.deepEqual([colour.pixels.left, colour.pixels.top], [13, 9]);
    assert.equal((await panel.report()).documents.length, 1, "the temporary copy is closed");
  },

  async "what mends the photograph is seen with everything visible, and that is proposed"(kit) {
    const photograph = kit.photographs.girl;
    const { width, height } = photograph;
    const patch = layerOf("Dust", plain(40, 30, [128, 128, 128, 255]), { left: 60, top: 50 });
    const layers = [{ name: "Invert 1", kind: "inversion" }, patch, layerOf("Photograph", photograph)];
    const panel = await kit.readyPanel();
    const id = await panel.open({ width, height, layers, active: [2] });
    const alone = await panel.colorize();
    assert.match(alone, /^Done in .+ The model saw the photograph alone: if “Dust” above it mends it, choose Everything visible/);
    assert.ok(Buffer.compare((await sent(panel)).subarray(0, photograph.data.length), photograph.data) === 0);
    const document = await assertAgain(panel, id, await panel.colorize({ source: "visible" }));
    assert.deepEqual(names(document.layers).slice(0, 1), [TOUCH_UPS]);
    const picture = await sent(panel);
    const at = (x, y) => [...picture.subarray((y * width + x) * 4, (y * width + x) * 4 + 3)];
    const before = photograph.data[(10 * width + 20) * 4];
    assert.deepEqual(at(20, 10), [255 - before, 255 - before, 255 - before], "the adjustment is seen");
    assert.deepEqual(at(80, 60), [127, 127, 127], "the retouch is seen, adjusted");
    assert.doesNotMatch(await panel.text("status"), /The model saw the photograph alone/);
  },

  async "hundreds of layers are asked about at once"(kit) {
    for (const multiGetFails of [false, true]) {
      const { width, height } = kit.photographs.girl;
      const dots = Array.from({ length: 300 }, (_, i) => layerOf(`Dot ${i}`, plain(2, 2, [9, 9, 9, 255]), { left: i % 100, top: 3 }));
      const panel = await kit.readyPanel();
      await panel.artist("setRule", "multiGetFails", multiGetFails);
      const id = await panel.open({ width, height, layers: [...dots, layerOf("Photograph", kit.photographs.girl)] });
      await assertDone(panel, await panel.colorize({ source: "visible" }), id);
      const { getters } = await panel.report();
      // Where Photoshop does not know the question each layer is asked.
      assert.ok(multiGetFails ? getters > 900 : getters < 40, `${getters} properties were asked for`);
      await panel.close();
    }
    kit.panels = [];
  },

  async "an adjustment that is clipped to the photograph"(kit) {
    const spec = simpleDocument(kit.photographs.girl);
    spec.layers.unshift({ name: "Curves 1", kind: "curves", flags: { isClipped: true } });
    spec.active = [1];
    const panel = await kit.readyPanel();
    const id = await panel.open(spec);
    const status = await panel.colorize();
    assert.match(status, /if “Curves 1” above it mends it/);
    const document = await assertDone(panel, status, id);
    assert.deepEqual(names(document.layers).slice(2), ["Curves 1", "Photograph", "Background"]);
    // Hidden it changes nothing, and nothing is said of it.
    await panel.artist("hideLayer", id, "Curves 1");
    await panel.artist("select", id, ["Photograph"]);
    assert.doesNotMatch(await panel.colorize(), /Curves 1/);
  },
};

async function assertAgain(panel, id, status) {
  assert.match(status, /^Done in /);
  return (await panel.orderlyReport()).documents.find((document) => document.id === id);
}
