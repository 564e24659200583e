/**
 * Negative controls (see controls.mjs) of the guards against what strict.mjs shows.
 */

export const strictControls = {
  "looking past what a mask shows": {
    scenario: "a mask that shows a part, or nothing, does not cut the photograph",
    patches: [
      {
        file: "source.js",
        find: "if (layer.kind === constants.LayerKind.NORMAL && (await layers.hasMask(document, layer))) return canvas;",
        replace: "",
      },
    ],
    fails: /the whole photograph was sent/,
  },
  "taking an error descriptor for an error": {
    scenario: "Photoshop does not say whether there is a mask",
    patches: [
      { file: "commands.js", find: 'if (answer && answer._obj === "error")', replace: "if (!answer)" },
      { file: "layers.js", find: "answer[properties[index]] !== false", replace: "answer[properties[index]] === true" },
    ],
    fails: /clipped/,
  },
  "unclipping what joined a stack": {
    scenario: "an unclipped result inside a clipping stack",
    patches: [
      { file: "layers.js", find: "  if (layer.isClippingMask) layer.isClippingMask = false;\n", replace: "" },
      { file: "layers.js", find: '  if (layer.isClippingMask) throw new PanelError("insert");\n', replace: "" },
    ],
    fails: /not clipped/,
  },
  "making a mask before it is written": {
    scenario: "selection changed meanwhile",
    patches: [{ file: "masks.js", find: "  await play([make]);\n", replace: "  if (isStillSelected) await play([make]);\n" }],
    fails: /has no user mask/,
  },
  "reading a mask back": {
    scenario: "selection changed meanwhile",
    patches: [
      {
        file: "masks.js",
        find: "if (!isSameMask(mask, await readMask(document.id, layer.id, mask.bounds))) throw",
        replace: "if (!readMask) throw",
      },
    ],
    fails: /did not match/,
  },
  "looking at the visible picture": {
    scenario: "a mask that is there and hides nothing",
    patches: [{ file: "masks.js", find: "  return shown === hidden;\n", replace: "  return Boolean(shown || hidden);\n" }],
    fails: /did not match/,
  },
  "looking at the visible picture in the self-test": {
    scenario: "self-test finds what masks and metadata lack",
    patches: [{ file: "selftest.js", find: "if (!isSeen) throw", replace: "if (!isWritten) throw" }],
    fails: /did not match/,
  },
  "asking about all layers at once": {
    scenario: "hundreds of layers are asked about at once",
    patches: [{ file: "layers.js", find: "if (Array.isArray(list)) return", replace: "if (!list) return" }],
    fails: /properties were asked for/,
  },
  "refusing Quick Mask mode": {
    scenario: "Quick Mask mode",
    patches: [{ file: "plan.js", find: "if (document.quickMaskMode) throw", replace: "if (!document) throw" }],
    fails: /did not match/,
  },
  "refusing a locked group": {
    scenario: "a photograph in a locked group",
    patches: [{ file: "plan.js", find: "if (locked) throw", replace: "if (locked === document) throw" }],
    fails: /did not match/,
  },
  "refusing artboards": {
    scenario: "artboards",
    patches: [{ file: "plan.js", find: "  refuseArtboards(document, layer);\n", replace: "  void refuseArtboards;\n" }],
    fails: /did not match/,
  },
  "rendering kinds that nobody knows": {
    scenario: "a kind of layer that nobody knows yet",
    patches: [
      { file: "plan.js", find: "return ADJUSTMENT_KINDS.includes(layer.kind);", replace: "return !ADJUSTMENT_KINDS.includes(layer.kind) && layer.kind !== LayerKind.NORMAL;" },
    ],
    fails: /has no pixels of its own/,
  },
  "proposing everything visible": {
    scenario: "an adjustment that is clipped to the photograph",
    patches: [{ file: "plan.js", find: "return found ? found.name : null;", replace: "return found ? null : null;" }],
    fails: /did not match/,
  },
  "converting without merging": {
    scenario: "greyscale with adjustment and text layers",
    patches: [{ file: "layers.js", find: "      merge: false,\n", replace: "" }],
    fails: /did not convert the document/,
  },
  "comparing the layers before and after": {
    scenario: "greyscale, Photoshop loses a layer",
    patches: [{ file: "layers.js", find: " || treeOf(document) !== before)", replace: ")" }],
    fails: /did not match/,
  },
  "telling the artist's own modal state": {
    scenario: "Colorize while a text is edited",
    patches: [{ file: "modal.js", find: "hasBegun || !(isElsewhere || isArtist)", replace: "hasBegun || !isElsewhere" }],
    fails: /ended without what to do/,
  },
};
