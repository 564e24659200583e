/**
 * The loop of touching up: strokes on the layer Touch-ups and on the colours themselves, another saturation, a part anew.
 */

import assert from "node:assert/strict";
import { layerOf, plain, roundSelection, simpleDocument } from "../documents.mjs";
import { assertRefused, colourLayer, layerNamed } from "./kit.mjs";
import { TOUCH_UPS, names } from "./pictures.mjs";

const bytesOf = (pixels) => Buffer.from(pixels.data, "base64");

/** Colour again, and return the document; every run must leave one history step. */
async function run(panel, id, choices = {}) {
  const before = (await panel.report()).documents.find((document) => document.id === id);
  const status = await panel.colorize(choices);
  assert.match(status, /^Done in /);
  const document = (await panel.orderlyReport()).documents.find((each) => each.id === id);
  assert.equal(document.history.length, before.history.length + 1, "one history step");
  assert.deepEqual(document.selectedIDs, [layerNamed(document, TOUCH_UPS).id], "Touch-ups is selected");
  return { document, status, request: panel.requests.filter((request) => request.path === "/v1/jobs").at(-1) };
}

/** The strokes that were sent last, RGBA, over the photograph. */
async function hintsSent(panel, { query, bytes }) {
  const pictureBytes = (query.width * query.height * query.channels * query.depth) / 8;
  if (query.hints !== "rgba8") return null;
  const body = Buffer.from(await panel.page.evaluate(() => window.__lastBody), "base64");
  assert.equal(body.length, bytes);
  return body.subarray(pictureBytes);
}

/** Assert that RGBA holds a stroke: in its middle, opaque, and of its colour. */
function assertStroke({ data, left, top, width }, stroke, what, tolerance = 4) {
  assert.ok(data, what);
  for (const [dx, dy] of [
    [2, 2],
    [stroke.width - 3, 2],
    [stroke.width >> 1, stroke.height >> 1],
    [2, stroke.height - 3],
  ]) {
    const i = ((stroke.top + dy - top) * width + stroke.left + dx - left) * 4;
    const [r, g, b, alpha] = data.subarray(i, i + 4);
    assert.ok(alpha >= 250, `${what}: alpha ${alpha} at ${dx}, ${dy}`);
    [r, g, b].forEach((level, c) => {
      assert.ok(Math.abs(level - stroke.rgb[c]) <= tolerance, `${what}: ${[r, g, b]} instead of ${stroke.rgb}`);
    });
  }
}

const touchUpsOf = (document) => {
  const { pixels } = layerNamed(document, TOUCH_UPS);
  return { ...pixels, data: bytesOf(pixels) };
};

const RED = { left: 80, top: 70, width: 30, height: 10, rgb: [190, 40, 50] };
const GREEN = { left: 120, top: 140, width: 24, height: 16, rgb: [40, 150, 70], isSoft: true };
const BLUE = { left: 50, top: 200, width: 30, height: 14, rgb: [50, 70, 200] };
const ERASED = { left: 160, top: 90, width: 20, height: 20, rgb: [0, 0, 0], erases: true };
const GREY = { ...ERASED, rgb: [128, 128, 128] };

export const loop = {
  async "the touch-up loop"(kit) {
    const photograph = kit.photographs.girl;
    const panel = await kit.readyPanel();
    let id = await panel.open(simpleDocument(photograph));
    const first = (await run(panel, id)).document;
    assert.equal(layerNamed(first, TOUCH_UPS).blendMode, "color");
    const [, base] = first.layers;

    // A stroke on Touch-ups is a hint of the next run, in its place; the layer itself is left alone.
    await panel.artist("paint", id, TOUCH_UPS, [RED]);
    const painted = layerNamed((await panel.report()).documents[0], TOUCH_UPS);
    const second = await run(panel, id);
    const over = { left: 13, top: 9, width: photograph.width };
    assertStroke({ ...over, data: await hintsSent(panel, second.request) }, RED, "the hint");
    assert.deepEqual(layerNamed(second.document, TOUCH_UPS), painted);
    const [, newest] = second.document.layers;
    assert.deepEqual(names(second.document.layers), [TOUCH_UPS, newest.name, base.name, "Photograph", "Background"]);
    assert.equal(second.document.layers[2].id, base.id, "the new colours lie above the first");

    // Strokes on the colours themselves are lifted off them, and the colours are as they were laid.
    await panel.artist("select", id, [base.name]);
    await panel.artist("paint", id, newest.name, [GREEN, ERASED]);
    const third = await run(panel, id);
    assert.match(third.status, /painted on the layer of colour lies on “Touch-ups” now\.$/);
    const lifted = touchUpsOf(third.document);
    assertStroke(lifted, RED, "the first stroke stays");
    assertStroke(lifted, GREEN, "lifted");
    assertStroke(lifted, GREY, "what was erased asks for grey");
    const hints = { ...over, data: await hintsSent(panel, third.request) };
    for (const stroke of [RED, GREEN, GREY]) assertStroke(hints, stroke, "a hint");
    const renewed = third.document.layers.find((layer) => layer.id === newest.id);
    assert.ok(renewed.pixels.data === newest.pixels.data, "the colours are renewed");
    assert.equal(third.document.layers[0].name, TOUCH_UPS);
    assert.equal(third.document.layers.length, 6);

    // Saved and opened again, and as a copy whose layers have other ids: recipes and touch-ups are still theirs.
    let document = third.document;
    for (const [newIDs, stroke] of [
      [false, { ...BLUE, left: 60 }],
      [true, { ...BLUE, left: 140 }],
    ]) {
      id = await panel.artist("reopen", id, newIDs);
      const [, top] = (await panel.report()).documents[0].layers;
      await panel.artist("select", id, ["Photograph"]);
      await panel.page.evaluate(([of, at, strokes]) => window.__host.paintByID(of, at, strokes), [id, top.id, [stroke]]);
      document = (await run(panel, id)).document;
      for (const each of [RED, GREEN, GREY, stroke]) assertStroke(touchUpsOf(document), each, "no stroke is lost");
      assert.equal(document.layers.filter((layer) => layer.name === TOUCH_UPS).length, 1);
      assert.ok(document.layers.find((layer) => layer.id === top.id).pixels.data === top.pixels.data, "renewed");
    }
    const strokes = [RED, GREEN, GREY, { ...BLUE, left: 60 }, { ...BLUE, left: 140 }];
    kit.savePsd("result", document, { blend: "color", strokes: strokes.map(({ left, top, width, height, rgb }) => [left, top, width, height, rgb]) });
  },

};

export const touchUps = {
  async "strokes on the colours in other profiles and depths"(kit) {
    const photograph = kit.photographs.girl;
    for (const [profile, bits] of [
      ["Adobe RGB (1998)", 8],
      ["ProPhoto RGB", 16],
      ["Display P3", 8],
    ]) {
      const panel = await kit.readyPanel();
      const layers = [layerOf("Photograph", photograph, { bits })];
      const id = await panel.open({ width: photograph.width, height: photograph.height, profile, bits, layers });
      const colours = colourLayer((await run(panel, id)).document);
      await panel.artist("paint", id, colours.name, [GREEN]);
      const painted = (await panel.report()).documents[0].layers.find((layer) => layer.id === colours.id);
      assert.ok(painted.pixels.data !== colours.pixels.data);
      const { document, status, request } = await run(panel, id);
      assert.match(status, /lies on “Touch-ups” now\.$/, `${profile}: ${status}`);
      const sent = await hintsSent(panel, request);
      const middle = sent.subarray((148 * photograph.width + 132) * 4).subarray(0, 4);
      assert.ok(middle[3] >= 250 && middle[1] > middle[0] + 40, `${profile}: ${[...middle]}`);
      const share = sent.filter((alpha, i) => i % 4 === 3 && alpha > 0).length / (sent.length / 4);
      assert.ok(share < 0.02, `${profile}: ${share} of the picture is strokes`);
      const renewed = document.layers.find((layer) => layer.id === colours.id);
      assert.ok(renewed.pixels.data === colours.pixels.data, `${profile}: the colours are renewed`);
      await panel.close();
    }
    kit.panels = [];
  },

  async "a layer of colour that was flipped or moved is kept"(kit) {
    const photograph = kit.photographs.girl;
    for (const act of ["mirrorLayer", "nudgeLayer"]) {
      const panel = await kit.readyPanel();
      const id = await panel.open(simpleDocument(photograph));
      const colours = colourLayer((await run(panel, id)).document);
      await panel.artist("paint", id, colours.name, [RED]);
      await panel.artist(act, id, colours.name, 4, 0);
      const [before] = (await panel.report()).documents;
      await panel.artist("select", id, ["Photograph"]);
      const { document, status, request } = await run(panel, id);
      assert.match(status, /was moved, turned or painted all over/);
      assert.deepEqual(document.layers.find((layer) => layer.id === colours.id), before.layers[1], "kept as it is");
      assert.deepEqual(names(document.layers), [TOUCH_UPS, colours.name, colours.name, "Photograph", "Background"]);
      assert.equal(document.layers[1].id, colours.id, "above the new colours");
      assert.equal(request.query.hints, undefined);
      await panel.close();
    }
    kit.panels = [];
  },

  async "only another saturation"(kit) {
    const photograph = kit.photographs.girl;
    const panel = await kit.readyPanel();
    const id = await panel.open(simpleDocument(photograph));
    await run(panel, id);
    await panel.artist("paint", id, TOUCH_UPS, [RED]);
    const { document: before } = await run(panel, id);
    const [, colours] = before.layers;
    const { document, status, request } = await run(panel, id, { saturation: 40 });
    assert.match(status, /Only the saturation was new/);
    assert.ok(Number(request.query.recipe) > 1000 && !request.query.size, "the model was not asked");
    assert.equal(document.layers.length, before.layers.length, "no layer more");
    const again = document.layers.find((layer) => layer.id === colours.id);
    assert.match(again.name, /, 40 %\)$/);
    assert.ok(again.pixels.data !== colours.pixels.data);
    // Back again: the very same layer; and a stroke on it is still told apart.
    const back = (await run(panel, id, { saturation: 100 })).document.layers.find((layer) => layer.id === colours.id);
    assert.ok(back.pixels.data === colours.pixels.data, "the very same layer");
    assert.equal(back.name, colours.name);
    await panel.artist("paint", id, TOUCH_UPS, [BLUE]);
    const asked = await run(panel, id, { saturation: 40 });
    assert.equal(asked.request.query.recipe, undefined, "with another stroke the model is asked");
    assert.equal(asked.document.layers.length, before.layers.length + 1);
  },

  async "only another saturation, with the guesses shown"(kit) {
    const panel = await kit.readyPanel();
    const id = await panel.open(simpleDocument(kit.photographs.girl));
    const { document: before } = await run(panel, id, { addDoubt: true });
    const { document, status, request } = await run(panel, id, { addDoubt: true, saturation: 40 });
    assert.match(status, /Only the saturation was new/);
    assert.ok(Number(request.query.recipe) > 1000);
    assert.equal(names(document.layers).filter((name) => name.includes("guesses")).length, 1, "the guesses stay");
    assert.equal(document.layers.length, before.layers.length);
  },

  async "strokes that are lifted are seen"(kit) {
    const panel = await kit.readyPanel();
    const id = await panel.open(simpleDocument(kit.photographs.girl));
    const colours = colourLayer((await run(panel, id)).document);
    await panel.artist("hideLayer", id, TOUCH_UPS);
    await panel.artist("paint", id, colours.name, [RED]);
    const { document } = await run(panel, id);
    assertStroke(touchUpsOf(document), RED, "lifted");
    assert.equal(layerNamed(document, TOUCH_UPS).isVisible, true, "not onto a hidden layer");
  },

  async "touch-ups count as they are seen"(kit) {
    const photograph = kit.photographs.girl;
    const panel = await kit.readyPanel();
    const id = await panel.open(simpleDocument(photograph));
    await run(panel, id);
    await panel.artist("paint", id, TOUCH_UPS, [RED]);
    await panel.artist("setOpacity", id, TOUCH_UPS, 40);
    const faint = await run(panel, id);
    const data = await hintsSent(panel, faint.request);
    const i = ((RED.top + 5 - 9) * photograph.width + RED.left + 5 - 13) * 4;
    assert.equal(data[i + 3], 102, "a faint stroke is a weak hint");
    for (const off of ["choice", "hidden"]) {
      if (off === "hidden") await panel.artist("hideLayer", id, TOUCH_UPS);
      const { request } = await run(panel, id, { useTouchUps: off === "hidden" });
      assert.equal(request.query.hints, undefined, `not asked for: ${off}`);
    }
  },

  async "recolour the selection"(kit) {
    const photograph = kit.photographs.girl;
    const panel = await kit.readyPanel();
    const id = await panel.open(simpleDocument(photograph));
    await run(panel, id);
    await panel.artist("paint", id, TOUCH_UPS, [RED]);
    await panel.artist("setSelection", id, roundSelection(60, 50, 80));
    const { document } = await run(panel, id, { saturation: 130 });
    const [top, part, whole] = document.layers;
    assert.equal(top.name, TOUCH_UPS);
    assert.ok(part.mask && !whole.mask, "a layer with a mask, above the one that stays as it was");
    assert.ok(bytesOf(part.mask).some((level) => level > 0 && level < 255), "as soft as the selection");
  },

  async "painted on while the server works"(kit) {
    let act = async () => {};
    const onRequest = async (request) => {
      if (!request.path.endsWith("/result") || request.method !== "GET") return;
      const once = act;
      await once();
    };
    const panel = await kit.readyPanel({ onRequest });
    const id = await panel.open(simpleDocument(kit.photographs.girl));
    const colours = colourLayer((await run(panel, id)).document);
    await panel.artist("paint", id, colours.name, [RED]);
    let before = null;
    let fetched = 0;
    act = async () => {
      fetched++;
      if (fetched < 2) return; // the first is the layer that is laid again
      await panel.artist("paint", id, colours.name, [BLUE]);
      before = await panel.report();
    };
    const status = await panel.colorize();
    await assertRefused(panel, before, status, /^The layer of colour was painted on while the server worked/);
  },

  async "Photoshop keeps no metadata"(kit) {
    const panel = await kit.readyPanel();
    await panel.artist("setRule", "metadataFails", true);
    const id = await panel.open(simpleDocument(kit.photographs.girl));
    const first = await run(panel, id);
    assert.match(first.status, /did not keep the layer's recipe: paint on “Touch-ups”/);
    // Touch-ups are found by name and place all the same.
    await panel.artist("paint", id, TOUCH_UPS, [RED]);
    const { document, request } = await run(panel, id);
    assert.equal(request.query.hints, "rgba8");
    assert.equal(document.layers.filter((layer) => layer.name === TOUCH_UPS).length, 1);
  },

  async "two photographs have each their own touch-ups"(kit) {
    const photograph = kit.photographs.girl;
    const { width, height } = photograph;
    const layers = [layerOf("Upper", photograph), layerOf("Lower", photograph)];
    const panel = await kit.readyPanel();
    const id = await panel.open({ width, height, layers });
    await run(panel, id);
    await panel.artist("select", id, ["Lower"]);
    const status = await panel.colorize();
    assert.match(status, /^Done/);
    const [document] = (await panel.orderlyReport()).documents;
    assert.deepEqual(
      names(document.layers).map((name) => name.replace(/ \(.*/, "")),
      [TOUCH_UPS, "Colorize", "Upper", TOUCH_UPS, "Colorize", "Lower"],
    );
    const [upper, , , lower] = document.layers;
    const paint = (layer, stroke) =>
      panel.page.evaluate(([of, at, strokes]) => window.__host.paintByID(of, at, strokes), [id, layer.id, [stroke]]);
    await paint(upper, RED);
    await paint(lower, BLUE);
    for (const [name, mine, other] of [
      ["Lower", BLUE, RED],
      ["Upper", RED, BLUE],
    ]) {
      await panel.artist("select", id, [name]);
      assert.match(await panel.colorize(), /^Done/);
      const request = panel.requests.filter(({ path }) => path === "/v1/jobs").at(-1);
      const data = await hintsSent(panel, request);
      assertStroke({ left: 0, top: 0, width, data }, mine, `of ${name}`);
      assert.equal(data[((other.top + 5) * width + other.left + 5) * 4 + 3], 0, `not of ${name}`);
    }
  },

  async "touch-ups of a photograph that is clipped later"(kit) {
    // Clipped after an unclipped run: the layer of touch-ups comes along, above the new colours.
    const spec = simpleDocument(kit.photographs.girl);
    spec.layers.unshift(layerOf("Frame", plain(20, 20, [90, 90, 90, 255]), { left: 2, top: 2 }));
    spec.active = [1];
    const panel = await kit.readyPanel();
    const id = await panel.open(spec);
    await run(panel, id);
    for (const clip of [true, false, true]) {
      const { document } = await run(panel, id, { clip });
      const at = document.layers.findIndex((layer) => layer.name === TOUCH_UPS);
      const [top, colours] = document.layers.slice(at);
      assert.match(colours.name, /^Colorize \(/, names(document.layers).join());
      assert.deepEqual([top.isClipped, colours.isClipped], [clip, clip], "as was chosen");
      const shown = document.layers.filter((layer) => /^Colorize/.test(layer.name) && layer.isVisible);
      assert.equal(shown[0].id, colours.id, "nothing of ours covers the new colours");
      assert.equal(document.layers[0].name, "Frame");
    }
  },
};
