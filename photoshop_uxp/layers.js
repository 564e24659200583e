// @ts-check
/**
 * Document edits and nothing else: temporary copies, modes, new layers in their right places.
 *
 * Every function that edits must be called from inside a modal scope.
 */

const { app, constants } = require("photoshop");
const { CommandError, play } = require("./commands.js");
const { PanelError } = require("./errors.js");

/**
 * @typedef {import("photoshop").Document} Document
 * @typedef {import("photoshop").Layer} Layer
 * @typedef {import("photoshop").ExecutionContext} ExecutionContext
 */

/**
 * @param {number} id
 * @returns {Document}
 * @throws {PanelError} "changed.closed": the artist closed it meanwhile
 */
function documentById(id) {
  const document = Array.from(app.documents).find((open) => open.id === id);
  if (!document) throw new PanelError("changed.closed");
  return document;
}

/**
 * @param {Iterable<Layer>} layers
 * @returns {Generator<Layer>} every layer, groups and what they hold, from top to bottom
 */
function* everyLayer(layers) {
  for (const layer of layers) {
    yield layer;
    if (layer.layers) yield* everyLayer(layer.layers);
  }
}

/**
 * @param {Document} document
 * @param {number} id
 * @returns {Layer | null}
 */
function layerById(document, id) {
  for (const layer of everyLayer(document.layers)) if (layer.id === id) return layer;
  return null;
}

/**
 * Where a layer is, found from the top: what `parent` is for a layer outside of groups differs between versions.
 * @param {Document} document
 * @param {Layer} layer
 * @returns {{siblings: Layer[], path: number[]}} the layers beside it, itself among them, from top to bottom; and indices
 *   from the document's top level down, because ids differ in a copy and places do not
 */
function placeOf(document, layer) {
  /** @type {(level: Iterable<Layer>, parents: number[]) => {siblings: Layer[], path: number[]} | null} */
  const search = (level, parents) => {
    const siblings = Array.from(level);
    for (let index = 0; index < siblings.length; index++) {
      const path = [...parents, index];
      if (siblings[index].id === layer.id) return { siblings, path };
      const inside = siblings[index].layers && search(siblings[index].layers || [], path);
      if (inside) return inside;
    }
    return null;
  };
  const place = search(document.layers, []);
  if (!place) throw new PanelError("changed.layer");
  return place;
}

/**
 * @param {Layer[]} layers
 * @param {Layer} layer
 * @returns {number}
 */
function indexIn(layers, layer) {
  return layers.findIndex((each) => each.id === layer.id);
}

/**
 * @param {Document} document
 * @param {Layer} layer
 * @returns {Layer[]} the groups that it is in, the outermost first
 */
function groupsOf(document, layer) {
  const groups = [];
  /** @type {Iterable<Layer>} */
  let level = document.layers;
  for (const index of placeOf(document, layer).path.slice(0, -1)) {
    const group = Array.from(level)[index];
    groups.push(group);
    level = group.layers || [];
  }
  return groups;
}

/**
 * @param {Document} document
 * @param {number | null} id of a layer; null for the ground of the document
 * @returns {Layer[]} what lies above it in its group, from it upwards
 */
function above(document, id) {
  if (id === null) return Array.from(document.layers).reverse();
  const layer = layerById(document, id);
  if (!layer) throw new PanelError("changed.layer");
  const { siblings } = placeOf(document, layer);
  return siblings.slice(0, indexIn(siblings, layer)).reverse();
}

/**
 * Bring a document to the front, because Photoshop's layer commands act on the active one.
 * @param {Document} document
 */
function activate(document) {
  if (app.activeDocument.id !== document.id) app.activeDocument = document;
  if (app.activeDocument.id !== document.id) throw new PanelError("activate");
}

/**
 * Work on a temporary copy of a document, which is closed unsaved whatever happens.
 * @template T
 * @param {ExecutionContext} context
 * @param {Document} document
 * @param {(copy: Document) => Promise<T>} work
 * @returns {Promise<T>}
 */
async function withCopy(context, document, work) {
  const inFront = app.activeDocument;
  activate(document);
  const copy = await document.duplicate();
  // Escape forbids every further call; the host then closes the copy itself.
  await context.hostControl.registerAutoCloseDocument(copy.id);
  try {
    return await work(copy);
  } finally {
    if (!context.isCancelled) {
      await context.hostControl.unregisterAutoCloseDocument(copy.id);
      copy.closeWithoutSaving();
      activate(inFront);
    }
  }
}

/**
 * Hide everything but one layer of a copy, so that the visible picture is that layer: what Photoshop renders of a
 * group, a smart object or a text is read in this way.
 * @param {Document} copy
 * @param {number[]} path
 */
function showOnly(copy, path) {
  /** @type {Iterable<Layer>} */
  let level = copy.layers;
  path.forEach((index, depth) => {
    const layers = Array.from(level);
    const kept = layers[index];
    if (!kept) throw new PanelError("copy");
    for (const layer of layers) if (layer.visible !== (layer.id === kept.id)) layer.visible = layer.id === kept.id;
    // Without its hidden base a clipped layer would vanish.
    if (depth === path.length - 1 && kept.isClippingMask) kept.isClippingMask = false;
    level = kept.layers || [];
  });
}

/**
 * @param {Document} copy
 * @param {number[]} path
 * @param {Layer} original the layer that must be there
 * @returns {Layer}
 */
function layerAt(copy, path, original) {
  /** @type {Iterable<Layer>} */
  let level = copy.layers;
  /** @type {Layer | undefined} */
  let layer;
  for (const index of path) {
    layer = Array.from(level)[index];
    if (!layer) throw new PanelError("copy");
    level = layer.layers || [];
  }
  if (!layer || layer.name !== original.name || layer.kind !== original.kind) throw new PanelError("copy");
  return layer;
}

/**
 * Convert with every layer as it is: Photoshop's dialog, which is not shown, would offer to merge or to rasterize them.
 * @param {Document} document a greyscale document, the active one
 */
async function convertToRgb(document) {
  const before = treeOf(document);
  await play([
    {
      _obj: "convertMode",
      to: { _class: "RGBColorMode" },
      merge: false,
      flatten: false,
      rasterize: false,
      _options: { dialogOptions: "silent" },
    },
  ]);
  if (document.mode !== constants.DocumentMode.RGB || treeOf(document) !== before) throw new PanelError("convert");
}

/**
 * @param {Document} document
 * @returns {string} ids and kinds of all layers, in their order
 */
function treeOf(document) {
  return Array.from(everyLayer(document.layers), (layer) => `${layer.id} ${layer.kind}`).join();
}

/**
 * The highest layer of the clipping stack that a layer belongs to.  A layer put into the middle of a stack would take
 * over what is clipped above it, so an unclipped layer goes above the whole stack.
 * @param {Layer[]} siblings from top to bottom
 * @param {number} index of the layer
 * @returns {number} index of the highest one
 */
function topOfStack(siblings, index) {
  while (index > 0 && siblings[index - 1].isClippingMask) index--;
  return index;
}

/**
 * The layer directly above which a new one must go to be seen over what was made before: `layer`, or the highest of our
 * own that lie directly above it, one on the other.  A clipped one must stay in the clipping stack of `layer`.
 * @param {Document} document
 * @param {Layer} layer
 * @param {boolean} isClipped whether the new one will be
 * @param {(layer: Layer) => boolean} isOurs
 * @returns {Layer}
 */
function highestBelow(document, layer, isClipped, isOurs) {
  const { siblings } = placeOf(document, layer);
  let index = indexIn(siblings, layer);
  if (isClipped) {
    while (index > 0 && siblings[index - 1].isClippingMask && isOurs(siblings[index - 1])) index--;
    return siblings[index];
  }
  index = topOfStack(siblings, index);
  while (index > 0 && isOurs(siblings[index - 1])) index = topOfStack(siblings, index - 1);
  return siblings[index];
}

/**
 * Whether a layer or vector mask hides parts of a layer: its pixels are read without it.
 * @param {Document} document
 * @param {Layer} layer
 * @returns {Promise<boolean>} true also where Photoshop does not say: clipped colours are right either way
 */
async function hasMask(document, layer) {
  const properties = ["hasUserMask", "hasVectorMask"];
  const commands = properties.map((name) => ({
    _obj: "get",
    _target: [{ _property: name }, { _ref: "layer", _id: layer.id }, { _ref: "document", _id: document.id }],
  }));
  try {
    return (await play(commands)).some((answer, index) => answer[properties[index]] !== false);
  } catch (error) {
    if (error instanceof CommandError) return true;
    throw error;
  }
}

/**
 * How the layers of a document look, to be compared: asked in one command, because a getter for each property of hundreds of
 * layers takes long.
 * @param {Document} document
 * @returns {Promise<string>}
 */
async function appearanceOf(document) {
  const question = {
    _obj: "multiGet",
    _target: [{ _ref: "document", _id: document.id }],
    extendedReference: [["layerID", "visible", "opacity", "mode"], { _obj: "layer", index: 1, count: -1 }],
    options: { failOnMissingProperty: false, failOnMissingElement: false },
  };
  const look = (/** @type {Layer} */ layer) => [layer.id, layer.visible, layer.opacity, layer.blendMode];
  try {
    const [{ list }] = await play([question]);
    // A Background is not among those that are counted from 1.
    const ground = document.layers[document.layers.length - 1];
    if (Array.isArray(list)) return JSON.stringify([list, ground ? look(ground) : null]);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
  }
  return JSON.stringify(Array.from(everyLayer(document.layers), look));
}

/**
 * Make a pixel layer directly above another one, unclipped.
 * @param {Document} document the active document
 * @param {Layer} below
 * @param {string} name
 * @param {Layer["blendMode"]} blendMode
 * @returns {Promise<Layer>}
 */
async function insertAbove(document, below, name, blendMode) {
  const layer = await document.createPixelLayer({ name, blendMode, opacity: 100 });
  if (!layer) throw new PanelError("insert");
  putAbove(document, layer, below);
  if (layer.blendMode !== blendMode) layer.blendMode = blendMode;
  return layer;
}

/**
 * Put a layer directly above another one, unclipped.
 * @param {Document} document the active document
 * @param {Layer} layer
 * @param {Layer} below
 */
function putAbove(document, layer, below) {
  const isPlaced = () => {
    const { siblings } = placeOf(document, below);
    return indexIn(siblings, layer) === indexIn(siblings, below) - 1 && indexIn(siblings, layer) >= 0;
  };
  // Moves between groups are reported to go wrong at times: look, try once more from the top, else give up.
  if (!isPlaced()) layer.move(below, constants.ElementPlacement.PLACEBEFORE);
  if (!isPlaced()) {
    const top = Array.from(document.layers).find(({ id }) => id !== layer.id);
    if (top) layer.move(top, constants.ElementPlacement.PLACEBEFORE);
    layer.move(below, constants.ElementPlacement.PLACEBEFORE);
  }
  if (!isPlaced()) throw new PanelError("insert");
  // Made inside a clipping stack it may have joined it, and have kept that when it was moved.
  if (layer.isClippingMask) layer.isClippingMask = false;
  if (layer.isClippingMask) throw new PanelError("insert");
}

/**
 * Clip a layer to the one below.  Only after it has been moved: a move releases it.
 * @param {Layer} layer
 */
function clip(layer) {
  layer.isClippingMask = true;
  if (!layer.isClippingMask) throw new PanelError("clip");
}

/**
 * Select a layer of the active document, and no other.
 * @param {number} id
 */
async function selectLayer(id) {
  await play([{ _obj: "select", _target: [{ _ref: "layer", _id: id }], makeVisible: false }]);
}

module.exports = {
  above,
  activate,
  appearanceOf,
  clip,
  convertToRgb,
  documentById,
  everyLayer,
  groupsOf,
  hasMask,
  highestBelow,
  insertAbove,
  layerAt,
  layerById,
  placeOf,
  putAbove,
  selectLayer,
  showOnly,
  withCopy,
};
