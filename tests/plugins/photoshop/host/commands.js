/**
 * photoshop.action.batchPlay, the commands that the panel needs.  A command that fails does not reject: its answer is an
 * error descriptor, and the rest is not run.
 */

const { WORKING_RGB, rgbaFromGrey } = require("./colour.js");
const { DocumentMode } = require("./constants.js");
const { enter, turn } = require("./modal.js");
const { activeDocument, documentOf, find, maximumOf, noteEdit, state, tightBounds, transfer } = require("./state.js");

const canvasOf = ({ width, height }) => ({ left: 0, top: 0, right: width, bottom: height });
const refused = (name) => new Error(`The command “${name}” is not currently available.`);

/** The layer that a reference means. */
function layerOf([{ _ref: kind, _id: id }, whole]) {
  const document = whole ? documentOf(whole._id) : activeDocument();
  const found = kind === "layer" && document && find(document.layers, id);
  return found ? { document, layer: found.layer } : null;
}

/** A packet as another program of Adobe's would write it again: wrapped, with prefixes and line breaks of its own. */
const rewritten = (packet) =>
  `<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>\n${packet.replace(/colorize:(\w+)/g, "ns1:$1").replace("xmlns:colorize", "xmlns:ns1").replace(/></g, ">\n <")}\n<?xpacket end="w"?>`;

/** What `get` answers about a layer: an object with that property alone. */
function get({ _target: [{ _property: name }, ...reference] }) {
  const found = layerOf(reference);
  if (!found || state.rules.getFails) throw refused("Get");
  const { mask, hasVectorMask, xmp } = found.layer;
  // A layer that has no metadata has no such property.
  const known = { hasUserMask: mask !== null, hasVectorMask: Boolean(hasVectorMask), XMPMetadataAsUTF8: xmp };
  if (known[name] === undefined) throw refused("Get");
  return { [name]: known[name] };
}

function select({ _target: [target] }, document) {
  if (target._ref !== "layer" || !find(document.layers, target._id)) throw refused("Select");
  document.selectedIDs = [target._id];
  noteEdit(document, "Select Layer");
}

/** Layer > Layer Mask, on the one layer that is selected; a selection that became a mask is gone. */
function make({ new: { _class: kind }, at, using }, document) {
  const [id, ...others] = document.selectedIDs;
  const { layer } = find(document.layers, id) || {};
  if (kind !== "channel" || at._value !== "mask" || !layer || others.length || layer.mask || layer.isBackground)
    throw refused("Make");
  const canvas = canvasOf(document);
  const { selection } = document;
  if (using._value === "revealAll") {
    layer.mask = { bounds: canvas, data: new Uint8Array(document.width * document.height).fill(255) };
  } else {
    if (using._value !== "revealSelection" || !selection) throw refused("Make");
    layer.mask = { bounds: canvas, data: transfer(selection.data, selection.bounds, canvas, 1) };
    document.selection = null;
  }
  noteEdit(document, "Add Layer Mask");
}

/** Keep metadata with a layer. */
function setMetadata({ _target: [, ...reference], to }) {
  const found = layerOf(reference);
  const { XMPMetadataAsUTF8: packet } = to;
  if (!found || found.layer.isBackground || state.rules.metadataFails || !/^<x:xmpmeta[^]*<\/x:xmpmeta>$/.test(packet))
    throw refused("Set");
  found.layer.xmp = rewritten(packet);
  noteEdit(found.document, "Set Metadata");
}

/** Select a rectangle. */
function selectRectangle(to, document) {
  const [left, top, right, bottom] = ["left", "top", "right", "bottom"].map((side) => to[side]._value);
  const whole = { left, top, right, bottom };
  document.selection = { bounds: whole, data: new Uint8Array((right - left) * (bottom - top)).fill(255) };
  noteEdit(document, "Rectangular Marquee");
}

/** Load a mask as selection, select a rectangle, or keep metadata. */
function set(command, document) {
  const { _target: [target], to } = command;
  if (target._property === "XMPMetadataAsUTF8") return setMetadata(command);
  if (target._property === "selection" && to._obj === "rectangle") return selectRectangle(to, document);
  const { layer } = find(document.layers, document.selectedIDs[0]) || {};
  if (target._property !== "selection" || to._value !== "mask" || !layer || !layer.mask) throw refused("Set");
  const bounds = tightBounds(layer.mask.data, layer.mask.bounds, 1);
  document.selection = bounds && { bounds, data: transfer(layer.mask.data, layer.mask.bounds, bounds, 1) };
  noteEdit(document, "Load Selection");
  return undefined;
}

/** Image > Mode > RGB Color.  What is not refused in the command is answered as the hidden dialog proposes: merge. */
function convertMode({ to, merge, flatten, rasterize }, document) {
  if (to._class !== "RGBColorMode" || document.mode !== DocumentMode.GRAYSCALE) throw refused("Convert Mode");
  const convert = (layer) => {
    if (layer.pixels) layer.pixels.data = rgbaFromGrey(layer.pixels.data, maximumOf(document.bits));
    (layer.children || []).forEach(convert);
  };
  document.layers.forEach(convert);
  if (merge !== false || flatten !== false || rasterize !== false || state.rules.convertLoses)
    document.layers = document.layers.filter((layer) => layer.kind === "pixel");
  document.mode = DocumentMode.RGB;
  document.profile = WORKING_RGB;
  noteEdit(document, "RGB Color");
}

/** Properties of all layers of a document, from the lowest, groups' ends and a Background left out. */
function multiGet({ _target: [target], extendedReference: [names, { _obj: kind, index, count }] }) {
  const document = documentOf(target._id);
  if (!document || kind !== "layer" || index !== 1 || count !== -1 || state.rules.multiGetFails) throw refused("Get");
  const everyLayer = (layers) => layers.flatMap((layer) => [layer, ...everyLayer(layer.children || [])]);
  const known = ({ id, isVisible, opacity, blendMode }) => ({
    layerID: id,
    visible: isVisible,
    opacity: Math.round(opacity * 2.55),
    mode: { _enum: "blendMode", _value: blendMode },
  });
  const list = everyLayer(document.layers)
    .filter((layer) => !layer.isBackground)
    .reverse()
    .map((layer) => Object.fromEntries(names.map((name) => [name, known(layer)[name]])));
  return { list };
}

const COMMANDS = { get, multiGet, select, make, set, convertMode };

const action = {
  async batchPlay(commands) {
    const isQuestion = commands.every((command) => ["get", "multiGet"].includes(command._obj));
    enter(isQuestion ? "batchPlay get" : "batchPlay");
    await turn();
    const answers = [];
    for (const command of commands) {
      if (!COMMANDS[command._obj]) throw new Error(`the fake host does not know ${command._obj}`);
      enter(command._obj);
      try {
        answers.push(COMMANDS[command._obj](command, activeDocument()) || {});
      } catch (error) {
        answers.push({ _obj: "error", message: error.message, result: -25920 });
        break;
      }
    }
    return answers;
  },
};

module.exports = { action };
