// @ts-check
/**
 * What is to be coloured, decided before any pixel is touched: the layer that is meant, and what is refused.
 */

const { app, constants } = require("photoshop");
const { PanelError } = require("./errors.js");
const { TABLE } = require("./labels.js");
const layers = require("./layers.js");
const { intersection } = require("./samples.js");

/**
 * @typedef {import("photoshop").Document} Document
 * @typedef {import("photoshop").Layer} Layer
 *
 * @typedef {object} Plan
 * @property {number} documentID
 * @property {string} kind mode, depth and profile
 * @property {boolean} isGrey the document must change to RGB to hold colour
 * @property {number | null} layerID null: everything that is visible
 * @property {boolean} isRendered the source is a group, smart object, text ...: Photoshop must render it alone
 * @property {number | null} hintsID
 * @property {boolean} wantsMask
 */

/** Names under which an artist may keep the strokes of colour. */
const HINTS_NAMES = ["colour hints", "color hints", "farbhinweise"];
/** How the names of our own layers begin, colours and guesses: they are never a source. */
const COLOURS_PREFIX = "Colorize (";
const GUESSES_PREFIX = "Colorize: ";
/** How the layer begins that the artist goes on painting on, in every language of the panel. */
const TOUCH_UPS_NAMES = Object.values(TABLE["touchups.layer"]).map((name) => name.toLowerCase());

const { DocumentMode, BitsPerChannelType, LayerKind } = constants;

/** Kinds of layer that change what lies below and show nothing themselves.  Photoshop can render every other one. */
const ADJUSTMENT_KINDS = [
  LayerKind.BLACKANDWHITE,
  LayerKind.BRIGHTNESSCONTRAST,
  LayerKind.CHANNELMIXER,
  LayerKind.CLARITY,
  LayerKind.COLORBALANCE,
  LayerKind.COLORLOOKUP,
  LayerKind.CURVES,
  LayerKind.EXPOSURE,
  LayerKind.GRADIENTMAP,
  LayerKind.GRAIN,
  LayerKind.HUESATURATION,
  LayerKind.INVERSION,
  LayerKind.LEVELS,
  LayerKind.PHOTOFILTER,
  LayerKind.POSTERIZE,
  LayerKind.SELECTIVECOLOR,
  LayerKind.THRESHOLD,
  LayerKind.VIBRANCE,
];

/**
 * The active document, if it can be coloured.
 * @returns {Document}
 */
function currentDocument() {
  if (app.documents.length === 0 || !app.activeDocument) throw new PanelError("document");
  const document = app.activeDocument;
  if (document.mode !== DocumentMode.RGB && document.mode !== DocumentMode.GRAYSCALE) {
    throw new PanelError("mode", { mode: `@mode.${document.mode}` });
  }
  const depth = document.bitsPerChannel;
  if (depth !== BitsPerChannelType.EIGHT && depth !== BitsPerChannelType.SIXTEEN) throw new PanelError("depth32");
  if (document.quickMaskMode) throw new PanelError("quickmask");
  return document;
}

/**
 * Decide what to read; refuses with a sentence and touches no pixel.
 * @param {Document} document
 * @param {{source: "layer" | "visible", useHints: boolean, maskFromSelection: boolean}} settings
 * @returns {Plan}
 */
function makePlan(document, settings) {
  const isGrey = document.mode === DocumentMode.GRAYSCALE;
  const hints = settings.useHints ? findHints(document) : null;
  if (hints && isGrey) throw new PanelError("hints.grey");
  const layer = settings.source === "layer" ? sourceLayer(document) : null;
  const isRendered = layer !== null && layer.kind !== LayerKind.NORMAL;
  if (layer && isAdjustment(layer)) throw new PanelError("layer.adjustment", { layer: layer.name });
  refuseArtboards(document, layer);
  const locked = layer && layers.groupsOf(document, layer).find((group) => group.allLocked);
  if (locked) throw new PanelError("locked", { layer: locked.name });
  return {
    documentID: document.id,
    kind: kindOf(document),
    isGrey,
    layerID: layer ? layer.id : null,
    isRendered,
    hintsID: hints ? hints.id : null,
    wantsMask: settings.maskFromSelection && Boolean(document.selection.bounds),
  };
}

/**
 * Colours belong into an artboard, where the photograph is, not above it; and those of all at once into none.
 * @param {Document} document
 * @param {Layer | null} layer the source, null for everything visible
 */
function refuseArtboards(document, layer) {
  const artboards = Array.from(document.artboards || []);
  if (!layer && artboards.length > 0) throw new PanelError("artboard.visible");
  if (layer && artboards.some(({ id }) => id === layer.id)) throw new PanelError("artboard", { layer: layer.name });
}

/**
 * @param {Layer} layer
 * @returns {boolean}
 */
function isAdjustment(layer) {
  return ADJUSTMENT_KINDS.includes(layer.kind);
}

/**
 * The name of a layer above the photograph that changes how it looks, and that the model is not shown.
 * @param {Document} document
 * @param {number | null} photographID
 * @returns {string | null}
 */
function unseenAbove(document, photographID) {
  const photograph = photographID === null ? null : layers.layerById(document, photographID);
  if (!photograph) return null;
  const mends = (/** @type {Layer} */ layer) =>
    isAdjustment(layer) ||
    (layer.kind === LayerKind.NORMAL && intersection(layer.boundsNoEffects, photograph.boundsNoEffects) !== null);
  const found = layers.above(document, photograph.id).find((layer) => layer.visible && !isNoPhotograph(layer) && mends(layer));
  return found ? found.name : null;
}

/**
 * The layer that the artist means: the active one, or what lies below it if that is the hints or an earlier result.
 * @param {Document} document
 * @returns {Layer}
 */
function sourceLayer(document) {
  const active = Array.from(document.activeLayers);
  if (active.length === 0) throw new PanelError("layer.none");
  if (active.length > 1) throw new PanelError("layer.many");
  const siblings = layers.placeOf(document, active[0]).siblings;
  // A clipped result lies directly above its photograph; another one above all that is clipped to it.
  let isAboveStack = false;
  for (const layer of siblings.slice(siblings.findIndex(({ id }) => id === active[0].id))) {
    if (isOurs(layer) || isTouchUps(layer)) isAboveStack = !layer.isClippingMask;
    else if (!isHints(layer) && !(isAboveStack && layer.isClippingMask)) return layer;
  }
  throw new PanelError("layer.photograph");
}

/**
 * @param {Layer} layer
 * @returns {boolean} whether it is strokes or one of our own layers
 */
function isNoPhotograph(layer) {
  return isHints(layer) || isTouchUps(layer) || isOurs(layer);
}

/**
 * @param {Layer} layer
 * @returns {boolean} whether it is a layer of touch-ups, or a copy of one
 */
function isTouchUps(layer) {
  const name = layer.name.trim().toLowerCase();
  return TOUCH_UPS_NAMES.some((own) => name.startsWith(own)) && layer.kind === LayerKind.NORMAL;
}

/**
 * @param {Layer} layer
 * @returns {boolean} whether an earlier run made it: colours or guesses
 */
function isOurs(layer) {
  return layer.name.startsWith(COLOURS_PREFIX) || layer.name.startsWith(GUESSES_PREFIX);
}

/**
 * @param {Layer} layer
 * @returns {boolean}
 */
function isHints(layer) {
  return HINTS_NAMES.includes(layer.name.trim().toLowerCase());
}

/**
 * @param {Document} document
 * @returns {Layer}
 */
function findHints(document) {
  for (const layer of layers.everyLayer(document.layers)) {
    if (!isHints(layer)) continue;
    if (layer.kind !== LayerKind.NORMAL || layer.isBackgroundLayer) throw new PanelError("hints.kind");
    return layer;
  }
  throw new PanelError("hints.none");
}

/**
 * @param {Document} document
 * @returns {string}
 */
function kindOf(document) {
  return [document.mode, document.bitsPerChannel, document.colorProfileName].join();
}

module.exports = {
  COLOURS_PREFIX,
  GUESSES_PREFIX,
  currentDocument,
  isHints,
  isNoPhotograph,
  isOurs,
  isTouchUps,
  kindOf,
  makePlan,
  unseenAbove,
};
