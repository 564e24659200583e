// @ts-check
/**
 * Arithmetic on strokes of colour and on the layers that they were painted on.  Pure; imports nothing.
 */

/** Points of a side of the grid by which a layer's orientation is known. */
const GRID_SIDE = 48;
/** Levels of 255 by which the colour of a point may differ. */
const GRID_TOLERANCE = 8;

/**
 * @typedef {import("./samples.js").Samples} Samples
 */

/**
 * A sum by which samples are known again; one changed sample changes it.
 * @param {Samples} samples
 * @returns {string}
 */
function digest(samples) {
  const whole = samples.byteOffset % 4 === 0 ? samples : samples.slice();
  const count = Math.floor(whole.byteLength / 4);
  const words = new Uint32Array(whole.buffer, whole.byteOffset, count);
  let one = 0x811c9dc5;
  let two = whole.byteLength;
  const add = (/** @type {number} */ word) => {
    one = Math.imul(one ^ word, 0x01000193);
    one ^= one >>> 15;
    two = Math.imul(((two << 13) | (two >>> 19)) ^ word, 0x85ebca6b);
  };
  for (let i = 0; i < count; i++) add(words[i]);
  for (const byte of new Uint8Array(whole.buffer, whole.byteOffset + 4 * count, whole.byteLength - 4 * count)) add(byte);
  return [one, two].map((sum) => (sum >>> 0).toString(16).padStart(8, "0")).join("");
}

/**
 * Lay strokes over a picture, as mode Normal mixes them.
 * @template {Samples} S
 * @param {S} base RGBA, straight alpha; changed in place
 * @param {number} maximum of its samples
 * @param {Uint8Array} strokes RGBA, straight alpha, as many pixels
 * @returns {S} `base`
 */
function layOver(base, maximum, strokes) {
  for (let i = 0; i < base.length; i += 4) {
    const alpha = strokes[i + 3] / 255;
    if (alpha === 0) continue;
    const below = (base[i + 3] / maximum) * (1 - alpha);
    const total = alpha + below;
    for (let c = i; c < i + 3; c++) {
      const stroke = (strokes[c] / 255) * maximum;
      base[c] = Math.round((alpha * stroke + below * base[c]) / total);
    }
    base[i + 3] = Math.round(total * maximum);
  }
  return base;
}

/**
 * @param {Uint8Array} rgba changed in place: what is seen faintly counts little
 * @param {number} opacity 0..100
 * @returns {Uint8Array} `rgba`
 */
function faded(rgba, opacity) {
  if (opacity < 100) for (let i = 3; i < rgba.length; i += 4) rgba[i] = Math.round((rgba[i] * opacity) / 100);
  return rgba;
}

/**
 * @param {Uint8Array} rgba
 * @returns {number} the share of pixels with any alpha, 0..1
 */
function paintedShare(rgba) {
  let painted = 0;
  for (let i = 3; i < rgba.length; i += 4) if (rgba[i] > 0) painted++;
  return painted / (rgba.length / 4);
}

/**
 * Whether a layer of colour, painted on or not, is flipped or turned against how it was laid.
 * @param {Uint8Array} laid RGBA
 * @param {Uint8Array} now RGBA
 * @param {number} width of both
 * @param {number} height of both
 * @returns {boolean}
 */
function isTurned(laid, now, width, height) {
  /** @type {((x: number, y: number) => [number, number])[]} shares of width and height, 0..1 */
  const ways = [
    (x, y) => [x, y],
    (x, y) => [1 - x, y],
    (x, y) => [x, 1 - y],
    (x, y) => [1 - x, 1 - y],
  ];
  if (width === height) ways.push((x, y) => [y, x], (x, y) => [1 - y, x], (x, y) => [y, 1 - x], (x, y) => [1 - y, 1 - x]);
  const [upright, ...turned] = ways.map((way) => pointsAlike(laid, now, width, height, way));
  return Math.max(...turned) > upright;
}

/**
 * @param {Uint8Array} laid
 * @param {Uint8Array} now
 * @param {number} width
 * @param {number} height
 * @param {(x: number, y: number) => [number, number]} way where in `laid` a point of `now` is looked for
 * @returns {number} how many points of a grid have the same colour
 */
function pointsAlike(laid, now, width, height, way) {
  const at = (/** @type {number} */ x, /** @type {number} */ y) =>
    (Math.min(Math.floor(y * height), height - 1) * width + Math.min(Math.floor(x * width), width - 1)) * 4;
  const tint = (/** @type {Uint8Array} */ rgba, /** @type {number} */ i) => [rgba[i] - rgba[i + 1], rgba[i + 2] - rgba[i + 1]];
  let alike = 0;
  for (let row = 0; row < GRID_SIDE; row++) {
    for (let column = 0; column < GRID_SIDE; column++) {
      const x = (column + 0.5) / GRID_SIDE;
      const y = (row + 0.5) / GRID_SIDE;
      const one = tint(now, at(x, y));
      const other = tint(laid, at(...way(x, y)));
      if (one.every((level, i) => Math.abs(level - other[i]) <= GRID_TOLERANCE)) alike++;
    }
  }
  return alike;
}

module.exports = { digest, faded, isTurned, layOver, paintedShare };
