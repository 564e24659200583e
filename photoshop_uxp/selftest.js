// @ts-check
/**
 * The self-test button: reach the server, read 16 x 16 pixels, write them into a new layer, read them back, undo.
 * It tells an artist, and us, which of the host's promises this Photoshop keeps; the document stays as it was.
 */

const { constants } = require("photoshop");
const { PanelError } = require("./errors.js");
const { label } = require("./labels.js");
const layers = require("./layers.js");
const { inModal, rolledBack } = require("./modal.js");
const { readPixels, writePixels } = require("./pixels.js");
const plans = require("./plan.js");
const source = require("./source.js");
const { connect } = require("./colorize.js");

/**
 * @typedef {import("photoshop").ExecutionContext} ExecutionContext
 * @typedef {import("./errors.js").Cancellation} Cancellation
 * @typedef {import("./colorize.js").Settings} Settings
 * @typedef {import("./colorize.js").Panel} Panel
 * @typedef {import("./pixels.js").Pixels} Pixels
 */

const SIDE = 16;

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
  if (!document) throw new PanelError("changed.closed");
  layers.activate(document);
  const idsBefore = layerIds(document);
  const historyBefore = document.activeHistoryState.id;
  const bounds = { left: 0, top: 0, right: Math.min(SIDE, document.width), bottom: Math.min(SIDE, document.height) };
  const read = await readPixels({ documentID, layerID: null, bounds, profile: profileOf(document) });
  const written = pattern(bounds, read);
  const again = await rolledBack(context, documentID, name, async () => {
    const layer = await layers.insertAbove(document, document.layers[0], name, constants.BlendMode.NORMAL);
    await writePixels(documentID, layer.id, written);
    return readPixels({ documentID, layerID: layer.id, bounds, profile: read.profile });
  });
  if (!isWritten(written, again)) throw new PanelError("selftest.pixels");
  if (layerIds(document) !== idsBefore || document.activeHistoryState.id !== historyBefore)
    throw new PanelError("selftest.undo");
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
 * Whether the colours came back as they were written.
 * @param {Pixels} written
 * @param {Pixels} again
 * @returns {boolean}
 */
function isWritten(written, again) {
  if (again.width !== written.width || again.height !== written.height) return false;
  for (let pixel = 0; pixel < written.width * written.height; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      const was = written.samples[pixel * 3 + channel];
      if (was !== again.samples[pixel * again.components + channel]) return false;
    }
  }
  return true;
}

module.exports = { selfTest };
