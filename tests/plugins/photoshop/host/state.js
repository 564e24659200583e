/**
 * What the fake host holds: documents, layers, history, the modal scope.  Plain data; the rules are in its neighbours.
 *
 * A layer's pixels are RGBA, or grey and alpha in a greyscale document, in the document's native depth (16 bits run
 * from 0 to 32768), inside `bounds`, which are tight around what is not transparent, as Photoshop's are.
 */

const DEPTH_NAMES = { 1: "bitDepth1", 8: "bitDepth8", 16: "bitDepth16", 32: "bitDepth32" };

const state = {
  documents: [],
  activeID: null,
  /** the modal scope: null, or {context, isCancelled, owner} */
  modal: null,
  nextID: 1000,
  /** image data that were created and not disposed of */
  undisposed: 0,
  /** every call of the host's API, in order */
  calls: [],
  /** rules broken that the panel could not notice itself */
  violations: [],
  /** name of an API call during which the artist presses Escape */
  escapeAt: null,
  /** name of the API call during which the artist presses a button of the panel, and the button's id */
  pressAt: null,
  /** name of an API call that is refused, and with what */
  refuse: {},
  /** whether a move lands one place too low, as is reported of moves between groups */
  movesWrongly: 0,
  isCrashed: false,
  /** how often a property of a layer was asked for, each of which costs a call of the real host */
  getters: 0,
  /** the foreground colour, once the panel has set one */
  foreground: null,
  /**
   * Rules in which sources disagree or versions differ, by name; a scenario lifts or tightens one.  On here is what
   * documents and reports say.
   */
  rules: {
    /** secureStorage.removeItem of what is not there is rejected: Photoshop 25.2 to 26.9 */
    removalNeedsItem: true,
    /** boundsNoEffects is what a layer mask shows */
    boundsFollowMasks: true,
    /** a new layer inside a clipping stack is clipped, and a move does not release it */
    joinsStack: true,
    /** putLayerMask overwrites a mask and makes none */
    maskMustExist: true,
    /** putLayerMask turns blocks of zeros white: one report */
    zerosBecomeWhite: false,
    /** every get answers with an error descriptor */
    getFails: false,
    /** a mask is there and hides nothing: it is not enabled, or linked to nothing */
    masksHideNothing: false,
    /** layers hold no metadata */
    metadataFails: false,
    /** multiGet answers with an error descriptor */
    multiGetFails: false,
    /** a change of mode loses what is no pixel layer, whatever was asked */
    convertLoses: false,
  },
};

const maximumOf = (bits) => (bits === 16 ? 32768 : 255);
const componentsOf = (document) => (document.mode === "grayscaleMode" ? 2 : 4);
const arrayFor = (bits, length) => (bits === 16 ? new Uint16Array(length) : new Uint8Array(length));

const widthOf = (bounds) => bounds.right - bounds.left;
const heightOf = (bounds) => bounds.bottom - bounds.top;

/** @returns {object} the part of both, which may be empty */
function intersect(a, b) {
  const bounds = {
    left: Math.max(a.left, b.left),
    top: Math.max(a.top, b.top),
    right: Math.min(a.right, b.right),
    bottom: Math.min(a.bottom, b.bottom),
  };
  return bounds.right > bounds.left && bounds.bottom > bounds.top ? bounds : null;
}

/** Copy interleaved samples from one rectangle into another; what is not covered is 0. */
function transfer(data, from, to, components) {
  const result = new data.constructor(widthOf(to) * heightOf(to) * components);
  const both = intersect(from, to);
  if (!both) return result;
  for (let y = both.top; y < both.bottom; y++) {
    const start = ((y - from.top) * widthOf(from) + both.left - from.left) * components;
    const row = data.subarray(start, start + widthOf(both) * components);
    result.set(row, ((y - to.top) * widthOf(to) + both.left - to.left) * components);
  }
  return result;
}

/** Bounds of the pixels with an alpha above 0 (the last component), or null. */
function tightBounds(data, bounds, components) {
  const width = widthOf(bounds);
  const height = heightOf(bounds);
  let left = width;
  let right = 0;
  let top = height;
  let bottom = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[(y * width + x) * components + components - 1] === 0) continue;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y + 1);
    }
  }
  if (right <= left) return null;
  return { left: bounds.left + left, top: bounds.top + top, right: bounds.left + right, bottom: bounds.top + bottom };
}

/** @returns {{list, index, layer, parent} | null} where a layer is */
function find(list, id, parent = null) {
  for (let index = 0; index < list.length; index++) {
    const layer = list[index];
    if (layer.id === id) return { list, index, layer, parent };
    const inside = layer.children && find(layer.children, id, layer);
    if (inside) return inside;
  }
  return null;
}

const documentOf = (id) => state.documents.find((document) => document.id === id) || null;
const activeDocument = () => documentOf(state.activeID);

function copyOfLayer(layer, newIDs) {
  return {
    ...layer,
    id: newIDs ? state.nextID++ : layer.id,
    pixels: layer.pixels && { bounds: { ...layer.pixels.bounds }, data: layer.pixels.data.slice() },
    mask: layer.mask && { bounds: { ...layer.mask.bounds }, data: layer.mask.data.slice() },
    children: layer.children && layer.children.map((child) => copyOfLayer(child, newIDs)),
  };
}

/** Everything of a document that undo brings back. */
function contentOf(document) {
  const { width, height, mode, bits, profile, selectedIDs, selection } = document;
  const layers = document.layers.map((layer) => copyOfLayer(layer, false));
  return { width, height, mode, bits, profile, selectedIDs: [...selectedIDs], selection, layers };
}

/** Note an edit: one history step each, unless history is suspended. */
function noteEdit(document, name) {
  document.lastEdit = state.tick;
  if (document.suspension) document.suspension.isDirty = true;
  else addHistory(document, name);
}

function addHistory(document, name, before = null) {
  document.history.push({ id: state.nextID++, name, before });
}

/** The tick of the event loop, by which an edit is known to be of this very tick. */
state.tick = 0;
function countTicks() {
  state.tick++;
  setTimeout(countTicks, 0);
}
countTicks();

module.exports = {
  DEPTH_NAMES,
  activeDocument,
  addHistory,
  arrayFor,
  componentsOf,
  contentOf,
  copyOfLayer,
  documentOf,
  find,
  heightOf,
  intersect,
  maximumOf,
  noteEdit,
  state,
  tightBounds,
  transfer,
  widthOf,
};
