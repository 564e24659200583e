/**
 * Suggested colours for a picked place, as buttons that set the foreground colour.
 */

import assert from "node:assert/strict";
import { plain, roundSelection, simpleDocument, layerOf } from "../documents.mjs";
import { assertRefused } from "./kit.mjs";

/** Ask for colours; returns how it ended, and the swatches: colour and text. */
async function suggested(panel) {
  await panel.press("suggest");
  await panel.untilIdle();
  const swatches = await panel.page.evaluate(() =>
    [...document.querySelectorAll(".swatch")].map((swatch) => ({
      srgb: /\d+, \d+, \d+/.exec(swatch.style.backgroundColor)[0].split(", ").map(Number),
      text: swatch.getAttribute("title"),
    })),
  );
  return { status: await panel.text("status"), swatches };
}

async function pressSwatch(panel, index) {
  await panel.page.evaluate((at) => document.querySelectorAll(".swatch")[at].click(), index);
  await panel.untilIdle();
  return (await panel.orderlyReport()).foreground;
}

export const palette = {
  async "colours for the selected place"(kit) {
    const panel = await kit.readyPanel();
    const spec = simpleDocument(kit.photographs.girl);
    const id = await panel.open(spec);
    await panel.artist("setSelection", id, roundSelection(60, 70, 40));
    const before = await panel.report();
    const { status, swatches } = await suggested(panel);
    assert.match(status, /^Press a colour/);
    assert.ok(swatches.length >= 3);
    assert.match(swatches[0].text, /^\d+ %$/);
    const request = panel.requests.find(({ path }) => path === "/v1/suggest");
    assert.deepEqual(request.query.at.split(",").map(Number), [80 - 13, 90 - 9], "the middle of the selection, on the photograph");
    assert.deepEqual((await panel.report()).documents, before.documents, "the document is as before");
    const [red, green, blue] = swatches[1].srgb;
    assert.deepEqual(await pressSwatch(panel, 1), { base: "rgb", red, green, blue });
    assert.deepEqual((await panel.report()).documents, before.documents);
    // A colour that was used is first: a stroke of touch-ups is one.
    await panel.colorize({ maskFromSelection: false });
    await panel.artist("paint", id, "Touch-ups", [{ left: 60, top: 60, width: 60, height: 60, rgb: [40, 60, 200] }]);
    const again = await suggested(panel);
    assert.equal(again.swatches[0].text, "used here");
    const [red2, , blue2] = again.swatches[0].srgb;
    assert.ok(blue2 > red2, `the blue of the stroke: ${again.swatches[0].srgb}`);
  },

  async "colours for sampled points, in a document of another profile"(kit) {
    const panel = await kit.readyPanel();
    const spec = { ...simpleDocument(kit.photographs.girl), profile: "Adobe RGB (1998)" };
    await panel.open({ ...spec, samplers: [{ x: 60.5, y: 80.5 }, { x: 2, y: 3 }, { x: 100, y: 120 }] });
    const { swatches } = await suggested(panel);
    const request = panel.requests.find(({ path }) => path === "/v1/suggest");
    assert.match(request.url, /&at=47,71&at=87,111$/, "the point beside the photograph is left out");
    assert.ok(swatches.length >= 3);
    const foreground = await pressSwatch(panel, 0);
    assert.equal(foreground.base, "lab", "the same colour, not the same numbers");
    assert.ok(foreground.l > 0 && foreground.l < 100);
  },

  async "a model that suggests no colours"(kit) {
    const health = "const health = /** @type {Health | null} */ (jsonOf(reply));";
    kit.patches = [...kit.patches, { file: "server.js", find: health, replace: `${health}\n  if (health) delete health.suggestions;` }];
    const panel = await kit.readyPanel();
    assert.equal(await panel.isShown("suggest"), false, "there is no button for it");
    await panel.open({ ...simpleDocument(kit.photographs.girl), samplers: [{ x: 60, y: 80 }] });
    const before = await panel.report();
    await assertRefused(panel, before, (await suggested(panel)).status, /^The server's model \(.+\) suggests no colours/);
  },

  async "no colours without a place, or in greyscale"(kit) {
    const panel = await kit.readyPanel();
    await panel.open(simpleDocument(kit.photographs.girl));
    const before = await panel.report();
    await assertRefused(panel, before, (await suggested(panel)).status, /^No place is picked: select a small part/);
    await panel.open({
      width: 40,
      height: 40,
      mode: "grayscaleMode",
      profile: "Gray Gamma 2.2",
      layers: [layerOf("Photograph", plain(40, 40, [90, 90, 90, 255]), { isGrey: true })],
    });
    await assertRefused(panel, await panel.report(), (await suggested(panel)).status, /^A greyscale document has no colours/);
    assert.ok(!panel.requests.some(({ path }) => path === "/v1/suggest"));
  },
};

