// @ts-check
/**
 * A layer's mask from the selection, and the proof that it is there.
 */

const { CommandError, play } = require("./commands.js");
const { PanelError } = require("./errors.js");
const layers = require("./layers.js");
const { readMask, readSelection, writeMask } = require("./pixels.js");
const { bytesFromHost } = require("./samples.js");

/**
 * @typedef {import("photoshop").Document} Document
 * @typedef {import("photoshop").Layer} Layer
 * @typedef {import("./pixels.js").Mask} Mask
 */

/**
 * Give a layer the mask of a selection.  Photoshop's own command makes it; only if the selection is another one by now
 * are samples written, because reports say that this goes wrong at times.  Either way the mask is read back.
 * @param {Document} document the active one
 * @param {Layer} layer without a mask
 * @param {Mask} mask the selection as it was when the run began, over the whole canvas
 * @throws {PanelError} "mask": Photoshop made another mask than was asked for
 */
async function maskLayer(document, layer, mask) {
  const isStillSelected = await isSelection(document, mask);
  await layers.selectLayers([layer.id]);
  const target = { _ref: "channel", _enum: "channel", _value: "mask" };
  const shows = isStillSelected ? "revealSelection" : "revealAll";
  const make = { _obj: "make", new: { _class: "channel" }, at: target, using: { _enum: "userMaskEnabled", _value: shows } };
  await play([make]);
  if (!isStillSelected) await writeMask(document.id, layer.id, mask);
  if (!isSameMask(mask, await readMask(document.id, layer.id, mask.bounds))) throw new PanelError("mask");
  if (isStillSelected) await selectMask(target);
}

/**
 * The command takes the selection away: give it back.
 * @param {Record<string, string>} target the mask
 */
async function selectMask(target) {
  try {
    await play([{ _obj: "set", _target: [{ _ref: "channel", _property: "selection" }], to: target }]);
  } catch (error) {
    // The colours are right without it, and the artist can load a selection from the mask.
    if (!(error instanceof CommandError)) throw error;
  }
}

/**
 * @param {Document} document
 * @param {Mask} mask
 * @returns {Promise<boolean>} whether the mask is what is selected now
 */
async function isSelection(document, mask) {
  const selected = document.selection.bounds;
  return selected !== null && isSameMask(mask, await readSelection(document.id, mask.bounds, selected));
}

/**
 * @param {Mask} one
 * @param {Mask} other over the same bounds
 * @returns {boolean} whether they are the same, a level of 255 apart
 */
function isSameMask(one, other) {
  const a = bytesFromHost(one.samples);
  const b = bytesFromHost(other.samples);
  for (let i = 0; i < a.length; i++) if (Math.abs(a[i] - b[i]) > 1) return false;
  return a.length === b.length;
}

module.exports = { maskLayer };
