// @ts-check
/**
 * The loop of touching up: the layer “Touch-ups” above the colours, whose strokes are hints, and strokes that were painted
 * on the colours themselves, which are lifted off them by their recipes.
 */

const { constants } = require("photoshop");
const client = require("./client.js");
const { PanelError } = require("./errors.js");
const { label } = require("./labels.js");
const layers = require("./layers.js");
const { inModal, rolledBack } = require("./modal.js");
const { readPixels, writePixels } = require("./pixels.js");
const plans = require("./plan.js");
const { readRecord } = require("./records.js");
const { bytesFromHost, hasPaint, hostFromBytes, hostFromFullRange, intersection, maximumOf, paste, sidesOf } = require("./samples.js");
const source = require("./source.js");
const { digest, faded, isTurned, layOver, paintedShare } = require("./strokes.js");

/**
 * @typedef {import("photoshop").Document} Document
 * @typedef {import("photoshop").Layer} Layer
 * @typedef {import("./errors.js").Cancellation} Cancellation
 * @typedef {import("./packets.js").LayerRecord} LayerRecord
 * @typedef {import("./pixels.js").Pixels} Pixels
 * @typedef {import("./samples.js").Bounds} Bounds
 * @typedef {import("./plan.js").Plan} Plan
 * @typedef {import("./client.js").Picture} Picture
 *
 * @typedef {object} Colours a layer of colour of the photograph
 * @property {number} id
 * @property {string} name
 * @property {LayerRecord} record with a recipe
 * @property {string} digest of its pixels when they were read
 * @property {Uint8Array | null} painted RGBA in sRGB over the picture, if they are no longer those that were laid
 * @property {boolean} isMoved it lies elsewhere than it was laid
 *
 * @typedef {object} Loop what earlier runs and the artist left above the photograph
 * @property {number | null} touchUpsID
 * @property {Uint8Array | null} strokes of the layer Touch-ups, RGBA in sRGB over the picture; null where it is hidden or empty
 * @property {Colours[]} colours visible ones that have a recipe, the lowest first
 *
 * @typedef {object} Lifted
 * @property {Uint8Array[]} strokes RGBA in sRGB over the picture, the lowest first
 * @property {{id: number, record: LayerRecord, digest: string, laid: Pixels}[]} renewed layers to be laid again
 * @property {{id: number, name: string}[]} kept painted ones whose strokes cannot be told apart
 *
 * @typedef {object} Work what lifting needs of a run
 * @property {string} address
 * @property {string} token
 * @property {Picture} picture
 * @property {Pixels} pixels where it was read
 * @property {boolean} knowsHow the server has recipes and touch-ups
 * @property {Cancellation} cancellation
 */

/** Share of a layer; where more of it differs, it was flipped or filled, and there are no strokes to be told apart. */
const MOST = 0.6;

/**
 * The layers of ours that belong to what is coloured, from the photograph upwards.  By id where the record names a layer
 * that is there, else by place: in a copy of the document ids may be others.
 * @param {Document} document
 * @param {number | null} photographID null for everything visible
 * @returns {Promise<{layer: Layer, record: LayerRecord | null}[]>}
 */
async function belonging(document, photographID) {
  const found = [];
  for (const layer of layers.above(document, photographID)) {
    if (!plans.isOurs(layer) && !plans.isTouchUps(layer)) continue;
    const record = await readRecord(document, layer);
    const isOfAnother =
      record !== null && record.of !== (photographID || 0) && layers.layerById(document, record.of) !== null;
    if (!isOfAnother) found.push({ layer, record });
  }
  return found;
}

/**
 * Read what earlier runs and the artist left.  Must be called from inside a modal scope.
 * @param {Document} document
 * @param {Plan} plan
 * @param {Bounds} bounds of the picture
 * @returns {Promise<Loop>}
 */
async function take(document, plan, bounds) {
  /** @type {Loop} */
  const loop = { touchUpsID: null, strokes: null, colours: [] };
  if (plan.isGrey) return loop;
  for (const { layer, record } of await belonging(document, plan.layerID)) {
    if (plans.isTouchUps(layer)) {
      if (loop.touchUpsID !== null) continue;
      loop.touchUpsID = layer.id;
      loop.strokes = await strokesOn(document, layer, bounds);
    } else if (layer.visible && record && record.kind === "colours" && record.recipe) {
      const now = await readOver(document, layer, bounds);
      const sum = digest(now);
      loop.colours.push({
        id: layer.id,
        name: layer.name,
        record,
        digest: sum,
        painted: sum === record.laid ? null : now,
        isMoved: isMoved(record, bounds, sidesOf(layer.boundsNoEffects)),
      });
    }
  }
  return loop;
}

/**
 * Read the touch-ups alone, without the layers of colour.  Must be called from inside a modal scope.
 * @param {Document} document
 * @param {Plan} plan
 * @param {Bounds} bounds of the picture
 * @returns {Promise<Uint8Array | null>} see `Loop.strokes`
 */
async function takeStrokes(document, plan, bounds) {
  const touchUps = (await belonging(document, plan.layerID)).find(({ layer }) => plans.isTouchUps(layer));
  return touchUps ? strokesOn(document, touchUps.layer, bounds) : null;
}

/**
 * @param {Document} document
 * @param {Layer} layer of touch-ups
 * @param {Bounds} bounds of the picture
 * @returns {Promise<Uint8Array | null>} see `Loop.strokes`
 */
async function strokesOn(document, layer, bounds) {
  if (!layer.visible) return null;
  const strokes = faded(await readOver(document, layer, bounds), layer.opacity);
  return hasPaint(strokes) ? strokes : null;
}

/**
 * @param {LayerRecord} record
 * @param {Bounds} bounds of the picture now
 * @param {number[]} place of the layer now: it grows and shrinks where it is painted and erased, but does not wander
 * @returns {boolean}
 */
function isMoved({ bounds: before, place: laid }, bounds, place) {
  if (!before || !laid || before.join() !== sidesOf(bounds).join()) return true;
  const isAsLarge = place[2] - place[0] === laid[2] - laid[0] && place[3] - place[1] === laid[3] - laid[1];
  return isAsLarge && place.join() !== laid.join();
}

/**
 * @param {Document} document
 * @param {Layer} layer
 * @param {Bounds} bounds
 * @returns {Promise<Uint8Array>} the layer as RGBA in sRGB over `bounds`, clear where it has nothing
 */
async function readOver(document, layer, bounds) {
  const region = await source.regionOf(document, layer);
  const both = region && intersection(region, bounds);
  const read = both && (await readIfAny(document, layer, both));
  if (!read) return new Uint8Array((bounds.right - bounds.left) * (bounds.bottom - bounds.top) * 4);
  return paste(bytesFromHost(read.samples), read.bounds, bounds, 4);
}

/**
 * @param {Document} document
 * @param {Layer} layer
 * @param {Bounds} bounds
 * @returns {Promise<Pixels | null>} RGBA in sRGB; null where there is nothing
 */
async function readIfAny(document, layer, bounds) {
  const { left, top, right, bottom } = layer.boundsNoEffects;
  let read;
  try {
    read = await readPixels({ documentID: document.id, layerID: layer.id, bounds, profile: source.SRGB });
  } catch (error) {
    // An empty layer, or one whose mask hides all: only trying tells which, and a cancelled scope refuses the next call too.
    if (right > left && bottom > top) throw error;
    return null;
  }
  if (read.components !== 4) throw new PanelError("read");
  return read;
}

/**
 * Find the strokes that were painted on layers of colour; changes nothing in the document.
 * @param {Document} document
 * @param {Loop} loop
 * @param {Work} work
 * @returns {Promise<Lifted>}
 */
async function lift(document, loop, work) {
  /** @type {Lifted} */
  const lifted = { strokes: [], renewed: [], kept: [] };
  const { pixels, cancellation } = work;
  for (const colours of loop.colours) {
    const { id, name, record, painted } = colours;
    if (!painted) continue;
    if (!work.knowsHow || colours.isMoved) {
      lifted.kept.push({ id, name });
      continue;
    }
    const laid = { ...pixels, samples: await layAgain(record, work) };
    const again = await asShown(document, laid, cancellation);
    if (isTurned(again, painted, pixels.width, pixels.height)) {
      lifted.kept.push({ id, name });
      continue;
    }
    const strokes = await client.liftStrokes(work.address, work.token, pixels, again, painted, cancellation);
    const share = paintedShare(strokes);
    if (share > MOST) lifted.kept.push({ id, name });
    else if (share > 0) {
      lifted.strokes.push(strokes);
      lifted.renewed.push({ id, record, digest: colours.digest, laid });
    }
  }
  return lifted;
}

/**
 * Lay a layer of colour from its recipe, without the model.
 * @param {LayerRecord} record with a recipe
 * @param {Work} work
 * @returns {Promise<import("./samples.js").Samples>} in the host's range
 */
async function layAgain({ recipe, blend, size, saturation }, { address, token, picture, cancellation }) {
  const options = {
    blend: blend || "color",
    size: size || 0,
    saturation: saturation || 0,
    doubt: false,
    wantsRecipe: false,
    recipe: recipe || null,
  };
  const answer = await client.colorize(address, token, picture, options, cancellation, () => {});
  return samplesOf(answer.picture, picture.depth);
}

/**
 * @param {Uint8Array} bytes of an answer's picture
 * @param {8 | 16} depth
 * @returns {import("./samples.js").Samples} in the host's range
 */
function samplesOf(bytes, depth) {
  if (depth === 8) return bytes;
  return hostFromFullRange(new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2));
}

/**
 * Pixels as the host shows them in sRGB once they are in a layer: with its own conversion, in a layer that is taken back.
 * @param {Document} document
 * @param {Pixels} pixels
 * @param {Cancellation} cancellation
 * @returns {Promise<Uint8Array>} RGBA
 */
function asShown(document, pixels, cancellation) {
  const command = label("command.strokes");
  return inModal(command, cancellation, async (context) => {
    const open = layers.documentById(document.id);
    layers.activate(open);
    return rolledBack(context, open.id, command, async () => {
      const layer = await layers.insertAbove(open, open.layers[0], command, constants.BlendMode.NORMAL);
      await writePixels(open.id, layer.id, pixels);
      return readOver(open, layer, pixels.bounds);
    });
  });
}

/**
 * The strokes that guide the next run.
 * @param {Uint8Array | null} hints RGBA
 * @param {(Uint8Array | null)[]} touchUps what lies over the hints, the lowest first: RGBA, null for none
 * @returns {Uint8Array | null} RGBA, null for none
 */
function hintsOf(hints, touchUps) {
  const more = touchUps.flatMap((strokes) => (strokes ? [strokes] : []));
  if (more.length === 0) return hints;
  const all = hints ? hints.slice() : new Uint8Array(more[0].length);
  for (const strokes of more) layOver(all, 255, strokes);
  return all;
}

/**
 * Move lifted strokes to the layer Touch-ups.  Must be called from inside a modal scope.
 * @param {Document} document
 * @param {Layer} touchUps
 * @param {Lifted} lifted
 * @param {Pixels} pixels where the picture was read
 */
async function takeIn(document, touchUps, lifted, { bounds, depth }) {
  if (lifted.strokes.length === 0) return;
  // On a hidden layer they would be lost to sight.
  if (!touchUps.visible) touchUps.visible = true;
  // Its bounds may be those of what its mask shows: then it is asked for everywhere, and the host says where it is.
  const { width: w, height: h } = document;
  const isMasked = await layers.hasMask(document, touchUps);
  const own = isMasked ? { left: -w, top: -h, right: 2 * w, bottom: 2 * h } : touchUps.boundsNoEffects;
  const isEmpty = own.right <= own.left || own.bottom <= own.top;
  const read = isEmpty ? null : await readIfAny(document, touchUps, own);
  const whole = read ? unionOf(read.bounds, bounds) : bounds;
  const width = whole.right - whole.left;
  const height = whole.bottom - whole.top;
  const samples = read ? paste(read.samples, read.bounds, whole, 4) : hostFromBytes(new Uint8Array(width * height * 4), depth);
  for (const strokes of lifted.strokes) layOver(samples, maximumOf(depth), paste(strokes, bounds, whole, 4));
  await writePixels(document.id, touchUps.id, {
    bounds: whole,
    width,
    height,
    components: 4,
    depth,
    profile: source.SRGB,
    samples,
  });
}

/**
 * @param {Bounds} a
 * @param {Bounds} b
 * @returns {Bounds}
 */
function unionOf(a, b) {
  return {
    left: Math.min(a.left, b.left),
    top: Math.min(a.top, b.top),
    right: Math.max(a.right, b.right),
    bottom: Math.max(a.bottom, b.bottom),
  };
}

module.exports = { hintsOf, lift, readOver, samplesOf, take, takeIn, takeStrokes };
