/**
 * Runs that end with a new layer: every kind of source, document and choice.
 */

import assert from "node:assert/strict";
import {
  cropped,
  layerOf,
  lineArt,
  pictureOf,
  plain,
  roundSelection,
  simpleDocument,
  strokes,
  withAlpha,
} from "../documents.mjs";
import { assertDone, colourLayer, layerNamed, saveReference, saveWrong } from "./kit.mjs";

export const names = (layers) => layers.map((layer) => layer.name);
export const TOUCH_UPS = "Touch-ups";
const RESULT = /^Colorize \(.+, \d+ px, 100 %\)$/;

/** Colour a document and look at what every run promises. */
export async function colorized(kit, spec, choices = {}, prepare = async () => {}) {
  const panel = await kit.readyPanel();
  const id = await panel.open(spec);
  await prepare(panel, id);
  const [before] = (await panel.report()).documents;
  const document = await assertDone(panel, await panel.colorize(choices), id);
  const touchUps = layerNamed(document, TOUCH_UPS);
  assert.deepEqual(document.selectedIDs, [touchUps.id], "the layer to go on painting on is selected");
  assert.equal(touchUps.pixels, null, "it is empty");
  const colour = colourLayer(document);
  assert.ok(colour, "there is a colour layer");
  assert.match(colour.name, RESULT);
  assert.equal(colour.opacity, 100);
  assert.equal(colour.blendMode, choices.blend === "multiply" ? "multiply" : "color");
  return { panel, id, before, document, colour };
}

/** What was there is untouched: as before, in the same order, once the new layers are left out. */
function assertOthersUntouched(before, document) {
  const idsOf = (layers) => layers.flatMap(({ id, children }) => [id, ...idsOf(children || [])]);
  const known = idsOf(before.layers);
  const withoutNew = (layers) =>
    layers
      .filter((layer) => known.includes(layer.id))
      .map((layer) => ({ ...layer, children: layer.children && withoutNew(layer.children) }));
  assert.deepEqual(withoutNew(document.layers), before.layers);
}

/** Colours that an earlier run left, red, and a map of its guesses, as a small piece each. */
const earlierResults = (left, top, colourFlags = {}) => [
  layerOf("Colorize: guesses (bright = unsure)", plain(20, 10, [90, 200, 90, 255]), { left, top }),
  layerOf("Colorize (earlier, 256 px, 100 %)", plain(20, 10, [210, 40, 40, 255]), {
    left,
    top: top + 20,
    blendMode: "color",
    ...colourFlags,
  }),
];

/** From the first result, which is selected and topmost, the same photograph is coloured again, above it. */
async function assertSameAgain(panel, document, colour) {
  await panel.artist("select", document.id, [colour.name]);
  assert.match(await panel.colorize(), /^Done/);
  const [second] = (await panel.orderlyReport()).documents;
  assert.deepEqual(names(second.layers), [TOUCH_UPS, colour.name, ...names(document.layers.slice(1))]);
  assert.equal(second.layers[0].id, document.layers[0].id, "there is one layer of touch-ups");
  assert.equal(second.layers[2].id, colour.id, "the new one lies above the first");
  assert.equal(second.layers[1].pixels.data, colour.pixels.data, "the same colours from the same source");
}

/** The photograph that was sent, of the size of `pixels`, is grey: neither strokes nor earlier results are in it. */
async function assertSentGrey(panel, { width, height }, channels) {
  const sent = Buffer.from(await panel.page.evaluate(() => window.__lastBody), "base64");
  let isGrey = true;
  for (let i = 0; i < width * height * channels; i += channels)
    isGrey &&= sent[i] === sent[i + 1] && sent[i] === sent[i + 2];
  assert.ok(isGrey, "no colour is in the photograph that was sent");
}

export const pictures = {
  async plain(kit) {
    const photograph = kit.photographs.girl;
    const { panel, id, before, document, colour } = await colorized(kit, simpleDocument(photograph));
    assert.deepEqual(names(document.layers), [TOUCH_UPS, colour.name, "Photograph", "Background"]);
    assert.equal(colour.isClipped, false);
    const { left, top, width, height } = layerNamed(document, "Photograph").pixels;
    assert.deepEqual(
      [colour.pixels.left, colour.pixels.top, colour.pixels.width, colour.pixels.height],
      [left, top, width, height],
    );
    assertOthersUntouched(before, document);
    kit.savePsd("result", document, { blend: "color" });
    await saveReference(kit, pictureOf(photograph));
    await saveWrong(kit, document, pictureOf(photograph));
    await panel.artist("undo", id);
    assert.deepEqual((await panel.orderlyReport()).documents[0], before, "one undo brings everything back");
    const sent = panel.requests.map((request) => `${request.method} ${request.path.replace(/jobs\/[^/]+/, "jobs/ID")}`);
    assert.equal(sent.filter((line) => line === "POST /v1/jobs").length, 1);
    assert.ok(sent.includes("DELETE /v1/jobs/ID"), "the result is not left in the server's memory");
  },

  async again(kit) {
    // A second run with the first result selected takes the photograph below it, not the colours; what it makes lies
    // above the first results, guesses too, where it is seen.
    const photograph = kit.photographs.girl;
    const { panel, id, document: first, colour } = await colorized(kit, simpleDocument(photograph), { addDoubt: true });
    await panel.artist("select", id, [colour.name]);
    const posts = () => panel.requests.filter((request) => request.method === "POST").length;
    assert.equal(posts(), 1);
    assert.match(await panel.colorize(), /^Done/);
    const [document] = (await panel.orderlyReport()).documents;
    assert.deepEqual(document.layers.slice(3), first.layers.slice(1), "the first results are below the new ones");
    assert.equal(document.layers[0].id, first.layers[0].id, "and the layer of touch-ups above all");
    assert.deepEqual(document.selectedIDs, [document.layers[0].id], "the layer to go on painting on is selected");
    assert.deepEqual(names(document.layers.slice(1, 3)), names(first.layers.slice(1, 3)));
    assert.equal(document.layers[2].pixels.data, colour.pixels.data, "the same colours from the same source");
  },

  async "masked photograph"(kit) {
    const photograph = kit.photographs.girl;
    // A masked photograph needs no choice: where its mask hides it, nothing may be tinted.  Earlier colours that are
    // clipped to it lie below the new ones, and what else is clipped to it above them.
    const spec = simpleDocument(photograph);
    const within = [73, 9, 13 + photograph.width, 9 + photograph.height];
    const seenAt = (_, i) => (i % spec.width < within[0] ? 0 : 255);
    const mask = Uint8Array.from({ length: spec.width * spec.height }, seenAt);
    const [, earlier] = earlierResults(90, 60, { isClipped: true });
    const tone = layerOf("Tone", plain(60, 60, [90, 90, 90, 255]), { left: 80, top: 40, isClipped: true, opacity: 40 });
    spec.layers = [tone, earlier, layerOf("Photograph", photograph, { left: 13, top: 9, mask }), spec.layers[1]];
    spec.active = [2];
    const { before, document, colour } = await colorized(kit, spec);
    assert.deepEqual(names(document.layers), ["Tone", TOUCH_UPS, colour.name, earlier.name, "Photograph", "Background"]);
    assert.equal(colour.isClipped, true);
    assert.equal(layerNamed(document, TOUCH_UPS).isClipped, true);
    assertOthersUntouched(before, document);
    const others = ["Tone", earlier.name];
    kit.savePsd("result", document, { blend: "color", clipped: others, hidden: others, within });
    await saveReference(kit, pictureOf(photograph));
  },

  async "clipping stack"(kit) {
    // What is clipped to the photograph stays clipped to it: the new layer goes above the whole stack.
    const photograph = kit.photographs.girl;
    const spec = simpleDocument(photograph);
    const tone = layerOf("Tone", plain(60, 60, [90, 90, 90, 255]), { left: 40, top: 40, isClipped: true, opacity: 40 });
    spec.layers.unshift(tone);
    spec.active = [1];
    const { panel, before, document, colour } = await colorized(kit, spec);
    assert.deepEqual(names(document.layers), [TOUCH_UPS, colour.name, "Tone", "Photograph", "Background"]);
    assert.equal(colour.isClipped, false);
    assertOthersUntouched(before, document);
    kit.savePsd("result", document, { blend: "color", clipped: ["Tone"] });
    // The result selected: below it the stack's base is the photograph, not what is clipped to it.
    await assertSameAgain(panel, document, colour);
  },

  async doubt(kit) {
    const photograph = kit.photographs.girl;
    const { document, colour } = await colorized(kit, simpleDocument(photograph), { addDoubt: true, clip: true });
    assert.deepEqual(names(document.layers), [
      "Colorize: guesses (bright = unsure)",
      TOUCH_UPS,
      colour.name,
      "Photograph",
      "Background",
    ]);
    const [doubt] = document.layers;
    assert.deepEqual([doubt.isVisible, doubt.blendMode, doubt.opacity, doubt.isClipped], [false, "normal", 100, false]);
    assert.equal(colour.isClipped, true, "as was chosen");
    const answer = await kit.server.ask(
      { width: photograph.width, height: photograph.height, channels: 4, host: "photoshop", include: "doubt" },
      pictureOf(photograph).bytes,
    );
    const expected = answer.subarray(photograph.width * photograph.height * 4);
    const written = Buffer.from(doubt.pixels.data, "base64");
    const isSame = expected.every(
      (value, i) => [0, 1, 2].every((channel) => written[4 * i + channel] === value) && written[4 * i + 3] === 255,
    );
    assert.ok(isSame, "the layer shows the server's doubt");
    kit.savePsd("result", document, { blend: "color" });
    await saveReference(kit, pictureOf(photograph));
  },

  async "selection to mask"(kit) {
    const photograph = kit.photographs.girl;
    const selection = roundSelection(-20, 30, 120);
    const { document, colour } = await colorized(kit, simpleDocument(photograph), {}, (panel, id) =>
      panel.artist("setSelection", id, selection),
    );
    assert.ok(colour.mask, "there is a mask");
    assert.deepEqual([colour.mask.width, colour.mask.height], [document.width, document.height]);
    const mask = Buffer.from(colour.mask.data, "base64");
    const selected = Buffer.from(selection.data, "base64");
    for (let y = 0; y < document.height; y++) {
      for (let x = 0; x < document.width; x++) {
        const isInside = x < 100 && y >= 30 && y < 150;
        assert.equal(mask[y * document.width + x], isInside ? selected[(y - 30) * 120 + x + 20] : 0);
      }
    }
    kit.savePsd("result", document, { blend: "color", mask: true });
    await saveReference(kit, pictureOf(photograph));
  },

  async "selection not wanted, photograph with a vector mask"(kit) {
    const prepare = (panel, id) => panel.artist("setSelection", id, roundSelection(10, 10, 50));
    const spec = simpleDocument(kit.photographs.girl);
    spec.layers[0].flags.hasVectorMask = true;
    const { colour } = await colorized(kit, spec, { maskFromSelection: false }, prepare);
    assert.equal(colour.mask, null);
    assert.equal(colour.isClipped, true, "the photograph's mask limits the colours");
  },

  async multiply(kit) {
    const picture = lineArt(300, 220);
    const spec = { width: 300, height: 220, layers: [layerOf("Drawing", picture, { isBackground: true })] };
    const { document } = await colorized(kit, spec, { blend: "multiply" });
    kit.savePsd("result", document, { blend: "multiply", source: "Drawing" });
  },

  async visible(kit) {
    // Everything visible: the colours go on top; hints and earlier results, though visible, stay out of the picture.
    const photograph = kit.photographs.girl;
    const spec = simpleDocument(photograph);
    spec.layers.unshift(
      layerOf("Colour hints", strokes(60, 60, [[5, 5, 20, 8, [220, 30, 30]]]), { left: 60, top: 60 }),
    );
    spec.layers.unshift(layerOf("Tone", plain(60, 60, [90, 90, 90, 255]), { left: 80, top: 80, opacity: 40 }));
    spec.layers.unshift(...earlierResults(30, 20));
    const { panel, before, document, colour } = await colorized(kit, spec, {
      source: "visible",
      useHints: true,
      clip: true,
    });
    assert.deepEqual(names(document.layers), [TOUCH_UPS, colour.name, ...names(before.layers)]);
    assert.equal(colour.isClipped, false, "there is nothing to clip to");
    assert.deepEqual([colour.pixels.width, colour.pixels.height], [document.width, document.height]);
    assertOthersUntouched(before, document);
    const posted = panel.requests.find((request) => request.method === "POST");
    assert.equal(posted.bytes, document.width * document.height * 7, "the picture has no alpha, the hints have");
    assert.equal((await panel.report()).documents.length, 1, "the temporary copy is closed");
    await assertSentGrey(panel, document, 3);
    kit.savePsd("result", document, { blend: "color" });
  },

  async "transparency and offset"(kit) {
    // A soft edge at the left, the canvas' edge at the right, and above the canvas something wider: what is asked for
    // within the canvas is empty at the left and top.
    const photograph = kit.photographs.girl;
    const { width, height } = photograph;
    const soft = withAlpha(photograph, (x, y) => (y < 5 ? 255 : x < 20 || y < 15 ? 0 : Math.min(255, (x - 20) * 12)));
    const spec = simpleDocument(photograph);
    spec.layers[0] = layerOf("Photograph", soft, { left: 50, top: -5 });
    const { document, colour } = await colorized(kit, spec);
    const { pixels } = colour;
    assert.deepEqual(
      [pixels.left, pixels.top, pixels.left + pixels.width],
      [71, 10, document.width],
      "placed where the host said the pixels are",
    );
    kit.savePsd("result", document, { blend: "color" });
    // What was sent: the visible part that holds pixels.
    const visible = cropped(soft, 21, 15, document.width - 71, Math.min(height - 15, document.height - 10));
    assert.equal(pixels.height, visible.height);
    assert.ok(width > visible.width);
    await saveReference(kit, pictureOf(visible));
  },

  async background(kit) {
    const photograph = kit.photographs.loggers;
    const spec = {
      width: photograph.width,
      height: photograph.height,
      layers: [layerOf("Background", photograph, { isBackground: true })],
    };
    const { panel, document, colour } = await colorized(kit, spec, { clip: true });
    assert.deepEqual(names(document.layers), [TOUCH_UPS, colour.name, "Background"]);
    const posted = panel.requests.find((request) => request.method === "POST");
    assert.equal(posted.bytes, photograph.width * photograph.height * 3, "a Background has no alpha");
    kit.savePsd("result", document, { blend: "color", source: "Background" });
    await saveReference(kit, pictureOf(photograph, { channels: 3 }));
  },

  async "inside a group"(kit) {
    const photograph = kit.photographs.girl;
    const spec = simpleDocument(photograph);
    spec.layers = [
      layerOf("Title", plain(30, 10, [0, 0, 0, 255]), { left: 4, top: 4 }),
      {
        name: "Scans",
        children: [layerOf("Dust", plain(4, 4, [0, 0, 0, 255]), { left: 20, top: 20 }), spec.layers[0]],
      },
      spec.layers[1],
    ];
    spec.active = [1, 1];
    const { before, document, colour } = await colorized(kit, spec);
    assert.deepEqual(names(document.layers), ["Title", "Scans", "Background"]);
    assert.deepEqual(names(document.layers[1].children), ["Dust", TOUCH_UPS, colour.name, "Photograph"]);
    assertOthersUntouched(before, document);
    kit.savePsd("result", document, { blend: "color", hidden: ["Dust"] });
    await saveReference(kit, pictureOf(photograph));
  },

  async group(kit) {
    const photograph = kit.photographs.girl;
    const spec = simpleDocument(photograph);
    const hints = layerOf("Colour hints", plain(9, 9, [220, 30, 30, 255]), { left: 90, top: 30 });
    const retouch = layerOf("Retouch", plain(40, 40, [128, 128, 128, 255]), { left: 60, top: 60 });
    spec.layers = [
      layerOf("Above", plain(20, 20, [0, 0, 0, 255]), { left: 2, top: 2 }),
      { name: "Restored", children: [hints, ...earlierResults(30, 20), retouch, spec.layers[0]] },
      spec.layers[1],
    ];
    spec.active = [1];
    const { panel, before, document, colour } = await colorized(kit, spec);
    assert.deepEqual(names(document.layers), ["Above", TOUCH_UPS, colour.name, "Restored", "Background"]);
    assertOthersUntouched(before, document);
    assert.equal((await panel.report()).documents.length, 1, "the temporary copy is closed");
    assert.equal(document.history.length, 2, "reading left no history step");
    await assertSentGrey(panel, colour.pixels, 4);
    const hidden = ["Above", "Colour hints", "Colorize: ", "Colorize (earlier"];
    kit.savePsd("result", document, { blend: "color", source: "Restored", hidden });
    const flat = { ...photograph, data: photograph.data.slice() };
    for (let y = 0; y < 40; y++)
      for (let x = 0; x < 40; x++) flat.data.set([128, 128, 128, 255], ((y + 51) * flat.width + x + 47) * 4);
    await saveReference(kit, pictureOf(flat));
  },

  async "smart object, clipped"(kit) {
    const photograph = kit.photographs.girl;
    const spec = simpleDocument(photograph);
    spec.layers = [
      layerOf("Photograph", photograph, { left: 13, top: 9, kind: "smartObject", isClipped: true }),
      layerOf("Frame", plain(photograph.width - 20, photograph.height - 20, [200, 200, 200, 255]), {
        left: 23,
        top: 19,
      }),
      spec.layers[1],
    ];
    const { panel, before, document, colour } = await colorized(kit, spec);
    assert.deepEqual(names(document.layers), [TOUCH_UPS, colour.name, "Photograph", "Frame", "Background"]);
    assert.equal(colour.isClipped, true, "outside the frame nothing is tinted");
    assertOthersUntouched(before, document);
    // From the result, which is clipped too, it is the layer directly below.
    await assertSameAgain(panel, document, colour);
    const within = [23, 19, 23 + photograph.width - 20, 19 + photograph.height - 20];
    kit.savePsd("result", document, { blend: "color", clipped: ["Photograph"], within });
    await saveReference(kit, pictureOf(photograph));
  },

  async text(kit) {
    const spec = simpleDocument(kit.photographs.girl);
    // A name of the artist's that only looks like one of ours.
    spec.layers.unshift(layerOf("Colorize this", lineArt(120, 60), { left: 20, top: 20, kind: "text" }));
    const { document, colour } = await colorized(kit, spec);
    assert.deepEqual(names(document.layers), [TOUCH_UPS, colour.name, "Colorize this", "Photograph", "Background"]);
    assert.deepEqual(
      [colour.pixels.left, colour.pixels.top, colour.pixels.width, colour.pixels.height],
      [20, 20, 120, 60],
    );
  },

  async greyscale(kit) {
    const photograph = kit.photographs.loggers;
    const grey = (name, picture, more) => layerOf(name, picture, { isGrey: true, ...more });
    const soft = withAlpha(photograph, (x) => Math.min(255, x * 8));
    const spec = {
      width: photograph.width,
      height: photograph.height,
      mode: "grayscaleMode",
      profile: "Gray Gamma 2.2",
    };
    spec.layers = [
      grey("Photograph", soft),
      grey("Background", plain(photograph.width, photograph.height, [255, 255, 255, 255]), { isBackground: true }),
    ];
    let meanwhile = null;
    let panel = null;
    const onRequest = async (request) => {
      if (request.method === "POST") meanwhile = await panel.report();
    };
    panel = await kit.readyPanel({ onRequest });
    const id = await panel.open(spec);
    const opened = await panel.report();
    await panel.press("colorize");
    await panel.untilAsked();
    const asked = await panel.report();
    assert.equal(asked.calls.length, 0, "nothing is touched before the answer");
    await panel.press("yes");
    await panel.untilIdle();
    const document = await assertDone(panel, await panel.text("status"), id);
    assert.equal(document.mode, "RGBColorMode");
    assert.equal(document.history.length, 2, "mode and layer in one step");
    assert.deepEqual(
      meanwhile.documents,
      opened.documents,
      "while the server works the document is still grey, and the copy is closed",
    );
    const report = await panel.report();
    assert.equal(report.documents.length, 1, "the temporary copy is closed");
    assert.ok(report.calls.indexOf("convertMode") < report.calls.indexOf("getPixels"), "read from the converted copy");
    const { pixels } = colourLayer(document);
    const alphas = Buffer.from(pixels.data, "base64").filter((_, index) => index % 4 === 3);
    assert.ok(
      alphas.some((alpha) => alpha < 255),
      "the layer's transparency was read",
    );
    kit.savePsd("result", document, { blend: "color" });
    await panel.artist("undo", id);
    assert.equal((await panel.report()).documents[0].mode, "grayscaleMode", "one undo brings greyscale back");
  },
};
