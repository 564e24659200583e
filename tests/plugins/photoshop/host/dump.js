/**
 * A document as JSON, pixels in base64: what tests compare and what is written as PSD.
 */

const { base64From } = require("./uxp.js");

function picture(part) {
  if (!part) return null;
  const { bounds, data } = part;
  return {
    left: bounds.left,
    top: bounds.top,
    width: bounds.right - bounds.left,
    height: bounds.bottom - bounds.top,
    data: base64From(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  };
}

function dumpLayer(layer) {
  const { id, name, kind, isVisible, opacity, blendMode, isClipped, isBackground } = layer;
  return {
    id,
    name,
    kind,
    isVisible,
    opacity,
    blendMode,
    isClipped,
    isBackground,
    pixels: picture(layer.pixels),
    mask: picture(layer.mask),
    xmp: layer.xmp || "",
    children: layer.children ? layer.children.map(dumpLayer) : null,
  };
}

function dump(document) {
  const { id, name, width, height, mode, bits, profile, selectedIDs } = document;
  return {
    id,
    name,
    width,
    height,
    mode,
    bits,
    profile,
    selectedIDs,
    selection: picture(document.selection),
    isSuspended: document.suspension !== null,
    history: document.history.map((step) => step.name),
    layers: document.layers.map(dumpLayer),
  };
}

module.exports = { dump };
