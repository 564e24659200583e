/**
 * photoshop.constants, the part that panel and host use; values are those of the documentation.
 */

const DocumentMode = {
  BITMAP: "bitmapMode",
  CMYK: "CMYKColorMode",
  DUOTONE: "duotoneMode",
  GRAYSCALE: "grayscaleMode",
  INDEXEDCOLOR: "indexedColorMode",
  LAB: "labColorMode",
  MULTICHANNEL: "multichannelMode",
  RGB: "RGBColorMode",
};

module.exports = {
  DocumentMode,
  ChangeMode: { GRAYSCALE: DocumentMode.GRAYSCALE, RGB: DocumentMode.RGB },
  BitsPerChannelType: { ONE: "bitDepth1", EIGHT: "bitDepth8", SIXTEEN: "bitDepth16", THIRTYTWO: "bitDepth32" },
  ElementPlacement: { PLACEBEFORE: "placeBefore", PLACEAFTER: "placeAfter", PLACEINSIDE: "placeInside" },
  BlendMode: {
    NORMAL: "normal",
    MULTIPLY: "multiply",
    SCREEN: "screen",
    OVERLAY: "overlay",
    COLORBURN: "colorBurn",
    COLORDODGE: "colorDodge",
    HUE: "hue",
    SATURATION: "saturation",
    COLOR: "color",
    LUMINOSITY: "luminosity",
    PASSTHROUGH: "passThrough",
  },
  LayerKind: {
    NORMAL: "pixel",
    CURVES: "curves",
    LEVELS: "levels",
    GROUP: "group",
    SMARTOBJECT: "smartObject",
    TEXT: "text",
    SOLIDFILL: "solidColor",
    GRADIENTFILL: "gradientFill",
    PATTERNFILL: "pattern",
    VIDEO: "video",
    LAYER3D: "threeD",
  },
};
