// @ts-check
/**
 * A layer's mask from the selection, and the proof that it is there and hides what it should.
 */

const { CommandError, play } = require("./commands.js");
const { PanelError } = require("./errors.js");
const layers = require("./layers.js");
const { readMask, readPixels, readSelection, writeMask } = require("./pixels.js");
const { bytesFromHost } = require("./samples.js");

/**
 * @typedef {import("photoshop").Document} Document
 * @typedef {import("photoshop").Layer} Layer
 * @typedef {import("./pixels.js").Mask} Mask
 * @typedef {import("./samples.js").Bounds} Bounds
 */

/** Side of the blocks that are looked at, in pixels, and how many of them. */
const BLOCK_SIDE = 16;
const BLOCKS = 3;

/**
 * Give a layer the mask of a selection.  Photoshop's own command makes it; only if the selection is another one by now
 * are samples written, because reports say that this goes wrong at times.  Either way the mask is read back, and the
 * visible picture is looked at where the mask hides the layer.
 * @param {import("photoshop").ExecutionContext} context
 * @param {Document} document the active one
 * @param {Layer} layer without a mask
 * @param {Mask} mask the selection as it was when the run began, over the whole canvas
 * @param {import("./pixels.js").Pixels} pixels where the layer has pixels, and their profile
 * @throws {PanelError} "mask": Photoshop made another mask than was asked for
 */
async function maskLayer(context, document, layer, mask, pixels) {
  const isStillSelected = await isSelection(document, mask);
  await layers.selectLayer(layer.id);
  const target = { _ref: "channel", _enum: "channel", _value: "mask" };
  const shows = isStillSelected ? "revealSelection" : "revealAll";
  const make = { _obj: "make", new: { _class: "channel" }, at: target, using: { _enum: "userMaskEnabled", _value: shows } };
  await play([make]);
  if (!isStillSelected) await writeMask(document.id, layer.id, mask);
  if (!isSameMask(mask, await readMask(document.id, layer.id, mask.bounds))) throw new PanelError("mask");
  const blocks = blocksOutside(mask, pixels.bounds);
  if (!(await isHidden(context, document, layer, blocks, pixels.profile))) throw new PanelError("mask");
  if (isStillSelected) await selectMask(target);
}

/**
 * @param {Mask} mask over the whole canvas
 * @param {Bounds} within
 * @returns {Bounds[]} a few blocks in which the mask shows nothing at all: the first, the last and one between
 */
function blocksOutside({ bounds, samples }, within) {
  const width = bounds.right - bounds.left;
  const found = [];
  for (let top = Math.max(within.top, bounds.top); top + BLOCK_SIDE <= Math.min(within.bottom, bounds.bottom); top += BLOCK_SIDE) {
    for (let left = Math.max(within.left, bounds.left); left + BLOCK_SIDE <= Math.min(within.right, bounds.right); left += BLOCK_SIDE) {
      let isClear = true;
      for (let y = top - bounds.top; y < top - bounds.top + BLOCK_SIDE && isClear; y++)
        for (let x = left - bounds.left; x < left - bounds.left + BLOCK_SIDE; x++) if (samples[y * width + x] > 0) isClear = false;
      if (isClear) found.push({ left, top, right: left + BLOCK_SIDE, bottom: top + BLOCK_SIDE });
    }
  }
  return found.filter((_, i) => i === 0 || i === found.length - 1 || i === found.length >> 1).slice(0, BLOCKS);
}

/**
 * @param {import("photoshop").ExecutionContext} context
 * @param {Document} document
 * @param {Layer} layer
 * @param {Bounds[]} blocks
 * @param {string} profile
 * @returns {Promise<boolean>} whether the visible picture is there the same with the layer and without it
 */
async function isHidden(context, document, layer, blocks, profile) {
  if (blocks.length === 0) return true;
  const lookAt = async (/** @type {Bounds} */ bounds) => {
    try {
      return (await readPixels({ documentID: document.id, layerID: null, bounds, profile })).samples.join();
    } catch (error) {
      if (context.isCancelled) throw error;
      // Where nothing is visible Photoshop has no pixels to give.
      return "";
    }
  };
  const look = async () => {
    const seen = [];
    for (const block of blocks) seen.push(await lookAt(block));
    return seen.join("\n");
  };
  const shown = await look();
  // Hidden once for all blocks, not for each: the whole picture may have to be drawn anew.
  layer.visible = false;
  const hidden = await look();
  layer.visible = true;
  return shown === hidden;
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

/**
 * Select a rectangle of the active document.
 * @param {Bounds} bounds
 */
async function selectRectangle(bounds) {
  const pixels = (/** @type {number} */ value) => ({ _unit: "pixelsUnit", _value: value });
  const { left, top, right, bottom } = bounds;
  const to = { _obj: "rectangle", left: pixels(left), top: pixels(top), right: pixels(right), bottom: pixels(bottom) };
  await play([{ _obj: "set", _target: [{ _ref: "channel", _property: "selection" }], to }]);
}

module.exports = { maskLayer, selectRectangle };
