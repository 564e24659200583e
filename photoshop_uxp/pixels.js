// @ts-check
/**
 * Photoshop's imaging API and nothing else: pixels, selections and masks, in and out.
 *
 * Every function must be called from inside a modal scope, and every image data is disposed of before it returns.
 */

const { imaging } = require("photoshop");
const { PanelError } = require("./errors.js");
const { intersection, paste } = require("./samples.js");

/**
 * @typedef {import("./samples.js").Bounds} Bounds
 * @typedef {import("./samples.js").Samples} Samples
 *
 * @typedef {object} Pixels
 * @property {Bounds} bounds where they lie in the document
 * @property {number} width
 * @property {number} height
 * @property {3 | 4} components 3 has no alpha
 * @property {8 | 16} depth
 * @property {string} profile
 * @property {Samples} samples interleaved; 16-bit in the host's range 0..32768
 *
 * @typedef {object} Mask
 * @property {Bounds} bounds
 * @property {Samples} samples one component, of the type that the host gave the selection in
 */

/**
 * Read RGB at the document's own depth: asking a 16-bit document for 8 bits fails (error -1, Photoshop 25.5 and later).
 * @param {object} what
 * @param {number} what.documentID
 * @param {number | null} what.layerID null reads what is visible
 * @param {Bounds} what.bounds
 * @param {string} what.profile the profile's name, to which Photoshop converts if it must
 * @returns {Promise<Pixels>}
 */
async function readPixels({ documentID, layerID, bounds, profile }) {
  const got = await imaging.getPixels({
    documentID,
    ...(layerID === null ? {} : { layerID }),
    sourceBounds: bounds,
    colorSpace: "RGB",
    colorProfile: profile,
  });
  const image = got.imageData;
  try {
    const samples = await image.getData({ chunky: true, fullRange: false });
    // The host trims what it returns to where pixels are; `sourceBounds` says where that is.
    const { left, top } = got.sourceBounds;
    const { width, height, components } = image;
    if (samples instanceof Float32Array) throw new PanelError("depth32");
    if ((components !== 3 && components !== 4) || samples.length !== width * height * components)
      throw new PanelError("read");
    return {
      bounds: { left, top, right: left + width, bottom: top + height },
      width,
      height,
      components,
      depth: samples instanceof Uint16Array ? 16 : 8,
      profile,
      samples,
    };
  } finally {
    image.dispose();
  }
}

/**
 * Read the selection as a mask over the whole canvas.
 * @param {number} documentID
 * @param {Bounds} canvas
 * @param {Bounds} selected bounds of the selection, which may exceed the canvas
 * @returns {Promise<Mask>}
 */
async function readSelection(documentID, canvas, selected) {
  const asked = intersection(canvas, selected);
  if (!asked)
    return { bounds: canvas, samples: new Uint8Array((canvas.right - canvas.left) * (canvas.bottom - canvas.top)) };
  return maskFrom(await imaging.getSelection({ documentID, sourceBounds: asked }), canvas);
}

/**
 * @param {{imageData: import("photoshop").PhotoshopImageData, sourceBounds: {left: number, top: number}}} got
 * @param {Bounds} canvas
 * @returns {Promise<Mask>}
 */
async function maskFrom(got, canvas) {
  const image = got.imageData;
  try {
    const samples = await image.getData({ chunky: true, fullRange: false });
    if (samples instanceof Float32Array || samples.length !== image.width * image.height) throw new PanelError("read");
    const { left, top } = got.sourceBounds;
    const from = { left, top, right: left + image.width, bottom: top + image.height };
    return { bounds: canvas, samples: paste(samples, from, canvas, 1) };
  } finally {
    image.dispose();
  }
}

/**
 * Read a layer's mask.
 * @param {number} documentID
 * @param {number} layerID
 * @param {Bounds} canvas
 * @returns {Promise<Mask>} over the whole canvas; 0 where the host returns nothing
 */
async function readMask(documentID, layerID, canvas) {
  const got = await imaging.getLayerMask({ documentID, layerID, kind: "user", sourceBounds: canvas });
  return maskFrom(got, canvas);
}

/**
 * Fill a pixel layer.  The array's type must be that of the document's depth.
 * @param {number} documentID
 * @param {number} layerID
 * @param {Pixels} pixels
 */
async function writePixels(documentID, layerID, pixels) {
  const image = await imaging.createImageDataFromBuffer(pixels.samples, {
    width: pixels.width,
    height: pixels.height,
    components: pixels.components,
    chunky: true,
    fullRange: false,
    colorSpace: "RGB",
    colorProfile: pixels.profile,
  });
  try {
    await imaging.putPixels({ documentID, layerID, imageData: image, replace: true, targetBounds: pixels.bounds });
  } finally {
    image.dispose();
  }
}

/**
 * Overwrite a layer's mask; it must have one.
 * @param {number} documentID
 * @param {number} layerID
 * @param {Mask} mask
 */
async function writeMask(documentID, layerID, mask) {
  const { bounds, samples } = mask;
  const image = await imaging.createImageDataFromBuffer(samples, {
    width: bounds.right - bounds.left,
    height: bounds.bottom - bounds.top,
    components: 1,
    chunky: true,
    fullRange: false,
    colorSpace: "Grayscale",
    colorProfile: "Gray Gamma 2.2",
  });
  try {
    await imaging.putLayerMask({
      documentID,
      layerID,
      kind: "user",
      imageData: image,
      replace: true,
      targetBounds: bounds,
    });
  } finally {
    image.dispose();
  }
}

module.exports = { readMask, readPixels, readSelection, writeMask, writePixels };
