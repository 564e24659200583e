/**
 * Strokes of colour on the hints layer, whose colours the result takes up.
 */

import assert from "node:assert/strict";
import { layerOf, pictureOf, plain, simpleDocument, strokes } from "../documents.mjs";
import { layerNamed } from "./kit.mjs";
import { TOUCH_UPS, colorized, names } from "./pictures.mjs";

/** Those of sample_pictures.py. */
const WHOLE_PHOTOGRAPHS = ["girl", "loggers", "whitman", "apsaroke", "mother", "blizzard"];
const STROKE_PX = 3;
/** Height of a stroke as a share of the picture's, and a colour that no model would choose there. */
const THIN_STROKES = [
  [0.3, [220, 20, 30]],
  [0.5, [0, 150, 130]],
  [0.7, [30, 60, 230]],
];

export const hinted = {
  async hints(kit) {
    const photograph = kit.photographs.girl;
    const spec = simpleDocument(photograph);
    const { width, height } = photograph;
    const colours = [
      [200, 40, 160],
      [30, 140, 60],
      [40, 70, 210],
    ];
    const list = colours.map((rgb, index) => [
      Math.round(width * (0.2 + 0.25 * index)),
      Math.round(height * (0.35 + 0.12 * index)),
      26,
      9,
      rgb,
    ]);
    // The hints lie higher and further left than the photograph: places must be worked out.
    spec.layers.unshift(
      layerOf(
        "Colour hints",
        strokes(
          width + 13,
          height + 9,
          list.map(([left, top, ...rest]) => [left + 13, top + 9, ...rest]),
        ),
      ),
    );
    const { document, colour } = await colorized(kit, spec, { useHints: true });
    assert.deepEqual(names(document.layers), ["Colour hints", TOUCH_UPS, colour.name, "Photograph", "Background"]);
    layerNamed(document, "Colour hints").isVisible = false;
    kit.savePsd("result", document, { blend: "color", strokes: list });
  },

  async "hints above a photograph that is clipped to its frame"(kit) {
    // Just painted, the hints are the active layer: meant is the photograph directly below them, not its frame.
    const photograph = kit.photographs.girl;
    const { width, height } = photograph;
    const spec = simpleDocument(photograph);
    spec.layers = [
      layerOf("Colour hints", strokes(40, 40, [[5, 5, 30, 9, [200, 40, 160]]]), { left: 60, top: 60 }),
      layerOf("Photograph", photograph, { left: 13, top: 9, isClipped: true }),
      layerOf("Frame", plain(width - 20, height - 20, [200, 200, 200, 255]), { left: 23, top: 19 }),
      spec.layers[1],
    ];
    spec.active = [0];
    const { document, colour } = await colorized(kit, spec, { useHints: true });
    assert.deepEqual(names(document.layers), ["Colour hints", TOUCH_UPS, colour.name, "Photograph", "Frame", "Background"]);
    assert.equal(colour.isClipped, true);
    assert.deepEqual([colour.pixels.width, colour.pixels.height], [width, height]);
  },

};

/** One scenario for each photograph, as large as it is. */
for (const name of WHOLE_PHOTOGRAPHS) {
  hinted[`thin strokes, ${name}`] = async (kit) => {
    const photograph = kit.whole[name];
    const { width, height } = photograph;
    const list = THIN_STROKES.map(([share, rgb]) => [
      Math.round(0.3 * width),
      Math.round(share * height),
      Math.round(0.4 * width),
      STROKE_PX,
      rgb,
    ]);
    const layers = [layerOf("Colour hints", strokes(width, height, list)), layerOf("Photograph", photograph)];
    const { document } = await colorized(kit, { width, height, layers, active: [1] }, { useHints: true });
    layerNamed(document, "Colour hints").isVisible = false;
    kit.savePsd("result", document, { strokes: list });
    const { bytes, ...picture } = pictureOf(photograph);
    const query = { ...picture, output: "composite", host: "photoshop" };
    kit.saveRaw("without.raw", await kit.server.ask(query, bytes));
  };
}
