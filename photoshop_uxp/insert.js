// @ts-check
/**
 * An answer's way into the document, as one history step: colours, guesses, touch-ups, and layers that are laid again.
 */

const { app, constants } = require("photoshop");
const { PanelError } = require("./errors.js");
const { label } = require("./labels.js");
const layers = require("./layers.js");
const { maskLayer } = require("./masks.js");
const { asOneStep } = require("./modal.js");
const { writePixels } = require("./pixels.js");
const plans = require("./plan.js");
const { keepRecord } = require("./records.js");
const { rgbFromGrey, sidesOf } = require("./samples.js");
const source = require("./source.js");
const { digest } = require("./strokes.js");
const touchups = require("./touchups.js");

/**
 * @typedef {import("photoshop").Document} Document
 * @typedef {import("photoshop").Layer} Layer
 * @typedef {import("photoshop").ExecutionContext} ExecutionContext
 * @typedef {import("./client.js").Answer} Answer
 * @typedef {import("./colorize.js").Settings} Settings
 * @typedef {import("./errors.js").Cancellation} Cancellation
 * @typedef {import("./packets.js").LayerRecord} LayerRecord
 * @typedef {import("./pixels.js").Pixels} Pixels
 * @typedef {import("./plan.js").Plan} Plan
 * @typedef {import("./source.js").Taken} Taken
 * @typedef {import("./touchups.js").Colours} Colours
 * @typedef {import("./touchups.js").Lifted} Lifted
 * @typedef {import("./touchups.js").Loop} Loop
 *
 * @typedef {object} Insertion
 * @property {ExecutionContext} context
 * @property {Plan} plan
 * @property {Taken} taken
 * @property {Loop} loop
 * @property {Lifted} lifted
 * @property {Answer} answer
 * @property {Settings} settings
 * @property {string} hints digest of the strokes that were sent, "" for none
 * @property {Colours | null} again the layer that only gets another saturation
 * @property {Cancellation} cancellation
 */

/**
 * Put the answer into the document.  Must be called from inside a modal scope.
 * @param {Insertion} insertion
 * @returns {Promise<boolean>} whether the recipe could be kept with the layer
 */
async function insert(insertion) {
  const { context, plan, taken } = insertion;
  const document = await source.stillFitting(context, plan, taken);
  const inFront = app.activeDocument;
  layers.activate(document);
  try {
    return await asOneStep(context, document.id, label("history"), () =>
      insertion.again ? resaturate(insertion, document, insertion.again) : edit(insertion, document),
    );
  } finally {
    // After Escape the host refuses every call.
    if (!context.isCancelled) layers.activate(inFront);
  }
}

/**
 * @param {Insertion} insertion
 * @returns {(value: number) => void} shows how far the edits are; throws if the run was cancelled
 */
function progressOf({ context, cancellation }) {
  return (value) => {
    cancellation.check();
    context.reportProgress({ value, commandName: label("command.write") });
  };
}

/**
 * The edits themselves.
 * @param {Insertion} insertion
 * @param {Document} document the active one
 * @returns {Promise<boolean>}
 */
async function edit(insertion, document) {
  const { plan, taken, loop, lifted, answer, settings, cancellation } = insertion;
  const progress = progressOf(insertion);
  if (plan.isGrey) await layers.convertToRgb(document);
  progress(0.2);
  const base = plan.layerID === null ? document.layers[0] : layers.layerById(document, plan.layerID);
  if (!base) throw new PanelError("convert");
  const isClipped = plan.layerID !== null && (settings.clip || (await isCutOut(document, plan, base)));
  const colours = await insertColours(insertion, document, base, isClipped);
  progress(0.5);
  if (taken.mask) await maskLayer(insertion.context, document, colours, taken.mask, taken.pixels);
  if (isClipped) layers.clip(colours);
  const isKept = await keepColours(insertion, document, colours);
  progress(0.7);
  const top = answer.doubt ? await insertGuesses(insertion, document, colours, answer.doubt) : colours;
  const below = isClipped ? colours : top;
  const known = loop.touchUpsID === null ? null : layers.layerById(document, loop.touchUpsID);
  const touchUps = known || (await insertTouchUps(insertion, document, below));
  const isCovered = layers.above(document, touchUps.id).some(({ id }) => id === below.id);
  if (isCovered || touchUps.isClippingMask !== isClipped) {
    layers.putAbove(document, touchUps, below);
    if (isClipped) layers.clip(touchUps);
  }
  await renew(insertion, document);
  await touchups.takeIn(document, touchUps, lifted, taken.pixels);
  progress(0.9);
  await layers.selectLayer(touchUps.id);
  cancellation.check();
  return isKept;
}

/**
 * @param {Insertion} insertion
 * @param {Document} document
 * @param {Layer} base the photograph, or the topmost layer
 * @param {boolean} isClipped
 * @returns {Promise<Layer>}
 */
async function insertColours({ plan, loop, lifted, answer, settings, taken }, document, base, isClipped) {
  const isKept = (/** @type {Layer} */ layer) => lifted.kept.some(({ id }) => id === layer.id);
  const isEarlier = (/** @type {Layer} */ layer) => plans.isOurs(layer) && !isKept(layer);
  let below = plan.layerID === null ? base : layers.highestBelow(document, base, isClipped, isEarlier);
  // Of everything visible the colours go on top of all but the touch-ups of their own.
  if (plan.layerID === null && base.id === loop.touchUpsID && document.layers[1]) below = document.layers[1];
  const name = nameOf(answer, settings);
  const colours = await layers.insertAbove(document, below, name, blendModeOf(settings));
  const samples = touchups.samplesOf(answer.picture, taken.pixels.depth);
  await writePixels(document.id, colours.id, { ...taken.pixels, samples });
  if (isClipped) hideCovering(document, colours, isEarlier);
  return colours;
}

/**
 * Hide earlier unclipped results: clipped colours lie below them, and would not be seen.
 * @param {Document} document
 * @param {Layer} colours
 * @param {(layer: Layer) => boolean} isEarlier
 */
function hideCovering(document, colours, isEarlier) {
  for (const layer of layers.above(document, colours.id)) {
    if (layer.isClippingMask) continue;
    if (!isEarlier(layer) && !plans.isTouchUps(layer)) return;
    if (isEarlier(layer) && layer.visible) layer.visible = false;
  }
}

/**
 * @param {Settings} settings
 * @returns {Layer["blendMode"]} of the colours, and of what is painted over them
 */
function blendModeOf({ blend }) {
  return blend === "multiply" ? constants.BlendMode.MULTIPLY : constants.BlendMode.COLOR;
}

/**
 * @param {Pick<Answer, "model" | "size">} answer
 * @param {Settings} settings
 * @returns {string}
 */
function nameOf(answer, settings) {
  return `${plans.COLOURS_PREFIX}${answer.model}, ${answer.size} px, ${Math.round(settings.saturation * 100)} %)`;
}

/**
 * Let the new layer say how it was made, and how it is now.
 * @param {Insertion} insertion
 * @param {Document} document
 * @param {Layer} colours
 * @returns {Promise<boolean>} whether its recipe could be kept, if there is one
 */
async function keepColours({ plan, taken, answer, settings, hints }, document, colours) {
  /** @type {LayerRecord} */
  const record = {
    kind: "colours",
    of: plan.layerID || 0,
    note: "inferred colour",
    date: new Date().toISOString(),
    model: answer.model,
    sha256: answer.sha256,
    size: answer.size,
    saturation: settings.saturation,
    blend: settings.blend,
    hasDoubt: answer.doubt !== null,
    photograph: taken.digest,
    hints,
    bounds: sidesOf(taken.pixels.bounds),
    ...(await stateOf(document, colours, taken.pixels)),
    recipe: answer.recipe,
  };
  return (await keepRecord(document, colours, record)) || answer.recipe === null;
}

/**
 * @param {Document} document
 * @param {Layer} colours as they were just laid
 * @param {Pixels} pixels where the picture was read
 * @returns {Promise<{laid: string, place: number[]}>}
 */
async function stateOf(document, colours, { bounds }) {
  return { laid: digest(await touchups.readOver(document, colours, bounds)), place: sidesOf(colours.boundsNoEffects) };
}

/**
 * @param {Insertion} insertion
 * @param {Document} document
 * @param {Layer} colours
 * @param {Uint8Array} doubt
 * @returns {Promise<Layer>} a hidden layer that shows where the model guesses
 */
async function insertGuesses({ plan, taken }, document, colours, doubt) {
  const { bounds, width, height, depth, profile } = taken.pixels;
  const below = layers.highestBelow(document, colours, false, plans.isOurs);
  const name = `${plans.GUESSES_PREFIX}${label("doubt.layer")}`;
  const guesses = await layers.insertAbove(document, below, name, constants.BlendMode.NORMAL);
  const samples = rgbFromGrey(doubt, depth);
  await writePixels(document.id, guesses.id, { bounds, width, height, components: 3, depth, profile, samples });
  guesses.visible = false;
  await keepRecord(document, guesses, { kind: "guesses", of: plan.layerID || 0 });
  return guesses;
}

/**
 * @param {Insertion} insertion
 * @param {Document} document
 * @param {Layer} below
 * @returns {Promise<Layer>} an empty layer to go on painting on, in the mode of the colours
 */
async function insertTouchUps({ plan, settings }, document, below) {
  const touchUps = await layers.insertAbove(document, below, label("touchups.layer"), blendModeOf(settings));
  await keepRecord(document, touchUps, { kind: "touch-ups", of: plan.layerID || 0 });
  return touchUps;
}

/**
 * Lay again what the artist painted on.
 * @param {Insertion} insertion
 * @param {Document} document
 */
async function renew({ lifted }, document) {
  for (const colours of lifted.renewed) await layAgain(document, colours, colours.laid, colours.record);
}

/**
 * Write a layer of colour anew, and let it say how it is now.
 * @param {Document} document
 * @param {{id: number, digest: string}} colours with the digest of its pixels when they were read
 * @param {Pixels} pixels
 * @param {LayerRecord} record
 * @returns {Promise<{layer: Layer, isKept: boolean}>} whether the record could be kept
 * @throws {PanelError} "changed.strokes": what was painted since then is not among the strokes that were lifted
 */
async function layAgain(document, { id, digest: before }, pixels, record) {
  const layer = layers.layerById(document, id);
  if (!layer || digest(await touchups.readOver(document, layer, pixels.bounds)) !== before)
    throw new PanelError("changed.strokes");
  await writePixels(document.id, id, pixels);
  const isKept = await keepRecord(document, layer, { ...record, ...(await stateOf(document, layer, pixels)) });
  return { layer, isKept };
}

/**
 * Give the present layer of colour another saturation.
 * @param {Insertion} insertion
 * @param {Document} document
 * @param {Colours} again
 * @returns {Promise<boolean>}
 */
async function resaturate(insertion, document, again) {
  const { answer, settings, taken, loop, cancellation } = insertion;
  const { record } = again;
  const laid = { ...taken.pixels, samples: touchups.samplesOf(answer.picture, taken.pixels.depth) };
  const { layer, isKept } = await layAgain(document, again, laid, { ...record, saturation: settings.saturation });
  layer.name = nameOf({ model: record.model || answer.model, size: record.size || answer.size }, settings);
  if (loop.touchUpsID !== null) await layers.selectLayer(loop.touchUpsID);
  cancellation.check();
  return isKept;
}

/**
 * Whether colours that are not clipped would tint what lies beneath the photograph.  One that Photoshop renders has its
 * masks in its transparency, and the colours take that over.
 * @param {Document} document
 * @param {Plan} plan
 * @param {Layer} base
 * @returns {Promise<boolean>}
 */
async function isCutOut(document, plan, base) {
  return base.isClippingMask || (!plan.isRendered && (await layers.hasMask(document, base)));
}

module.exports = { insert };
