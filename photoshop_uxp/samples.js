// @ts-check
/**
 * Arithmetic on sample arrays: depths, cropping, pasting, fingerprints.  Pure; imports nothing.
 *
 * Photoshop's 16-bit samples run from 0 to 32768; PROTOCOL.md's run from 0 to 65535.  The conversions here are ours and
 * not the host's `fullRange`, whose rounding is not documented: host -> server -> host gives back every one of the
 * 32769 values.
 */

const HOST_MAXIMUM = 32768;
const FULL_MAXIMUM = 65535;

/** Side of the grid that `fingerprint` samples. */
const FINGERPRINT_SIDE = 64;

/**
 * @typedef {{left: number, top: number, right: number, bottom: number}} Bounds right and bottom are exclusive
 * @typedef {Uint8Array | Uint16Array} Samples
 */

/**
 * Converts in place: a second copy of a hundred megapixels is not held.
 * @param {Uint16Array} samples 0..32768
 * @returns {Uint16Array} the same array, 0..65535
 */
function fullRangeFromHost(samples) {
  for (let i = 0; i < samples.length; i++) samples[i] = Math.round((samples[i] * FULL_MAXIMUM) / HOST_MAXIMUM);
  return samples;
}

/**
 * Converts in place.
 * @param {Uint16Array} samples 0..65535
 * @returns {Uint16Array} the same array, 0..32768
 */
function hostFromFullRange(samples) {
  for (let i = 0; i < samples.length; i++) samples[i] = Math.round((samples[i] * HOST_MAXIMUM) / FULL_MAXIMUM);
  return samples;
}

/**
 * Bytes as samples of a document's depth.
 * @param {Uint8Array} bytes
 * @param {8 | 16} depth
 * @returns {Samples} the bytes themselves for 8 bits
 */
function hostFromBytes(bytes, depth) {
  if (depth === 8) return bytes;
  return Uint16Array.from(bytes, (value) => Math.round((value * HOST_MAXIMUM) / 255));
}

/**
 * @param {8 | 16} depth
 * @returns {number} the greatest sample
 */
function maximumOf(depth) {
  return depth === 16 ? HOST_MAXIMUM : 255;
}

/**
 * @param {Samples} samples 8-bit, or 16-bit in the host's range
 * @returns {Uint8Array}
 */
function bytesFromHost(samples) {
  if (samples instanceof Uint8Array) return samples;
  const bytes = new Uint8Array(samples.length);
  for (let i = 0; i < samples.length; i++) bytes[i] = Math.round((samples[i] * 255) / HOST_MAXIMUM);
  return bytes;
}

/**
 * Grey bytes as opaque RGB of a document's depth.
 * @param {Uint8Array} grey
 * @param {8 | 16} depth
 * @returns {Samples}
 */
function rgbFromGrey(grey, depth) {
  const rgb = depth === 16 ? new Uint16Array(grey.length * 3) : new Uint8Array(grey.length * 3);
  for (let i = 0; i < grey.length; i++) {
    const value = depth === 16 ? Math.round((grey[i] * HOST_MAXIMUM) / 255) : grey[i];
    rgb[3 * i] = value;
    rgb[3 * i + 1] = value;
    rgb[3 * i + 2] = value;
  }
  return rgb;
}

/**
 * @param {Bounds} bounds
 * @returns {number[]} left, top, right, bottom: to be kept or compared
 */
function sidesOf({ left, top, right, bottom }) {
  return [left, top, right, bottom];
}

/**
 * @param {Bounds} a
 * @param {Bounds} b
 * @returns {Bounds | null} what both cover, or null
 */
function intersection(a, b) {
  const both = {
    left: Math.max(a.left, b.left),
    top: Math.max(a.top, b.top),
    right: Math.min(a.right, b.right),
    bottom: Math.min(a.bottom, b.bottom),
  };
  return both.right > both.left && both.bottom > both.top ? both : null;
}

/**
 * Lay a picture over an empty one of other bounds; what falls outside is cut off, what is not covered stays 0.
 * @template {Samples} S
 * @param {S} samples interleaved
 * @param {Bounds} from where `samples` lie
 * @param {Bounds} to where the result lies
 * @param {number} components
 * @returns {S}
 */
function paste(samples, from, to, components) {
  const width = to.right - to.left;
  const Typed = /** @type {{new (length: number): S}} */ (samples.constructor);
  const result = new Typed(width * (to.bottom - to.top) * components);
  const both = intersection(from, to);
  if (!both) return result;
  const sourceWidth = from.right - from.left;
  for (let y = both.top; y < both.bottom; y++) {
    const start = ((y - from.top) * sourceWidth + both.left - from.left) * components;
    const row = samples.subarray(start, start + (both.right - both.left) * components);
    result.set(row, ((y - to.top) * width + both.left - to.left) * components);
  }
  return result;
}

/**
 * Whether any pixel of an RGBA picture is painted.
 * @param {Uint8Array} rgba
 * @returns {boolean}
 */
function hasPaint(rgba) {
  for (let i = 3; i < rgba.length; i += 4) if (rgba[i] > 0) return true;
  return false;
}

/**
 * The grey values on a grid, by which a picture is known again.
 * @param {Samples} samples interleaved, in the host's range
 * @param {number} width
 * @param {number} height
 * @param {number} components
 * @returns {Uint8Array}
 */
function fingerprint(samples, width, height, components) {
  const scale = samples instanceof Uint16Array ? 255 / HOST_MAXIMUM : 1;
  const print = new Uint8Array(FINGERPRINT_SIDE * FINGERPRINT_SIDE);
  for (let row = 0; row < FINGERPRINT_SIDE; row++) {
    const y = Math.floor(((row + 0.5) * height) / FINGERPRINT_SIDE);
    for (let column = 0; column < FINGERPRINT_SIDE; column++) {
      const x = Math.floor(((column + 0.5) * width) / FINGERPRINT_SIDE);
      const i = (y * width + x) * components;
      const luma = 0.3 * samples[i] + 0.59 * samples[i + 1] + 0.11 * samples[i + 2];
      print[row * FINGERPRINT_SIDE + column] = Math.round(luma * scale);
    }
  }
  return print;
}

/**
 * Whether two fingerprints are of the same picture, a small retouch apart: at most 5 % of the grid differs.
 * @param {Uint8Array} before
 * @param {Uint8Array} after
 * @returns {boolean}
 */
function isSamePicture(before, after) {
  let changed = 0;
  for (let i = 0; i < before.length; i++) if (Math.abs(before[i] - after[i]) > 8) changed++;
  return changed <= before.length * 0.05;
}

module.exports = {
  bytesFromHost,
  fingerprint,
  fullRangeFromHost,
  hasPaint,
  hostFromBytes,
  hostFromFullRange,
  intersection,
  isSamePicture,
  maximumOf,
  paste,
  rgbFromGrey,
  sidesOf,
};
