/**
 * Negative controls: the panel with one guard taken out must fail a scenario, for the reason given.  They show that the
 * fake host's refusals are real and that the scenarios look.  Here: documents, layers, pixels, the modal scope.
 */

import { conductControls } from "./controls-conduct.mjs";
import { strictControls } from "./controls-strict.mjs";
import { touchUpControls } from "./controls-touchups.mjs";

export const controls = {
  "the modal scope around the read": {
    scenario: "plain",
    patches: [
      {
        file: "colorize.js",
        find: 'await inModal(label("command.read"), cancellation, (context) => take(context, plan), waiting(0.03))',
        replace: "await take({ isCancelled: false }, plan)",
      },
    ],
    fails: /only allowed from inside a modal scope/,
  },
  "waiting for another plug-in's modal": {
    scenario: "another plug-in is modal",
    patches: [
      { file: "modal.js", find: "if (hasBegun || !(isElsewhere || isArtist)) throw error;", replace: "throw error;" },
    ],
    fails:
      /ended without the waiting text; status: Photoshop refused \(Plugin: com.example.other is running a modal command/,
  },
  "the network outside the modal scope": {
    scenario: "plain",
    patches: [
      {
        file: "colorize.js",
        find: 'await inModal(label("command.read"), cancellation, (context) => take(context, plan), waiting(0.03))',
        replace:
          'await inModal("", cancellation, async (context) => { const t = await take(context, plan); await connect(settings, panel, cancellation); return t; })',
      },
      { file: "modal.js", find: "{ commandName },", replace: '{ commandName: commandName || "x" },' },
    ],
    fails: /inside a modal scope/,
  },
  "the bounds that the host returned": {
    scenario: "transparency and offset",
    patches: [
      {
        file: "pixels.js",
        find: "const { left, top } = got.sourceBounds;\n    const { width, height, components } = image;",
        replace: "const { left, top } = bounds;\n    const { width, height, components } = image;",
      },
    ],
    fails: /placed where the host said/,
  },
  "the document's depth": {
    scenario: "sixteen bits",
    patches: [
      {
        file: "touchups.js",
        find: "if (depth === 8) return bytes;\n  return hostFromFullRange(new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2));",
        replace: "return bytes.filter((_, index) => index % 2 === 1 || depth === 8);",
      },
    ],
    fails: /component size does not match/,
  },
  "the host's 16-bit range": {
    scenario: "sixteen bits",
    patches: [
      {
        file: "samples.js",
        find: "samples[i] = Math.round((samples[i] * FULL_MAXIMUM) / HOST_MAXIMUM);",
        replace: "void FULL_MAXIMUM;",
      },
    ],
    fails: /every sample is the server's|more than 8 bits/,
  },
  "exact rounding of 16 bits": {
    scenario: "sixteen bits",
    patches: [
      {
        file: "samples.js",
        find: "samples[i] = Math.round((samples[i] * HOST_MAXIMUM) / FULL_MAXIMUM);",
        replace: "samples[i] = Math.floor((samples[i] * HOST_MAXIMUM) / FULL_MAXIMUM);",
      },
    ],
    fails: /every sample is the server's/,
  },
  "native depth for the read": {
    scenario: "sixteen bits",
    patches: [
      {
        file: "pixels.js",
        find: 'colorSpace: "RGB",\n    colorProfile: profile,',
        replace: 'colorSpace: "RGB",\n    componentSize: 8,\n    colorProfile: profile,',
      },
    ],
    fails: /Error Code: -1/,
  },
  "three components of a Background": {
    scenario: "background",
    patches: [{ file: "colorize.js", find: "channels: components,", replace: "channels: 4," }],
    fails: /body's length|bad_body|bytes/i,
  },
  "disposing of image data": {
    scenario: "plain",
    patches: [
      {
        file: "pixels.js",
        find: "targetBounds: pixels.bounds });\n  } finally {\n    image.dispose();\n  }",
        replace: "targetBounds: pixels.bounds });\n  } finally {\n  }",
      },
    ],
    fails: /undisposed image data/,
  },
  "disposing of image data only when read": {
    scenario: "plain",
    patches: [
      {
        file: "pixels.js",
        find: "const samples = await image.getData({ chunky: true, fullRange: false });\n    // The host",
        replace:
          "image.dispose();\n    const samples = await image.getData({ chunky: true, fullRange: false });\n    // The host",
      },
    ],
    fails: /image data has been disposed/,
  },
  "disposing of image data after Escape": {
    scenario: "Escape during the write",
    patches: [
      {
        file: "pixels.js",
        find: "  try {\n    await imaging.putPixels({ documentID, layerID, imageData: image, replace: true, targetBounds: pixels.bounds });\n  } finally {\n    image.dispose();\n  }",
        replace:
          "  await imaging.putPixels({ documentID, layerID, imageData: image, replace: true, targetBounds: pixels.bounds });\n  image.dispose();",
      },
    ],
    fails: /undisposed image data/,
  },
  "letting the host's cancellation through": {
    scenario: "Escape during the write",
    patches: [
      {
        file: "insert.js",
        find: "insertion.again ? resaturate(insertion, document, insertion.again) : edit(insertion, document),\n    );",
        replace: "edit(insertion, document),\n    ).catch(() => true);",
      },
    ],
    fails: /Done in/,
  },
  "looking for a cancel after every edit": {
    scenario: "Cancel during the write",
    patches: [
      {
        file: "insert.js",
        find: "await layers.selectLayer(touchUps.id);\n  cancellation.check();",
        replace: "await layers.selectLayer(touchUps.id);",
      },
    ],
    fails: /Done in/,
  },
  "RGB before colour": {
    scenario: "greyscale",
    patches: [{ file: "insert.js", find: "if (plan.isGrey) await layers.convertToRgb(document);\n", replace: "" }],
    fails: /blend mode is not possible/,
  },
  "the mode that was looked at": {
    scenario: "greyscale, another mode chosen at the question",
    patches: [{ file: "source.js", find: "if (snapshot.kind !== plan.kind)", replace: "if (!snapshot.kind)" }],
    fails: /did not match/,
  },
  "the base of a clipping stack": {
    scenario: "clipping stack",
    patches: [
      { file: "plan.js", find: "!(isAboveStack && layer.isClippingMask)", replace: "true" },
    ],
    fails: /deep-equal/,
  },
  "a converted copy for greyscale": {
    scenario: "greyscale",
    patches: [
      {
        file: "source.js",
        find: "if (!plan.isGrey && !plan.isRendered && !hidesOthers)",
        replace: "if (!plan.isRendered && !hidesOthers)",
      },
    ],
    fails: /read from the converted copy|transparency was read/,
  },
  "refusing CMYK": {
    scenario: "CMYK document",
    patches: [
      {
        file: "plan.js",
        find: "if (document.mode !== DocumentMode.RGB && document.mode !== DocumentMode.GRAYSCALE)",
        replace: "if (false)",
      },
    ],
    fails: /Photoshop has crashed/,
  },
  "refusing 32 bits": {
    scenario: "32 bits",
    patches: [
      {
        file: "plan.js",
        find: "if (depth !== BitsPerChannelType.EIGHT && depth !== BitsPerChannelType.SIXTEEN)",
        replace: "if (false)",
      },
    ],
    fails: /did not match/,
  },
  "clipping after the move": {
    scenario: "smart object, clipped",
    patches: [
      {
        file: "layers.js",
        find: "  if (!isPlaced()) layer.move(below, constants.ElementPlacement.PLACEBEFORE);\n  if (!isPlaced()) {\n    const top =",
        replace:
          "  layer.isClippingMask = true;\n  layer.move(below, constants.ElementPlacement.PLACEBEFORE);\n  if (!isPlaced()) {\n    const top =",
      },
      { file: "insert.js", find: "if (isClipped) layers.clip(colours);", replace: "" },
    ],
    fails: /false !== true|strictly equal/,
  },
  "going above a clipping stack": {
    scenario: "clipping stack",
    patches: [{ file: "layers.js", find: "  index = topOfStack(siblings, index);\n", replace: "" }],
    fails: /deep-equal/,
  },
  "looking where a move went": {
    scenario: "a move that goes wrong once",
    patches: [
      {
        file: "layers.js",
        find: "    return indexIn(siblings, layer) === indexIn(siblings, below) - 1 && indexIn(siblings, layer) >= 0;",
        replace: "    void siblings;\n    return (looks += 1) > 1;",
      },
      {
        file: "layers.js",
        find: "  const isPlaced = () => {",
        replace: "  let looks = 0;\n  const isPlaced = () => {",
      },
    ],
    fails: /deep-equal/,
  },
  "one history step": {
    scenario: "plain",
    patches: [
      {
        file: "modal.js",
        find: "const suspension = await context.hostControl.suspendHistory({ documentID, name });\n  try {\n    const result",
        replace:
          "const suspension = { historySuspensionID: 0 };\n  context = { ...context, hostControl: { ...context.hostControl, resumeHistory: async () => {} } };\n  try {\n    const result",
      },
    ],
    fails: /the history step/,
  },
  "a frame before history is resumed": {
    scenario: "plain",
    patches: [
      {
        file: "modal.js",
        find: "const result = await edit();\n    await afterFrame();",
        replace: "const result = await edit();",
      },
    ],
    fails: /the history step/,
  },
  "rolling back what failed": {
    scenario: "Photoshop refuses in the middle",
    patches: [
      {
        file: "modal.js",
        find: "    try {\n      await context.hostControl.resumeHistory(suspension, false);",
        replace: "    try {\n      await context.hostControl.resumeHistory(suspension, true);",
      },
    ],
    fails: /the documents are as before/,
  },
  "above and not below": {
    scenario: "background",
    patches: [
      {
        file: "layers.js",
        find: "  if (!isPlaced()) layer.move(below, constants.ElementPlacement.PLACEBEFORE);",
        replace: "  layer.move(below, constants.ElementPlacement.PLACEAFTER);",
      },
    ],
    fails: /Nothing can be below a Background layer/,
  },
  "a plain typed array": {
    scenario: "plain",
    patches: [
      {
        file: "pixels.js",
        find: "createImageDataFromBuffer(pixels.samples, {",
        replace: "createImageDataFromBuffer(/** @type {any} */ (Uint8ClampedArray.from(pixels.samples)), {",
      },
    ],
    fails: /expected a Uint8Array, Uint16Array or Float32Array/,
  },
  "as many samples as the bounds hold": {
    scenario: "plain",
    patches: [{ file: "pixels.js", find: "    width: pixels.width,", replace: "    width: pixels.width + 1," }],
    fails: /length is not width \* height \* components/,
  },
  "a mask of one grey component": {
    scenario: "selection changed meanwhile",
    patches: [{ file: "pixels.js", find: 'colorSpace: "Grayscale",', replace: 'colorSpace: "RGB",' }],
    fails: /A mask needs one grayscale component/,
  },
  "the mask over the whole canvas": {
    scenario: "selection to mask",
    patches: [
      {
        file: "pixels.js",
        find: "return { bounds: canvas, samples: paste(samples, from, canvas, 1) };",
        replace: "return { bounds: { ...from, left: 0, top: 0 }, samples };",
      },
    ],
    fails: /made another mask than the selection/,
  },
  "rendering a group in a copy": {
    scenario: "group",
    patches: [
      {
        file: "source.js",
        find: "if (!plan.isGrey && !plan.isRendered && !hidesOthers)",
        replace: "if (!plan.isGrey && !hidesOthers)",
      },
    ],
    fails: /The layer has no pixel data/,
  },
  ...conductControls,
  ...strictControls,
  ...touchUpControls,
};
