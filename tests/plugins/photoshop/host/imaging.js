/**
 * photoshop.imaging, as imaging.md describes it, and its refusals.
 */

const { converted, hasShownBackground, rgbaFromGrey, visiblePicture } = require("./colour.js");
const { enter, turn } = require("./modal.js");
const {
  arrayFor,
  documentOf,
  find,
  heightOf,
  intersect,
  maximumOf,
  noteEdit,
  state,
  tightBounds,
  transfer,
  widthOf,
} = require("./state.js");

class PhotoshopImageData {
  #data;

  constructor(description, data) {
    Object.assign(this, description);
    this.type = "image/uncompressed";
    this.isChunky = true;
    this.hasAlpha = description.components === 4 || description.components === 2;
    this.#data = data;
    state.undisposed++;
  }

  /** The samples, for the host's own use. */
  static dataOf(imageData) {
    if (!(imageData instanceof PhotoshopImageData)) throw new TypeError("imageData is not a PhotoshopImageData");
    if (!imageData.#data) throw new Error("The image data has been disposed.");
    return imageData.#data;
  }

  async getData({ chunky = true, fullRange = false } = {}) {
    await turn();
    const data = PhotoshopImageData.dataOf(this);
    if (!chunky) throw new Error("the fake host gives chunky data only");
    // Photoshop does not document how it rounds; truncation here makes code that relies on it differ.
    if (this.componentSize === 16 && fullRange) return data.map((value) => Math.floor((value * 65535) / 32768));
    return data.slice();
  }

  dispose() {
    if (!this.#data) return;
    this.#data = null;
    state.undisposed--;
  }
}

function boundsOf(asked, whole) {
  if (!asked) return whole;
  const bounds = { ...asked };
  if (bounds.right === undefined) bounds.right = bounds.left + bounds.width;
  if (bounds.bottom === undefined) bounds.bottom = bounds.top + bounds.height;
  if (![bounds.left, bounds.top, bounds.right, bounds.bottom].every(Number.isInteger))
    throw new TypeError("sourceBounds must be integers");
  return bounds;
}

function targetDocument(id) {
  const document = id === undefined || id < 0 ? documentOf(state.activeID) : documentOf(id);
  if (!document) throw new Error("The document does not exist.");
  return document;
}

function targetLayer(document, id) {
  const found = find(document.layers, id);
  if (!found) throw new Error("The layer does not exist in the document.");
  return found.layer;
}

async function getPixels(options) {
  enter("getPixels");
  await turn();
  const document = targetDocument(options.documentID);
  if (
    ["CMYKColorMode", "labColorMode", "bitmapMode", "indexedColorMode", "duotoneMode", "multichannelMode"].includes(
      document.mode,
    )
  ) {
    // Reported of CMYK in Photoshop 26.9; the panel must not come here for any of them.
    state.isCrashed = true;
    throw new Error("Photoshop has crashed");
  }
  const { componentSize = -1 } = options;
  if (componentSize !== -1 && componentSize !== document.bits)
    throw Object.assign(new Error("Error Code: -1"), { number: -1 });
  if (options.targetSize) throw new Error("the fake host does not scale");
  const layer = options.layerID === undefined ? null : targetLayer(document, options.layerID);
  if (layer && !layer.pixels) throw new Error("The layer has no pixel data.");
  const canvas = { left: 0, top: 0, right: document.width, bottom: document.height };
  const isGrey = document.mode === "grayscaleMode";
  let whole = canvas;
  let data;
  if (layer) {
    whole = layer.pixels.bounds;
    data = isGrey ? rgbaFromGrey(layer.pixels.data, maximumOf(document.bits)) : layer.pixels.data;
  } else {
    if (isGrey) throw new Error("the fake host composites RGB documents only");
    data = visiblePicture(document);
  }
  const asked = intersect(boundsOf(options.sourceBounds, whole), whole);
  const region = asked && transfer(data, whole, asked, 4);
  const trimmed = region && tightBounds(region, asked, 4);
  if (!trimmed) throw new Error("The requested bounds contain no pixels.");
  const opaque = layer ? layer.isBackground : hasShownBackground(document);
  let samples = transfer(region, asked, trimmed, 4);
  const from = isGrey ? "sRGB IEC61966-2.1" : document.profile;
  const profile = options.colorProfile || from;
  if (options.colorSpace !== undefined && options.colorSpace !== "RGB") throw new Error("the fake host gives RGB only");
  samples = converted(samples, 4, maximumOf(document.bits), from, profile);
  // Greyscale pixels come without alpha even where the layer is transparent (uxp-photoshop#501).
  const components = opaque || isGrey ? 3 : 4;
  if (components === 3) samples = samples.filter((_, index) => index % 4 !== 3);
  return {
    level: 0,
    sourceBounds: trimmed,
    imageData: new PhotoshopImageData(
      {
        width: widthOf(trimmed),
        height: heightOf(trimmed),
        components,
        componentSize: document.bits,
        colorSpace: "RGB",
        colorProfile: profile,
        pixelFormat: components === 4 ? "RGBA" : "RGB",
      },
      samples,
    ),
  };
}

async function createImageDataFromBuffer(buffer, options) {
  await turn();
  if (!(buffer instanceof Uint8Array || buffer instanceof Uint16Array || buffer instanceof Float32Array)) {
    throw new TypeError("createImageDataFromBuffer: expected a Uint8Array, Uint16Array or Float32Array");
  }
  const { width, height, components, colorSpace, colorProfile = "", fullRange = false } = options;
  if (!colorSpace) throw new TypeError("createImageDataFromBuffer: colorSpace is required");
  if (!(width > 0 && height > 0) || buffer.length !== width * height * components) {
    throw new RangeError("createImageDataFromBuffer: the buffer's length is not width * height * components");
  }
  const componentSize = buffer.BYTES_PER_ELEMENT * 8;
  const data =
    componentSize === 16 && fullRange ? buffer.map((value) => Math.floor((value * 32768) / 65535)) : buffer.slice();
  if (componentSize === 16 && data.some((value) => value > 32768))
    throw new RangeError("createImageDataFromBuffer: 16-bit values exceed 32768");
  const pixelFormat = colorSpace === "Grayscale" ? "Grayscale" : components === 4 ? "RGBA" : "RGB";
  return new PhotoshopImageData(
    { width, height, components, componentSize, colorSpace, colorProfile, pixelFormat },
    data,
  );
}

function placeOf(targetBounds, imageData) {
  const { left, top } = targetBounds || { left: 0, top: 0 };
  if (!Number.isInteger(left) || !Number.isInteger(top)) throw new TypeError("targetBounds needs left and top");
  return { left, top, right: left + imageData.width, bottom: top + imageData.height };
}

async function putPixels(options) {
  enter("putPixels");
  await turn();
  const document = targetDocument(options.documentID);
  const layer = targetLayer(document, options.layerID);
  const { imageData } = options;
  const data = PhotoshopImageData.dataOf(imageData);
  if (layer.kind !== "pixel") throw new Error("The target layer must be a pixel layer.");
  if (document.mode !== "RGBColorMode" || imageData.colorSpace !== "RGB")
    throw new Error("The color space does not match the document.");
  if (imageData.componentSize !== document.bits) throw new Error("The component size does not match the document.");
  const bounds = placeOf(options.targetBounds, imageData);
  const { components } = imageData;
  const maximum = maximumOf(document.bits);
  const rgba = arrayFor(document.bits, imageData.width * imageData.height * 4);
  for (let i = 0, j = 0; j < rgba.length; i += components, j += 4) {
    rgba.set(data.subarray(i, i + 3), j);
    rgba[j + 3] = components === 4 ? data[i + 3] : maximum;
  }
  const own = converted(rgba, 4, maximum, imageData.colorProfile || document.profile, document.profile);
  const tight = tightBounds(own, bounds, 4);
  layer.pixels = tight && { bounds: tight, data: transfer(own, bounds, tight, 4) };
  noteEdit(document, options.commandName || "Put Pixels");
}

async function getSelection(options) {
  enter("getSelection");
  await turn();
  const document = targetDocument(options.documentID);
  if (!document.selection) throw new Error("There is no selection.");
  const asked = intersect(boundsOf(options.sourceBounds, document.selection.bounds), document.selection.bounds);
  if (!asked) throw new Error("The requested bounds contain no pixels.");
  const data = transfer(document.selection.data, document.selection.bounds, asked, 1);
  return { sourceBounds: asked, imageData: greyImage(asked, data) };
}

/** Selections and masks have 8 bits, whatever the document has. */
function greyImage(bounds, data) {
  const description = {
    width: widthOf(bounds),
    height: heightOf(bounds),
    components: 1,
    componentSize: 8,
    colorSpace: "Grayscale",
    colorProfile: "Gray Gamma 2.2",
    pixelFormat: "Grayscale",
  };
  return new PhotoshopImageData(description, data);
}

async function putLayerMask(options) {
  enter("putLayerMask");
  await turn();
  const document = targetDocument(options.documentID);
  const layer = targetLayer(document, options.layerID);
  const { imageData } = options;
  const data = PhotoshopImageData.dataOf(imageData);
  if (layer.isBackground) throw new Error("A Background layer can have no mask.");
  if (options.kind !== undefined && options.kind !== "user") throw new Error("Only user masks can be written.");
  if (imageData.components !== 1 || imageData.colorSpace !== "Grayscale")
    throw new Error("A mask needs one grayscale component.");
  if (state.rules.maskMustExist && !layer.mask) throw new Error("The layer has no user mask.");
  const canvas = { left: 0, top: 0, right: document.width, bottom: document.height };
  if (state.rules.zerosBecomeWhite && !data.subarray(0, imageData.width).some(Boolean)) data.fill(255, 0, imageData.width);
  layer.mask = { bounds: canvas, data: transfer(data, placeOf(options.targetBounds, imageData), canvas, 1) };
  noteEdit(document, options.commandName || "Put Layer Mask");
}

async function getLayerMask(options) {
  enter("getLayerMask");
  await turn();
  const document = targetDocument(options.documentID);
  const { mask } = targetLayer(document, options.layerID);
  if (!mask) throw new Error("The layer has no user mask.");
  const asked = intersect(boundsOf(options.sourceBounds, mask.bounds), mask.bounds);
  return { sourceBounds: asked, imageData: greyImage(asked, transfer(mask.data, mask.bounds, asked, 1)) };
}

const imaging = { createImageDataFromBuffer, getLayerMask, getPixels, getSelection, putLayerMask, putPixels };

module.exports = { imaging };
