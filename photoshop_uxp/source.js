// @ts-check
/**
 * The source's pixels, hints and selection, and whether the document is still the same when the answer comes.
 */

const { constants } = require("photoshop");
const { PanelError } = require("./errors.js");
const layers = require("./layers.js");
const { readPixels, readSelection } = require("./pixels.js");
const { isNoPhotograph, kindOf } = require("./plan.js");
const { bytesFromHost, fingerprint, hasPaint, intersection, isSamePicture, paste, sidesOf } = require("./samples.js");
const { digest, faded } = require("./strokes.js");

/**
 * @typedef {import("photoshop").Document} Document
 * @typedef {import("photoshop").Layer} Layer
 * @typedef {import("photoshop").ExecutionContext} ExecutionContext
 * @typedef {import("./pixels.js").Pixels} Pixels
 * @typedef {import("./pixels.js").Mask} Mask
 * @typedef {import("./samples.js").Bounds} Bounds
 *
 * @typedef {import("./plan.js").Plan} Plan
 *
 * @typedef {object} Snapshot what must not change while the server works
 * @property {number} width
 * @property {number} height
 * @property {string} kind mode, depth and profile
 * @property {string | null} layerBounds
 * @property {string} appearance history step and the layers' visibility
 *
 * @typedef {object} Taken
 * @property {Pixels} pixels
 * @property {string} profile name of PROTOCOL.md
 * @property {boolean} isForeign the document's profile is none that the server knows: it was read as sRGB
 * @property {Uint8Array | null} hints RGBA, as large as the pixels
 * @property {Mask | null} mask
 * @property {Uint8Array} print by which the picture is known again after a retouch
 * @property {string} digest of the picture's samples
 * @property {Snapshot} snapshot
 */

const SRGB = "sRGB IEC61966-2.1";
/** @type {Record<string, string>} Photoshop's names of profiles, and PROTOCOL.md's */
const PROFILES = { [SRGB]: "srgb", "Adobe RGB (1998)": "adobe-rgb", "ProPhoto RGB": "prophoto" };

/**
 * Read picture, hints and selection.  Must be called from inside a modal scope.
 * @param {ExecutionContext} context
 * @param {Plan} plan
 * @returns {Promise<Taken>}
 */
async function take(context, plan) {
  const document = layers.documentById(plan.documentID);
  const snapshot = await snapshotOf(document, plan);
  // Reading a document of another mode than was refused or asked about may end Photoshop.
  if (snapshot.kind !== plan.kind) throw new PanelError("changed.mode");
  const { pixels, profile, isForeign } = await readSource(context, document, plan);
  const hints = plan.hintsID === null ? null : await readHints(document, plan.hintsID, pixels.bounds);
  const selected = plan.wantsMask ? document.selection.bounds : null;
  const mask = selected ? await readSelection(document.id, canvasOf(document), selected) : null;
  return { pixels, profile, isForeign, hints, mask, print: printOf(pixels), digest: digest(pixels.samples), snapshot };
}

/**
 * @param {ExecutionContext} context
 * @param {Document} document
 * @param {Plan} plan
 * @returns {Promise<{pixels: Pixels, profile: string, isForeign: boolean}>}
 */
async function readSource(context, document, plan) {
  const layer = plan.layerID === null ? null : layers.layerById(document, plan.layerID);
  if (plan.layerID !== null && !layer) throw new PanelError("changed.layer");
  const hidesOthers = layer === null && shownOthers(document.layers).length > 0;
  const bounds = layer ? await regionOf(document, layer) : canvasOf(document);
  if (!bounds) throw new PanelError("layer.empty");
  // Greyscale pixels come without their alpha, and in no profile that holds colour: a copy is converted and read.
  if (!plan.isGrey && !plan.isRendered && !hidesOthers) return readIn(document, layer && layer.id, bounds);
  const path = layer ? layers.placeOf(document, layer).path : null;
  return layers.withCopy(context, document, async (copy) => {
    if (plan.isGrey) await layers.convertToRgb(copy);
    if (path && layer && !plan.isRendered) return readIn(copy, layers.layerAt(copy, path, layer).id, bounds);
    if (path) layers.showOnly(copy, path);
    hideOthers(path && layer ? layers.layerAt(copy, path, layer).layers || [] : copy.layers);
    return readIn(copy, null, canvasOf(copy));
  });
}

/**
 * Where a layer's pixels are to be looked for.  Its bounds may be those of what its mask shows, but its pixels are read
 * without the mask: then they are looked for on the whole canvas, and the host says where they are.
 * @param {Document} document
 * @param {Layer} layer
 * @returns {Promise<Bounds | null>} null: it lies outside the canvas
 */
async function regionOf(document, layer) {
  const canvas = canvasOf(document);
  if (layer.kind === constants.LayerKind.NORMAL && (await layers.hasMask(document, layer))) return canvas;
  return intersection(layer.boundsNoEffects, canvas);
}

/**
 * @param {Iterable<Layer>} level
 * @returns {Layer[]} what is shown there, or deeper, and is no photograph
 */
function shownOthers(level) {
  return Array.from(layers.everyLayer(level)).filter((layer) => isNoPhotograph(layer) && layer.visible);
}

/**
 * Hide strokes and earlier results in a copy: what is visible would bring them into the photograph.
 * @param {Iterable<Layer>} level
 */
function hideOthers(level) {
  const others = shownOthers(level);
  for (const layer of others) layer.visible = false;
  const isLeft = Array.from(layers.everyLayer(level)).some((layer) => layer.visible && !layer.layers);
  if (others.length > 0 && !isLeft) throw new PanelError("layer.empty");
}

/**
 * Read in the document's own profile where the server knows it, so that the luma that Color mode keeps is exact.
 * @param {Document} document
 * @param {number | null} layerID
 * @param {Bounds} bounds
 * @returns {Promise<{pixels: Pixels, profile: string, isForeign: boolean}>}
 */
async function readIn(document, layerID, bounds) {
  const isForeign = PROFILES[document.colorProfileName] === undefined;
  const name = isForeign ? SRGB : document.colorProfileName;
  const pixels = await readPixels({ documentID: document.id, layerID, bounds, profile: name });
  return { pixels, profile: PROFILES[name], isForeign };
}

/**
 * @param {Document} document
 * @param {number} hintsID
 * @param {Bounds} bounds of the picture
 * @returns {Promise<Uint8Array>} RGBA in sRGB, as large as the picture
 */
async function readHints(document, hintsID, bounds) {
  const layer = layers.layerById(document, hintsID);
  const region = layer ? await regionOf(document, layer) : null;
  const both = region && intersection(region, bounds);
  if (!both) throw new PanelError("hints.empty");
  const strokes = await readPixels({ documentID: document.id, layerID: hintsID, bounds: both, profile: SRGB });
  if (strokes.components !== 4) throw new PanelError("hints.kind");
  const rgba = faded(paste(bytesFromHost(strokes.samples), strokes.bounds, bounds, 4), layer ? layer.opacity : 100);
  if (!hasPaint(rgba)) throw new PanelError("hints.empty");
  return rgba;
}

/**
 * @param {Document} document
 * @returns {Bounds}
 */
function canvasOf(document) {
  return { left: 0, top: 0, right: document.width, bottom: document.height };
}

/**
 * @param {Document} document
 * @param {Plan} plan
 * @returns {Promise<Snapshot>}
 */
async function snapshotOf(document, plan) {
  const layer = plan.layerID === null ? null : layers.layerById(document, plan.layerID);
  const bounds = layer && layer.boundsNoEffects;
  const look = plan.layerID === null || (layer && layer.layers) ? await layers.appearanceOf(document) : "";
  return {
    width: document.width,
    height: document.height,
    kind: kindOf(document),
    layerBounds: bounds && sidesOf(bounds).join(),
    appearance: JSON.stringify([document.activeHistoryState.id, look]),
  };
}

/**
 * Make sure that the colours still belong where they are to be put: the artist may have worked on meanwhile.
 * Must be called from inside a modal scope.
 * @param {ExecutionContext} context
 * @param {Plan} plan
 * @param {Taken} taken
 * @returns {Promise<Document>} the document
 */
async function stillFitting(context, plan, taken) {
  const document = layers.documentById(plan.documentID);
  const before = taken.snapshot;
  const now = await snapshotOf(document, plan);
  if (now.width !== before.width || now.height !== before.height) throw new PanelError("changed.canvas");
  if (now.kind !== before.kind) throw new PanelError("changed.mode");
  if (plan.layerID !== null && !layers.layerById(document, plan.layerID)) throw new PanelError("changed.layer");
  if (now.layerBounds !== before.layerBounds) throw new PanelError("changed.moved");
  if (now.appearance !== before.appearance) {
    const { pixels } = await readSource(context, document, plan);
    const isInPlace = JSON.stringify(pixels.bounds) === JSON.stringify(taken.pixels.bounds);
    if (!isInPlace || !isSamePicture(taken.print, printOf(pixels))) throw new PanelError("changed.picture");
  }
  return document;
}

/**
 * @param {Pixels} pixels
 * @returns {Uint8Array}
 */
function printOf(pixels) {
  return fingerprint(pixels.samples, pixels.width, pixels.height, pixels.components);
}

module.exports = { SRGB, canvasOf, regionOf, stillFitting, take };
