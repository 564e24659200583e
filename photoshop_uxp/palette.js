// @ts-check
/**
 * Suggested colours: what the picked place of the photograph may have been, and the artist's foreground colour.
 */

const { app } = require("photoshop");
const client = require("./client.js");
const { connect, pictureOf } = require("./colorize.js");
const { PanelError } = require("./errors.js");
const { labOf } = require("./lab.js");
const { label } = require("./labels.js");
const layers = require("./layers.js");
const { inModal } = require("./modal.js");
const plans = require("./plan.js");
const source = require("./source.js");
const touchups = require("./touchups.js");

/**
 * @typedef {import("photoshop").Document} Document
 * @typedef {import("./client.js").Suggestion} Suggestion
 * @typedef {import("./colorize.js").Panel} Panel
 * @typedef {import("./colorize.js").Settings} Settings
 * @typedef {import("./errors.js").Cancellation} Cancellation
 * @typedef {import("./pixels.js").Mask} Mask
 * @typedef {import("./plan.js").Plan} Plan
 * @typedef {import("./samples.js").Bounds} Bounds
 */

/** The server answers for no more at once. */
const MOST_PLACES = 16;

/**
 * Ask for colours of the picked places: points of the Color Sampler tool, and the selection.
 * @param {Settings} settings
 * @param {Panel} panel
 * @param {Cancellation} cancellation
 * @returns {Promise<Suggestion[]>} each colour once, those used before first
 */
async function suggest(settings, panel, cancellation) {
  const document = plans.currentDocument();
  const plan = plans.makePlan(document, { ...settings, maskFromSelection: true });
  if (plan.isGrey) throw new PanelError("suggest.grey");
  panel.progress(label("step.connect"), 0.1);
  const { address, health } = await connect(settings, panel, cancellation);
  if (!health.suggestions) throw new PanelError("suggest.none", { model: health.model ? health.model.name : "" });
  panel.progress(label("step.read"), 0.3);
  const { taken, strokes, places } = await inModal(label("command.read"), cancellation, async (context) => {
    const read = await source.take(context, plan);
    const open = layers.documentById(plan.documentID);
    const { bounds } = read.pixels;
    const touchUps = settings.useTouchUps ? await touchups.takeStrokes(open, plan, bounds) : null;
    return { taken: read, strokes: touchUps, places: picked(open, read.mask, bounds) };
  });
  if (places.length === 0) throw new PanelError("suggest.place");
  panel.progress(label("step.suggest"), 0.6);
  const picture = { ...pictureOf(taken), hints: touchups.hintsOf(taken.hints, [strokes]) };
  const found = await client.suggest(address, settings.token, picture, places, cancellation);
  const isUsed = (/** @type {Suggestion} */ { used }) => (used ? 1 : 0);
  const once = new Map(found.map((suggestion) => [suggestion.srgb.join(), suggestion]));
  return Array.from(once.values()).sort((a, b) => isUsed(b) - isUsed(a));
}

/**
 * @param {Document} document
 * @param {Mask | null} mask the selection over the whole canvas
 * @param {Bounds} bounds of the picture
 * @returns {number[][]} places in pixels of the picture: x, y
 */
function picked(document, mask, bounds) {
  const points = Array.from(document.colorSamplers || [], ({ position }) => [position.x, position.y]);
  const selected = mask && middleOf(mask);
  return [...(selected ? [selected] : []), ...points]
    .map(([x, y]) => [Math.floor(x) - bounds.left, Math.floor(y) - bounds.top])
    .filter(([x, y]) => x >= 0 && y >= 0 && x < bounds.right - bounds.left && y < bounds.bottom - bounds.top)
    .slice(0, MOST_PLACES);
}

/**
 * The middle of the selection's middle row, among its most selected pixels: a hole or a bay does not miss it.
 * @param {Mask} mask
 * @returns {number[] | null} x, y on the canvas; null where nothing is selected
 */
function middleOf({ bounds, samples }) {
  const width = bounds.right - bounds.left;
  let most = 0;
  for (const sample of samples) most = Math.max(most, sample);
  /** @type {number[]} */
  const rows = [];
  for (let y = 0; y < bounds.bottom - bounds.top; y++)
    if (samples.subarray(y * width, (y + 1) * width).includes(most)) rows.push(y);
  if (most === 0) return null;
  const y = rows[rows.length >> 1];
  const columns = Array.from({ length: width }, (_, x) => x).filter((x) => samples[y * width + x] === most);
  return [bounds.left + columns[columns.length >> 1], bounds.top + y];
}

/**
 * Take a colour as the foreground colour, to paint with.
 * @param {number[]} srgb 0..255
 * @param {Cancellation} cancellation
 */
async function setForeground(srgb, cancellation) {
  await inModal(label("command.foreground"), cancellation, async () => {
    const colour = new app.SolidColor();
    const isPlain = !app.activeDocument || app.activeDocument.colorProfileName === source.SRGB;
    if (isPlain) [colour.rgb.red, colour.rgb.green, colour.rgb.blue] = srgb;
    // In another profile the same numbers are another colour.
    else [colour.lab.l, colour.lab.a, colour.lab.b] = labOf(srgb);
    app.foregroundColor = colour;
  });
}

module.exports = { setForeground, suggest };
