// @ts-check
/**
 * One run from the button to the new layer: modal read, network outside any modal, modal write.
 */

const { app, constants } = require("photoshop");
const client = require("./client.js");
const { PanelError, CancelledError } = require("./errors.js");
const { label } = require("./labels.js");
const layers = require("./layers.js");
const { asOneStep, inModal } = require("./modal.js");
const { maskLayer } = require("./masks.js");
const { writePixels } = require("./pixels.js");
const { fullRangeFromHost, hostFromFullRange, rgbFromGrey } = require("./samples.js");
const { addressesFor, findServer, nameOf } = require("./server.js");
const source = require("./source.js");

/**
 * @typedef {import("photoshop").ExecutionContext} ExecutionContext
 * @typedef {import("./errors.js").Cancellation} Cancellation
 * @typedef {import("./source.js").Plan} Plan
 * @typedef {import("./source.js").Taken} Taken
 * @typedef {import("./server.js").Server} Server
 * @typedef {import("./server.js").Health} Health
 * @typedef {import("./client.js").Answer} Answer
 * @typedef {import("./client.js").Picture} Picture
 * @typedef {import("./client.js").JobOptions} JobOptions
 * @typedef {import("./pixels.js").Pixels} Pixels
 *
 * @typedef {object} Settings
 * @property {string} address "" looks at every port
 * @property {string} token
 * @property {"layer" | "visible"} source
 * @property {number} size 0 takes the model's default
 * @property {number} saturation 0..2
 * @property {boolean} useHints
 * @property {boolean} addDoubt
 * @property {"color" | "multiply"} blend
 * @property {boolean} clip
 * @property {boolean} maskFromSelection
 *
 * @typedef {object} Panel what a run asks of the panel
 * @property {() => Promise<boolean>} askGrey whether a greyscale document may become RGB
 * @property {(text: string, fraction: number) => void} progress
 * @property {(server: Server) => void} found
 *
 * @typedef {object} Outcome
 * @property {Answer} answer
 * @property {boolean} isForeign see `Taken`
 * @property {number} seconds
 */

const STARTING_ATTEMPTS = 90;

/**
 * Colour the active document.
 * @param {Settings} settings
 * @param {Panel} panel
 * @param {Cancellation} cancellation
 * @returns {Promise<Outcome>}
 */
async function colorize(settings, panel, cancellation) {
  const began = Date.now();
  const document = source.currentDocument();
  const plan = source.makePlan(document, settings);
  if (plan.isGrey && !(await panel.askGrey())) throw new CancelledError();
  panel.progress(label("step.connect"), 0);
  const found = await connect(settings, panel, cancellation);
  panel.progress(label("step.read"), 0.03);
  const onBusy = (/** @type {boolean} */ isArtist) =>
    panel.progress(label(isArtist ? "step.modal.artist" : "step.modal"), 0.03);
  const taken = await inModal(label("command.read"), cancellation, (context) => source.take(context, plan), onBusy);
  // Again: it may have been started anew while Photoshop was busy, with other limits and sizes.
  const { address, health } = await connect({ ...settings, address: found.address }, panel, cancellation);
  const picture = pictureOf(taken);
  checkLimits(picture, health);
  const options = optionsOf(settings, health);
  const answer = await client.colorize(address, settings.token, picture, options, cancellation, (step) => {
    panel.progress(label(`step.${step.key}`, { ahead: step.ahead }), 0.1 + 0.8 * step.fraction);
  });
  panel.progress(label("step.write"), 0.92);
  await inModal(
    label("command.write"),
    cancellation,
    (context) => write(context, plan, taken, answer, settings, cancellation),
    (isArtist) => panel.progress(label(isArtist ? "step.modal.artist" : "step.modal"), 0.92),
  );
  return { answer, isForeign: taken.isForeign, seconds: (Date.now() - began) / 1000 };
}

/**
 * Find the server, wait while it loads its model, and make sure that it knows our token.
 * @param {Settings} settings
 * @param {Panel} panel
 * @param {Cancellation} cancellation
 * @returns {Promise<{address: string, health: Health}>}
 */
async function connect(settings, panel, cancellation) {
  for (let attempt = 1; ; attempt++) {
    const server = await findServer(addressesFor(settings.address), settings.token);
    cancellation.check();
    panel.found(server);
    if (server.state === "ready" && server.health) return { address: server.address, health: server.health };
    if (server.state !== "starting" || attempt === STARTING_ATTEMPTS) throw serverTrouble(server);
    panel.progress(label("step.starting"), 0);
    await cancellation.pause(1000);
  }
}

/**
 * The sentence for a server that cannot be used.
 * @param {Server} server
 * @returns {PanelError}
 */
function serverTrouble(server) {
  const text =
    server.health && server.health.error ? `${server.health.error.message} ${server.health.error.hint || ""}` : "";
  return new PanelError(`server.${server.state}`, {
    address: nameOf(server.address),
    text: text.trim(),
  });
}

/**
 * @param {Taken} taken
 * @returns {Picture}
 */
function pictureOf({ pixels, profile, hints }) {
  const { samples } = pixels;
  const full = samples instanceof Uint16Array ? fullRangeFromHost(samples) : samples;
  const { width, height, components, depth } = pixels;
  return {
    width,
    height,
    channels: components,
    depth,
    profile,
    hints,
    bytes: new Uint8Array(full.buffer, full.byteOffset, full.byteLength),
  };
}

/**
 * @param {Picture} picture
 * @param {Health} health
 */
function checkLimits(picture, health) {
  if (!health.limits) return;
  const { max_pixels, max_side, max_body_bytes } = health.limits;
  const isTooLarge =
    picture.width * picture.height > max_pixels ||
    Math.max(picture.width, picture.height) > max_side ||
    picture.bytes.length + (picture.hints ? picture.hints.length : 0) > max_body_bytes;
  if (isTooLarge) throw new PanelError("large", { width: picture.width, height: picture.height });
}

/**
 * @param {Settings} settings
 * @param {Health} health
 * @returns {JobOptions}
 */
function optionsOf(settings, health) {
  const sizes = health.model ? health.model.sizes : [];
  const size = sizes.includes(settings.size) ? settings.size : health.model ? health.model.default_size : settings.size;
  return { blend: settings.blend, size, saturation: settings.saturation, doubt: settings.addDoubt };
}

/**
 * Put the answer into the document, as one history step.
 * @param {ExecutionContext} context
 * @param {Plan} plan
 * @param {Taken} taken
 * @param {Answer} answer
 * @param {Settings} settings
 * @param {Cancellation} cancellation
 */
async function write(context, plan, taken, answer, settings, cancellation) {
  const document = await source.stillFitting(context, plan, taken);
  const inFront = app.activeDocument;
  layers.activate(document);
  try {
    await asOneStep(context, document.id, label("history"), () =>
      insert(context, document, plan, taken, answer, settings, cancellation),
    );
  } finally {
    // After Escape the host refuses every call.
    if (!context.isCancelled) layers.activate(inFront);
  }
}

/**
 * The edits themselves.
 * @param {ExecutionContext} context
 * @param {import("photoshop").Document} document the active one
 * @param {Plan} plan
 * @param {Taken} taken
 * @param {Answer} answer
 * @param {Settings} settings
 * @param {Cancellation} cancellation
 */
async function insert(context, document, plan, taken, answer, settings, cancellation) {
  const progress = (/** @type {number} */ value) => {
    cancellation.check();
    context.reportProgress({ value, commandName: label("command.write") });
  };
  const { bounds, width, height, depth, profile } = taken.pixels;
  const selected = Array.from(document.activeLayers, (layer) => layer.id);
  if (plan.isGrey) await layers.convertToRgb(document);
  progress(0.2);
  const base = plan.layerID === null ? document.layers[0] : layers.layerById(document, plan.layerID);
  if (!base) throw new PanelError("convert");
  const isClipped = plan.layerID !== null && (settings.clip || (await isCutOut(document, plan, base)));
  const blendMode = settings.blend === "multiply" ? constants.BlendMode.MULTIPLY : constants.BlendMode.COLOR;
  const below = plan.layerID === null ? base : layers.highestBelow(document, base, isClipped, source.isOurs);
  const name = `${source.COLOURS_PREFIX}${answer.model}, ${answer.size} px, ${Math.round(settings.saturation * 100)} %)`;
  const colour = await layers.insertAbove(document, below, name, blendMode);
  progress(0.4);
  await writePixels(document.id, colour.id, { ...taken.pixels, samples: samplesOf(answer.picture, taken.pixels) });
  progress(0.7);
  if (taken.mask) await maskLayer(document, colour, taken.mask);
  if (isClipped) layers.clip(colour);
  if (answer.doubt) {
    const doubt = await layers.insertAbove(
      document,
      layers.highestBelow(document, colour, false, source.isOurs),
      `${source.GUESSES_PREFIX}${label("doubt.layer")}`,
      constants.BlendMode.NORMAL,
    );
    await writePixels(document.id, doubt.id, {
      bounds,
      width,
      height,
      components: 3,
      depth,
      profile,
      samples: rgbFromGrey(answer.doubt, depth),
    });
    doubt.visible = false;
  }
  progress(0.9);
  await layers.selectLayers(selected);
  cancellation.check();
}

/**
 * Whether colours that are not clipped would tint what lies beneath the photograph.  One that Photoshop renders has its
 * masks in its transparency, and the colours take that over.
 * @param {import("photoshop").Document} document
 * @param {Plan} plan
 * @param {import("photoshop").Layer} base
 * @returns {Promise<boolean>}
 */
async function isCutOut(document, plan, base) {
  return base.isClippingMask || (!plan.isRendered && (await layers.hasMask(document, base)));
}

/**
 * @param {Uint8Array} bytes the answer's picture
 * @param {Pixels} pixels what was sent
 * @returns {import("./samples.js").Samples} in the host's range
 */
function samplesOf(bytes, pixels) {
  if (pixels.depth === 8) return bytes;
  return hostFromFullRange(new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2));
}

module.exports = { colorize, connect, serverTrouble };
