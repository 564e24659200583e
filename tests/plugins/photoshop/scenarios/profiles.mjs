/**
 * Documents in profiles and depths of every kind, under colours strong enough to show a difference.
 */

import assert from "node:assert/strict";
import { layerOf, pictureOf, plain, simpleDocument, strokes } from "../documents.mjs";
import { saveReference, saveWrong } from "./kit.mjs";
import { colorized } from "./pictures.mjs";

export const profiles = {
  async "sixteen bits"(kit) {
    const photograph = kit.photographs.girl;
    const spec = { ...simpleDocument(photograph), bits: 16 };
    spec.layers = [
      layerOf("Photograph", photograph, { left: 13, top: 9, bits: 16 }),
      layerOf("Background", plain(spec.width, spec.height, [255, 255, 255, 255]), { bits: 16, isBackground: true }),
    ];
    const { document, colour } = await colorized(kit, spec, { addDoubt: true });
    const samples = new Uint16Array(new Uint8Array(Buffer.from(colour.pixels.data, "base64")).buffer);
    assert.ok(
      samples.every((value) => value <= 32768),
      "in Photoshop's range",
    );
    assert.ok(
      samples.some((value) => Math.round((Math.round((value * 255) / 32768) * 32768) / 255) !== value),
      "more than 8 bits came back",
    );
    const answer = await kit.server.ask(
      { width: photograph.width, height: photograph.height, channels: 4, depth: 16, host: "photoshop" },
      pictureOf(photograph, { depth: 16 }).bytes,
    );
    const expected = new Uint16Array(new Uint8Array(answer).buffer);
    assert.ok(
      samples.every((value, i) => value === Math.round((expected[i] * 32768) / 65535)),
      "every sample is the server's",
    );
    kit.saveRaw("result.json", JSON.stringify({ blend: "color", document }));
    await saveReference(kit, pictureOf(photograph, { depth: 16 }));
  },
};

/** The whole photograph under hints of strong colours, where a layer for another Color mode would be far off. */
async function strongColours(kit, profile, name, colours) {
  const photograph = kit.photographs.loggers;
  const { width, height } = photograph;
  const side = Math.ceil(width / colours.length);
  const hints = strokes(
    width,
    height,
    colours.map((rgb, index) => [index * side, 0, Math.min(side, width - index * side), height, rgb]),
  );
  const layers = [layerOf("Colour hints", hints), layerOf("Photograph", photograph)];
  const { panel, document } = await colorized(kit, { width, height, profile, layers, active: [1] }, { useHints: true });
  const posted = panel.requests.find((request) => request.method === "POST");
  assert.equal(posted.query.profile, name);
  assert.equal(document.profile, profile, "the document keeps its profile");
  kit.savePsd("result", document, { blend: "color", profile: name, hidden: ["Colour hints"] });
  // What the panel sends: strokes in sRGB, whatever the document's profile.
  const sent = Buffer.from(await panel.page.evaluate(() => window.__lastBody), "base64").subarray(width * height * 4);
  await saveReference(kit, pictureOf(photograph, { profile: name }), sent);
  await saveWrong(kit, document, pictureOf(photograph, { profile: name }), sent);
}

profiles["strong colours, sRGB"] = (kit) => {
  const colours = [
    [200, 40, 160],
    [30, 140, 60],
    [40, 70, 210],
    [200, 90, 20],
  ];
  return strongColours(kit, "sRGB IEC61966-2.1", "srgb", colours);
};
// The same numbers are stronger colours in this space; Color mode itself clips what leaves the cube.
profiles["strong colours, Adobe RGB (1998)"] = (kit) => {
  const colours = [
    [160, 85, 135],
    [90, 135, 95],
    [90, 105, 170],
    [165, 110, 80],
  ];
  return strongColours(kit, "Adobe RGB (1998)", "adobe-rgb", colours);
};

// ProPhoto RGB is for 16 bits: at 8 its levels are so coarse that rounding alone costs more than the bar.
profiles["sixteen bits, ProPhoto RGB"] = async (kit) => {
  const photograph = kit.photographs.girl;
  const layers = [layerOf("Photograph", photograph, { bits: 16 })];
  const spec = { width: photograph.width, height: photograph.height, bits: 16, profile: "ProPhoto RGB", layers };
  const { panel, document } = await colorized(kit, spec);
  assert.equal(panel.requests.find((request) => request.method === "POST").query.profile, "prophoto");
  kit.saveRaw("result.json", JSON.stringify({ blend: "color", profile: "prophoto", document }));
  await saveReference(kit, pictureOf(photograph, { depth: 16, profile: "prophoto" }));
};

profiles["a profile that the server does not know"] = async (kit) => {
  const { panel, document } = await colorized(kit, { ...simpleDocument(kit.photographs.girl), profile: "Display P3" });
  assert.match(await panel.text("status"), /converted by way of sRGB\.$/);
  assert.equal(panel.requests.find((request) => request.method === "POST").query.profile, "srgb");
  assert.equal(document.profile, "Display P3", "the document keeps its profile");
  const [, colour, photograph] = document.layers;
  const grey = Buffer.from(photograph.pixels.data, "base64");
  const coloured = Buffer.from(colour.pixels.data, "base64");
  assert.ok(
    grey.some((value, index) => index % 4 !== 3 && value !== coloured[index]),
    "there is colour",
  );
};
