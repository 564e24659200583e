/**
 * A document of the fake host as PSD, by ag-psd (8 bits only: it writes no other depth).
 */

import { writePsdBuffer } from "ag-psd";

const BLEND_MODES = { normal: "normal", color: "color", multiply: "multiply", passThrough: "pass through" };

const bytesOf = (base64) => new Uint8ClampedArray(Buffer.from(base64, "base64"));

function layerOf(layer, document) {
  const common = {
    name: layer.name,
    hidden: !layer.isVisible,
    opacity: layer.opacity / 100,
    blendMode: BLEND_MODES[layer.blendMode],
    clipping: layer.isClipped,
  };
  if (layer.children) return { ...common, opened: true, children: bottomUp(layer.children, document) };
  if (layer.mask) {
    const { left, top, width, height, data } = layer.mask;
    const rgba = new Uint8ClampedArray(width * height * 4);
    bytesOf(data).forEach((value, index) => rgba.set([value, value, value, 255], index * 4));
    common.mask = {
      left,
      top,
      right: left + width,
      bottom: top + height,
      defaultColor: 0,
      imageData: { width, height, data: rgba },
    };
  }
  if (!layer.pixels) return common;
  const { left, top, width, height, data } = layer.pixels;
  return {
    ...common,
    left,
    top,
    right: left + width,
    bottom: top + height,
    imageData: { width, height, data: bytesOf(data) },
  };
}

const bottomUp = (layers, document) => [...layers].reverse().map((layer) => layerOf(layer, document));

/**
 * @param {object} document as `host/dump.js` describes it
 * @returns {Buffer}
 */
export function writePsd(document) {
  if (document.bits !== 8 || document.mode !== "RGBColorMode")
    throw new Error("only 8-bit RGB documents are written as PSD");
  return writePsdBuffer(
    {
      width: document.width,
      height: document.height,
      channels: 3,
      bitsPerChannel: 8,
      colorMode: 3,
      children: bottomUp(document.layers, document),
    },
    { generateThumbnail: false },
  );
}
