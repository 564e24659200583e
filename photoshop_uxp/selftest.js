// @ts-check
/**
 * The self-test button: reach the server, write 16 x 16 pixels into a new layer, keep a recipe with it, mask it from a
 * selection, read everything back, look at the visible picture, undo.  It tells an artist, and us, which of the host's promises this Photoshop keeps; the document stays as it was.
 */

const { constants } = require("photoshop");
const { PanelError } = require("./errors.js");
const { label } = require("./labels.js");
const layers = require("./layers.js");
const { maskLayer, selectRectangle } = require("./masks.js");
const { inModal, rolledBack } = require("./modal.js");
const { readPixels, readSelection, writePixels } = require("./pixels.js");
const plans = require("./plan.js");
const { keepRecord } = require("./records.js");
const { paste } = require("./samples.js");
const source = require("./source.js");
const { connect } = require("./colorize.js");

/**
 * @typedef {import("photoshop").ExecutionContext} ExecutionContext
 * @typedef {import("./errors.js").Cancellation} Cancellation
 * @typedef {import("./colorize.js").Settings} Settings
 * @typedef {import("./colorize.js").Panel} Panel
 * @typedef {import("./pixels.js").Pixels} Pixels
 * @typedef {import("./samples.js").Bounds} Bounds
 * @typedef {import("photoshop").Document} Document
 */

const SIDE = 16;
/** About as long as recipes are. */
const RECIPE_BYTES = 250000;

/**
 * @param {Settings} settings
 * @param {Panel} panel
 * @param {Cancellation} cancellation
 * @returns {Promise<string>} a sentence: everything works
 */
async function selfTest(settings, panel, cancellation) {
  panel.progress(label("step.connect"), 0.1);
  const { address } = await connect(settings, panel, cancellation);
  const document = plans.currentDocument();
  if (document.mode !== constants.DocumentMode.RGB) throw new PanelError("selftest.rgb");
  panel.progress(label("step.selftest"), 0.5);
  const command = label("command.selftest");
  await inModal(command, cancellation, (context) => readWriteUndo(context, document.id, command));
  return label("selftest.passed", { address: address.replace("http://", "") });
}

/**
 * @param {ExecutionContext} context
 * @param {number} documentID
 * @param {string} name
 */
async function readWriteUndo(context, documentID, name) {
  const document = layers.documentById(documentID);
  layers.activate(document);
  const idsBefore = layerIds(document);
  const historyBefore = document.activeHistoryState.id;
  const bounds = { left: 0, top: 0, right: Math.min(SIDE, document.width), bottom: Math.min(SIDE, document.height) };
  const read = await readPixels({ documentID, layerID: null, bounds, profile: profileOf(document) });
  const written = pattern(bounds, read);
  await rolledBack(context, documentID, name, async () => {
    const layer = await layers.insertAbove(document, document.layers[0], name, constants.BlendMode.NORMAL);
    await writePixels(documentID, layer.id, written);
    const again = await readPixels({ documentID, layerID: layer.id, bounds, profile: read.profile });
    if (!isWritten(written, again, bounds, bounds)) throw new PanelError("selftest.pixels");
    const recipe = Uint8Array.from({ length: RECIPE_BYTES }, (_, i) => (i * 151) % 256);
    if (!(await keepRecord(document, layer, { kind: "colours", of: 0, recipe }))) throw new PanelError("selftest.recipe");
    await seeMasked(context, document, layer, read, written);
  });
  if (layerIds(document) !== idsBefore || document.activeHistoryState.id !== historyBefore)
    throw new PanelError("selftest.undo");
}

/**
 * Mask the layer from a selection of its left half, and look: the left half of the visible picture is the layer, the right
 * half is what it was.
 * @param {ExecutionContext} context
 * @param {Document} document
 * @param {import("photoshop").Layer} layer
 * @param {Pixels} before the visible picture without the layer
 * @param {Pixels} written
 */
async function seeMasked(context, document, layer, before, written) {
  const { bounds, profile } = written;
  const half = { ...bounds, right: Math.ceil(written.width / 2) };
  await selectRectangle(half);
  const canvas = source.canvasOf(document);
  const mask = await readSelection(document.id, canvas, half);
  await maskLayer(context, document, layer, mask, written);
  const seen = await readPixels({ documentID: document.id, layerID: null, bounds, profile });
  const rest = { ...bounds, left: half.right };
  const isSeen = isWritten(written, seen, bounds, half) && (rest.left >= rest.right || isWritten(before, seen, bounds, rest));
  if (!isSeen) throw new PanelError("selftest.mask");
}

/**
 * The profile that needs no conversion: the self-test is about bytes, not about colours.
 * @param {import("photoshop").Document} document
 * @returns {string}
 */
function profileOf(document) {
  return document.colorProfileName === "None" ? source.SRGB : document.colorProfileName;
}

/**
 * @param {import("photoshop").Document} document
 * @returns {string}
 */
function layerIds(document) {
  return Array.from(layers.everyLayer(document.layers), (layer) => layer.id).join();
}

/**
 * Opaque pixels of many values, of the document's depth and profile.
 * @param {import("./samples.js").Bounds} bounds
 * @param {Pixels} read
 * @returns {Pixels}
 */
function pattern(bounds, { depth, profile }) {
  const width = bounds.right - bounds.left;
  const height = bounds.bottom - bounds.top;
  const samples = new (depth === 16 ? Uint16Array : Uint8Array)(width * height * 3);
  for (let i = 0; i < samples.length; i++) samples[i] = ((i * 37) % 256) << (depth === 16 ? 7 : 0);
  return { bounds, width, height, components: 3, depth, profile, samples };
}

/**
 * Whether a part of the colours came back as they were written.  What is not covered by one of them is none.
 * @param {Pixels} written
 * @param {Pixels} again
 * @param {Bounds} whole
 * @param {Bounds} part
 * @returns {boolean}
 */
function isWritten(written, again, whole, part) {
  const [one, other] = [written, again].map(({ samples, bounds, components }) => ({
    samples: paste(samples, bounds, whole, components),
    components,
  }));
  const width = whole.right - whole.left;
  for (let y = part.top - whole.top; y < part.bottom - whole.top; y++) {
    for (let x = part.left - whole.left; x < part.right - whole.left; x++) {
      for (let channel = 0; channel < 3; channel++) {
        const was = one.samples[(y * width + x) * one.components + channel];
        if (was !== other.samples[(y * width + x) * other.components + channel]) return false;
      }
    }
  }
  return true;
}

module.exports = { selfTest };
