/**
 * What a real Photoshop is documented or reported to do and a kind one would not: masks, bounds, modes, stacks, refusals.
 */

import assert from "node:assert/strict";
import { layerOf, plain, roundSelection, simpleDocument } from "../documents.mjs";
import { assertDone, assertRefused, colourLayer, layerNamed } from "./kit.mjs";
import { TOUCH_UPS, names } from "./pictures.mjs";

/** A panel in a host with rules of its own, and an open document. */
async function opened(kit, spec, rules = {}, options = {}) {
  const panel = await kit.readyPanel(options);
  for (const [name, isOn] of Object.entries(rules)) await panel.artist("setRule", name, isOn);
  return { panel, id: await panel.open(spec) };
}

/** The photograph of a simple document under a mask that a function gives. */
function masked(photograph, shownAt) {
  const spec = simpleDocument(photograph);
  const at = (_, i) => (shownAt(i % spec.width, Math.floor(i / spec.width)) ? 255 : 0);
  const mask = Uint8Array.from({ length: spec.width * spec.height }, at);
  spec.layers[0] = layerOf("Photograph", photograph, { left: 13, top: 9, mask });
  return spec;
}

/** A greyscale document of an adjustment, a photograph with a soft edge or not, and paper. */
function greyDocument(photograph) {
  const grey = (name, picture, more) => layerOf(name, picture, { isGrey: true, ...more });
  const { width, height } = photograph;
  return {
    width,
    height,
    mode: "grayscaleMode",
    profile: "Gray Gamma 2.2",
    layers: [
      grey("Curve", plain(1, 1, [0, 0, 0, 255]), { kind: "curves", isVisible: false }),
      grey("Title", plain(30, 10, [20, 20, 20, 255]), { kind: "text", left: 5, top: 5 }),
      grey("Photograph", photograph),
      grey("Paper", plain(width, height, [250, 250, 250, 255])),
    ],
    active: [2],
  };
}

async function convertedAndColoured(panel) {
  await panel.press("colorize");
  await panel.untilAsked();
  await panel.press("yes");
  await panel.untilIdle();
  return panel.text("status");
}

export const strict = {
  async "a mask that shows a part, or nothing, does not cut the photograph"(kit) {
    const photograph = kit.photographs.girl;
    for (const shownAt of [(x, y) => x >= 40 && x < 100 && y >= 40 && y < 90, () => false]) {
      const { panel, id } = await opened(kit, masked(photograph, shownAt));
      const document = await assertDone(panel, await panel.colorize(), id);
      const { query } = panel.requests.find((request) => request.method === "POST");
      assert.deepEqual(
        [Number(query.width), Number(query.height)],
        [photograph.width, photograph.height],
        "the whole photograph was sent",
      );
      const colour = colourLayer(document);
      assert.deepEqual([colour.pixels.left, colour.pixels.top, colour.isClipped], [13, 9, true]);
    }
  },

  async "a mask on the hints does not cut them"(kit) {
    const spec = simpleDocument(kit.photographs.girl);
    const mask = new Uint8Array(spec.width * spec.height);
    spec.layers.unshift(layerOf("Colour hints", plain(30, 12, [200, 40, 160, 255]), { left: 60, top: 60, mask }));
    spec.active = [1];
    const { panel, id } = await opened(kit, spec);
    await assertDone(panel, await panel.colorize({ useHints: true }), id);
  },

  async "Photoshop does not say whether there is a mask"(kit) {
    // Clipped colours are right either way; unclipped ones would tint what lies beneath a cut-out.
    const spec = simpleDocument(kit.photographs.girl);
    spec.layers[0].flags.hasVectorMask = true;
    const { panel, id } = await opened(kit, spec, { getFails: true });
    const document = await assertDone(panel, await panel.colorize(), id);
    assert.equal(colourLayer(document).isClipped, true, "clipped");
    // Again: whether the empty layer of touch-ups has a mask it does not say either.
    assert.match(await panel.colorize(), /^Done in /);
    assert.deepEqual(names((await panel.orderlyReport()).documents[0].layers).slice(0, 1), [TOUCH_UPS]);
  },

  async "an unclipped result inside a clipping stack"(kit) {
    for (const joinsStack of [true, false]) {
      const spec = simpleDocument(kit.photographs.girl);
      const tone = layerOf("Tone", plain(60, 60, [90, 90, 90, 255]), { left: 40, top: 40, isClipped: true, opacity: 40 });
      spec.layers.unshift(tone);
      spec.active = [1];
      const { panel, id } = await opened(kit, spec, { joinsStack });
      const document = await assertDone(panel, await panel.colorize(), id);
      const colour = colourLayer(document);
      assert.deepEqual(names(document.layers), [TOUCH_UPS, colour.name, "Tone", "Photograph", "Background"]);
      assert.equal(colour.isClipped, false, "not clipped");
      assert.equal(layerNamed(document, "Tone").isClipped, true, "what was clipped stays so");
    }
  },

  async "selection to mask: the selection stays"(kit) {
    for (const bits of [8, 16]) {
      const spec = simpleDocument(kit.photographs.girl);
      if (bits === 16) {
        const layers = [layerOf("Photograph", kit.photographs.girl, { bits })];
        Object.assign(spec, { bits, layers });
      }
      const { panel, id } = await opened(kit, spec);
      await panel.artist("setSelection", id, roundSelection(20, 30, 60));
      const [before] = (await panel.report()).documents;
      const document = await assertDone(panel, await panel.colorize(), id);
      assert.ok(colourLayer(document).mask);
      const { left, top, width, height } = document.selection;
      assert.ok(left >= before.selection.left && top >= before.selection.top && width > 50 && height > 50);
      await panel.close();
    }
    kit.panels = [];
  },

  async "a mask that is there and hides nothing"(kit) {
    const { panel, id } = await opened(kit, simpleDocument(kit.photographs.girl), { masksHideNothing: true });
    await panel.artist("setSelection", id, roundSelection(20, 30, 60));
    const before = await panel.report();
    await assertRefused(panel, before, await panel.colorize(), /^Photoshop made another mask than the selection/);
  },

  async "selection changed meanwhile"(kit) {
    // The mask is that of the selection at the start; it is written, and read back before it is believed.
    for (const zerosBecomeWhite of [false, true]) {
      let act = async () => {};
      const onRequest = async (request) => request.path.endsWith("/result") && act();
      const spec = simpleDocument(kit.photographs.girl);
      const { panel, id } = await opened(kit, spec, { zerosBecomeWhite }, { onRequest });
      await panel.artist("setSelection", id, roundSelection(20, 30, 60));
      let before = null;
      act = async () => {
        await panel.artist("setSelection", id, roundSelection(5, 5, 30));
        before = await panel.report();
      };
      const status = await panel.colorize();
      if (zerosBecomeWhite) {
        await assertRefused(panel, before, status, /^Photoshop made another mask than the selection/);
        continue;
      }
      const document = await assertDone(panel, status, id);
      const mask = Buffer.from(colourLayer(document).mask.data, "base64");
      assert.equal(mask[60 * spec.width + 50], 255, "inside the first selection");
      assert.equal(mask[10 * spec.width + 12], 0, "outside it");
    }
  },

  async "greyscale with adjustment and text layers"(kit) {
    const spec = greyDocument(kit.photographs.loggers);
    const { panel, id } = await opened(kit, spec);
    const document = await assertDone(panel, await convertedAndColoured(panel), id);
    const colour = colourLayer(document);
    assert.deepEqual(names(document.layers), ["Curve", "Title", TOUCH_UPS, colour.name, "Photograph", "Paper"]);
    const kinds = document.layers.map((layer) => layer.kind);
    assert.deepEqual(kinds, ["curves", "text", "pixel", "pixel", "pixel", "pixel"]);
  },

  async "greyscale, Photoshop loses a layer"(kit) {
    const { panel } = await opened(kit, greyDocument(kit.photographs.loggers), { convertLoses: true });
    const before = await panel.report();
    await assertRefused(panel, before, await convertedAndColoured(panel), /did not convert the document to RGB with its layers/);
  },

  async "a new hints layer"(kit) {
    const { panel, id } = await opened(kit, simpleDocument(kit.photographs.girl));
    const press = async () => {
      await panel.press("new-hints");
      await panel.untilIdle();
      assert.match(await panel.text("status"), /^Paint strokes of colour on the layer “Colour hints”/);
      const [document] = (await panel.orderlyReport()).documents;
      assert.deepEqual(names(document.layers), ["Colour hints", "Photograph", "Background"]);
      assert.deepEqual(document.selectedIDs, [document.layers[0].id], "it is selected");
      return document;
    };
    const document = await press();
    assert.equal(document.history.at(-1), "New hints layer");
    assert.equal(document.history.length, 2, "one history step");
    assert.equal(await panel.page.evaluate(() => document.getElementById("useHints").checked), true);
    // Where there is one it is selected; a second is not made.
    await panel.artist("select", id, ["Photograph"]);
    await press();
  },

  async "Colorize while a text is edited"(kit) {
    kit.patches = [...kit.patches, { file: "modal.js", find: "const RETRIES = 40;", replace: "const RETRIES = 3;" }];
    const { panel, id } = await opened(kit, simpleDocument(kit.photographs.girl));
    const before = await panel.report();
    await panel.artist("holdModal", 600, "artist");
    await panel.press("colorize");
    await panel.untilShown(async () => /finish your text/.test(await panel.text("status")), "what to do");
    await panel.untilIdle();
    await assertDone(panel, await panel.text("status"), id);
    await panel.artist("holdModal", 60000, "artist");
    const status = await panel.colorize();
    assert.match(status, /^You are still editing in Photoshop, nothing was changed: finish your text or transformation/);
    assert.equal((await panel.report()).documents[0].layers.length, before.documents[0].layers.length + 2);
  },
};
