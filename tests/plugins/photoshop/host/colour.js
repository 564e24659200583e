/**
 * Colour in the fake host: profiles, blend formulas, the visible picture of a document.
 *
 * Independent of the server's own colour code on purpose.
 */

const { componentsOf, heightOf, maximumOf, state, widthOf } = require("./state.js");

const srgbDecode = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const srgbEncode = (v) => (v <= 0.0031308 ? v * 12.92 : 1.055 * v ** (1 / 2.4) - 0.055);
const power = (gamma) => ({ decode: (v) => v ** gamma, encode: (v) => Math.max(v, 0) ** (1 / gamma) });

/** Linear RGB to XYZ (D50), from the profiles' colorants. */
const PROFILES = {
  "sRGB IEC61966-2.1": {
    toXyz: [0.4360747, 0.3850649, 0.1430804, 0.2225045, 0.7168786, 0.0606169, 0.0139322, 0.0971045, 0.7141733],
    decode: srgbDecode,
    encode: srgbEncode,
  },
  "Adobe RGB (1998)": {
    toXyz: [0.6097559, 0.2052401, 0.149224, 0.3111242, 0.625656, 0.0632197, 0.0194811, 0.0608902, 0.7448387],
    ...power(563 / 256),
  },
  "ProPhoto RGB": {
    toXyz: [0.7976749, 0.1351917, 0.0313534, 0.2880402, 0.7118741, 0.0000857, 0, 0, 0.82521],
    ...power(1.8),
  },
  "Display P3": {
    toXyz: [0.5151187, 0.2919778, 0.1571035, 0.2411892, 0.6922441, 0.0665668, -0.0010505, 0.0418791, 0.7840713],
    decode: srgbDecode,
    encode: srgbEncode,
  },
};
/** The working space that greyscale documents become RGB in. */
const WORKING_RGB = "sRGB IEC61966-2.1";

function inverse(m) {
  const [a, b, c, d, e, f, g, h, i] = m;
  const determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  return [
    e * i - f * h,
    c * h - b * i,
    b * f - c * e,
    f * g - d * i,
    a * i - c * g,
    c * d - a * f,
    d * h - e * g,
    b * g - a * h,
    a * e - b * d,
  ].map((value) => value / determinant);
}

function times(m, [x, y, z]) {
  return [m[0] * x + m[1] * y + m[2] * z, m[3] * x + m[4] * y + m[5] * z, m[6] * x + m[7] * y + m[8] * z];
}

function profileNamed(name) {
  const profile = PROFILES[name];
  if (!profile) throw new Error(`The color profile "${name}" could not be found.`);
  return profile;
}

/** Convert interleaved RGB(A) samples of the native range from one profile to another, in a new array. */
function converted(data, components, maximum, fromName, toName) {
  if (fromName === toName) return data.slice();
  const from = profileNamed(fromName);
  const to = profileNamed(toName);
  const toRgb = inverse(to.toXyz);
  const result = data.slice();
  for (let i = 0; i < data.length; i += components) {
    const linear = [0, 1, 2].map((channel) => from.decode(data[i + channel] / maximum));
    times(toRgb, times(from.toXyz, linear)).forEach((value, channel) => {
      result[i + channel] = Math.round(Math.min(Math.max(to.encode(Math.min(Math.max(value, 0), 1)), 0), 1) * maximum);
    });
  }
  return result;
}

/** Grey (gamma 2.2) with alpha to RGBA of the working space, both in the native range. */
function rgbaFromGrey(data, maximum) {
  const result = new data.constructor((data.length / 2) * 4);
  for (let i = 0, j = 0; i < data.length; i += 2, j += 4) {
    const value = Math.round(srgbEncode((data[i] / maximum) ** 2.2) * maximum);
    result[j] = value;
    result[j + 1] = value;
    result[j + 2] = value;
    result[j + 3] = data[i + 1];
  }
  return result;
}

const luma = (c) => 0.3 * c[0] + 0.59 * c[1] + 0.11 * c[2];

/** ISO 32000, 11.3.5.3: hue and saturation of the source, luminosity of the backdrop. */
function blendColor(backdrop, source) {
  const shift = luma(backdrop) - luma(source);
  let colour = source.map((value) => value + shift);
  const grey = luma(colour);
  const lowest = Math.min(...colour);
  const highest = Math.max(...colour);
  if (lowest < 0) colour = colour.map((value) => grey + ((value - grey) * grey) / (grey - lowest));
  if (highest > 1) colour = colour.map((value) => grey + ((value - grey) * (1 - grey)) / (highest - grey));
  return colour;
}

const BLENDS = {
  normal: (backdrop, source) => source,
  passThrough: (backdrop, source) => source,
  multiply: (backdrop, source) => source.map((value, i) => value * backdrop[i]),
  color: blendColor,
};

/** Paint one layer over float RGBA (straight alpha); `clip` is the alpha of a clipping base. */
function paint(canvas, document, layer, clip) {
  const blend = BLENDS[layer.blendMode];
  if (!blend) throw new Error(`the fake host cannot composite ${layer.blendMode}`);
  const { bounds, data } = layer.pixels;
  const maximum = maximumOf(document.bits);
  const alphas = new Float32Array(document.width * document.height);
  for (let y = Math.max(bounds.top, 0); y < Math.min(bounds.bottom, document.height); y++) {
    for (let x = Math.max(bounds.left, 0); x < Math.min(bounds.right, document.width); x++) {
      const i = ((y - bounds.top) * widthOf(bounds) + x - bounds.left) * 4;
      const at = y * document.width + x;
      let alpha = ((data[i + 3] / maximum) * layer.opacity) / 100;
      if (layer.mask && !state.rules.masksHideNothing) alpha *= layer.mask.data[at] / 255;
      alphas[at] = alpha;
      if (clip) alpha *= clip[at];
      if (alpha === 0) continue;
      const j = at * 4;
      const below = canvas[j + 3];
      const backdrop = [canvas[j], canvas[j + 1], canvas[j + 2]];
      const source = [data[i] / maximum, data[i + 1] / maximum, data[i + 2] / maximum];
      const mixed = blend(backdrop, source);
      const total = alpha + below * (1 - alpha);
      for (let c = 0; c < 3; c++) {
        const over = (1 - below) * source[c] + below * mixed[c];
        canvas[j + c] = (below * (1 - alpha) * backdrop[c] + alpha * over) / total;
      }
      canvas[j + 3] = total;
    }
  }
  return alphas;
}

/** The one adjustment layer of this host: it inverts what lies below, or its clipping base. */
function invert(canvas, clip) {
  for (let at = 0; at < canvas.length / 4; at++) {
    const share = clip ? clip[at] : 1;
    for (let i = at * 4; i < at * 4 + 3; i++) canvas[i] += share * (1 - 2 * canvas[i]);
  }
}

function paintAll(canvas, document, layers) {
  let clip = null;
  let isBaseShown = true;
  for (const layer of [...layers].reverse()) {
    if (!layer.isClipped) {
      clip = null;
      isBaseShown = layer.isVisible;
    }
    if (!layer.isVisible || (layer.isClipped && !isBaseShown)) continue;
    if (layer.kind === "inversion") invert(canvas, layer.isClipped ? clip : null);
    else if (layer.children) paintAll(canvas, document, layer.children);
    else if (layer.pixels) {
      const alphas = paint(canvas, document, layer, layer.isClipped ? clip : null);
      if (!layer.isClipped) clip = alphas;
    }
  }
}

/** The visible picture: RGBA in the native range, as large as the canvas. */
function visiblePicture(document) {
  if (componentsOf(document) !== 4) throw new Error("the fake host composites RGB documents only");
  const canvas = new Float32Array(document.width * document.height * 4);
  paintAll(canvas, document, document.layers);
  const maximum = maximumOf(document.bits);
  const Typed = document.bits === 16 ? Uint16Array : Uint8Array;
  return Typed.from(canvas, (value) => Math.round(value * maximum));
}

/** Whether the visible picture is opaque because an opaque Background is shown. */
function hasShownBackground(document) {
  return document.layers.some((layer) => layer.isBackground && layer.isVisible);
}

module.exports = { PROFILES, WORKING_RGB, converted, hasShownBackground, heightOf, rgbaFromGrey, visiblePicture };
