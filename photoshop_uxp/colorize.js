// @ts-check
/**
 * One run from the button to the new layer: modal read, network outside any modal, modal write.
 */

const client = require("./client.js");
const { PanelError, CancelledError } = require("./errors.js");
const { insert } = require("./insert.js");
const { label } = require("./labels.js");
const layers = require("./layers.js");
const { inModal } = require("./modal.js");
const plans = require("./plan.js");
const { fullRangeFromHost } = require("./samples.js");
const { addressesFor, findServer, nameOf } = require("./server.js");
const source = require("./source.js");
const { digest } = require("./strokes.js");
const touchups = require("./touchups.js");

/**
 * @typedef {import("photoshop").ExecutionContext} ExecutionContext
 * @typedef {import("./errors.js").Cancellation} Cancellation
 * @typedef {import("./plan.js").Plan} Plan
 * @typedef {import("./source.js").Taken} Taken
 * @typedef {import("./server.js").Server} Server
 * @typedef {import("./server.js").Health} Health
 * @typedef {import("./client.js").Answer} Answer
 * @typedef {import("./client.js").Picture} Picture
 * @typedef {import("./client.js").JobOptions} JobOptions
 * @typedef {import("./touchups.js").Colours} Colours
 * @typedef {import("./touchups.js").Lifted} Lifted
 * @typedef {import("./touchups.js").Loop} Loop
 *
 * @typedef {object} Settings
 * @property {string} address "" looks at every port
 * @property {string} token
 * @property {"layer" | "visible"} source
 * @property {number} size 0 takes the model's default
 * @property {number} saturation 0..2
 * @property {boolean} useHints
 * @property {boolean} useTouchUps
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
 * @property {string[]} notes what the artist should know besides, in whole sentences
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
  const document = plans.currentDocument();
  const plan = plans.makePlan(document, settings);
  if (plan.isGrey && !(await panel.askGrey())) throw new CancelledError();
  panel.progress(label("step.connect"), 0);
  const found = await connect(settings, panel, cancellation);
  panel.progress(label("step.read"), 0.03);
  const waiting = (/** @type {number} */ fraction) => (/** @type {boolean} */ isArtist) =>
    panel.progress(label(isArtist ? "step.modal.artist" : "step.modal"), fraction);
  const { taken, loop, unseen } = await inModal(label("command.read"), cancellation, (context) => take(context, plan), waiting(0.03));
  // Again: it may have been started anew while Photoshop was busy, with other limits and sizes.
  const { address, health } = await connect({ ...settings, address: found.address }, panel, cancellation);
  const picture = pictureOf(taken);
  const features = health.features || [];
  const work = {
    address,
    token: settings.token,
    picture,
    pixels: taken.pixels,
    knowsHow: features.includes("recipe") && features.includes("touchups"),
    cancellation,
  };
  checkLimits(picture, health);
  if (loop.colours.some(({ painted }) => painted)) panel.progress(label("step.strokes"), 0.06);
  const lifted = await touchups.lift(document, loop, work);
  const hints = touchups.hintsOf(taken.hints, settings.useTouchUps ? [loop.strokes, ...lifted.strokes] : []);
  const sent = { ...picture, hints };
  checkLimits(sent, health);
  const options = optionsOf(settings, health);
  const sum = hints ? digest(hints) : "";
  const again = onlySaturationChanged(loop, taken, sum, options, health);
  const asked = again ? { ...options, doubt: false, wantsRecipe: false, recipe: again.record.recipe || null } : options;
  const answer = await client.colorize(address, settings.token, sent, asked, cancellation, (step) => {
    panel.progress(label(`step.${step.key}`, { ahead: step.ahead }), 0.1 + 0.8 * step.fraction);
  });
  panel.progress(label("step.write"), 0.92);
  const isKept = await inModal(
    label("command.write"),
    cancellation,
    (context) => insert({ context, plan, taken, loop, lifted, answer, settings, hints: sum, again, cancellation }),
    waiting(0.92),
  );
  const seconds = (Date.now() - began) / 1000;
  return { answer, notes: notesOf(taken, lifted, isKept, again !== null, unseen), seconds };
}

/**
 * Read the photograph, and what earlier runs left above it.
 * @param {ExecutionContext} context
 * @param {Plan} plan
 */
async function take(context, plan) {
  const taken = await source.take(context, plan);
  const document = layers.documentById(plan.documentID);
  const unseen = plans.unseenAbove(document, plan.layerID);
  return { taken, loop: await touchups.take(document, plan, taken.pixels.bounds), unseen };
}

/**
 * The present layer of colour, if nothing but the saturation is another than when it was made: then its recipe is all
 * that is needed, and it is laid again where it is.
 * @param {Loop} loop
 * @param {Taken} taken
 * @param {string} hints digest of the strokes, "" for none
 * @param {JobOptions} options
 * @param {Health} health
 * @returns {Colours | null}
 */
function onlySaturationChanged(loop, taken, hints, options, health) {
  const present = loop.colours[loop.colours.length - 1];
  if (!present || present.painted || present.isMoved || taken.mask || !options.wantsRecipe) return null;
  const { record } = present;
  const isAsMade =
    record.photograph === taken.digest &&
    record.hints === hints &&
    record.size === options.size &&
    record.blend === options.blend &&
    record.hasDoubt === options.doubt &&
    record.sha256 === (health.model && health.model.sha256);
  return isAsMade && record.saturation !== options.saturation ? present : null;
}

/**
 * @param {Taken} taken
 * @param {Lifted} lifted
 * @param {boolean} isKept
 * @param {boolean} isAgain
 * @param {string | null} unseen name of a layer that the model was not shown
 * @returns {string[]} what the artist should know besides, in whole sentences
 */
function notesOf(taken, lifted, isKept, isAgain, unseen) {
  return [
    ...(isAgain ? [label("done.again")] : []),
    ...(taken.isForeign ? [label("done.foreign")] : []),
    ...lifted.kept.map(({ name }) => label("done.kept", { layer: name })),
    ...(lifted.strokes.length > 0 ? [label("done.lifted")] : []),
    ...(isKept ? [] : [label("done.unkept")]),
    ...(unseen === null ? [] : [label("done.unseen", { layer: unseen })]),
  ];
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
 * The picture as it is sent; the samples of `taken` are given away to it.
 * @param {Taken} taken
 * @returns {Picture}
 */
function pictureOf({ pixels, profile }) {
  const { width, height, components, depth, samples } = pixels;
  const full = samples instanceof Uint16Array ? fullRangeFromHost(samples) : samples;
  pixels.samples = new Uint8Array(0);
  return {
    width,
    height,
    channels: components,
    depth,
    profile,
    hints: null,
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
  const wantsRecipe = (health.features || []).includes("recipe");
  return { blend: settings.blend, size, saturation: settings.saturation, doubt: settings.addDoubt, wantsRecipe, recipe: null };
}

module.exports = { colorize, connect, pictureOf, serverTrouble };
