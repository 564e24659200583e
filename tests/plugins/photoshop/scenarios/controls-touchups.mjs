/**
 * Negative controls (see controls.mjs) of the touch-up loop.  The scenarios paint at fixed places: they need whole pictures.
 */

const isLarge = true;

export const touchUpControls = {
  "lifting strokes off the colours": {
    scenario: "the touch-up loop",
    patches: [{ file: "touchups.js", find: "    if (!painted) continue;\n", replace: "    if (id) continue;\n" }],
    fails: /lies on “Touch-ups” now/,
    isLarge,
  },
  "laying painted colours again": {
    scenario: "the touch-up loop",
    patches: [{ file: "insert.js", find: "  await renew(insertion, document);\n", replace: "" }],
    fails: /the colours are renewed/,
    isLarge,
  },
  "keeping the recipe with the layer": {
    scenario: "the touch-up loop",
    patches: [{ file: "insert.js", find: "    recipe: answer.recipe,\n", replace: "    recipe: null,\n" }],
    fails: /lies on “Touch-ups” now|did not match/,
    isLarge,
  },
  "strokes of the touch-ups as hints": {
    scenario: "the touch-up loop",
    patches: [{ file: "colorize.js", find: "settings.useTouchUps ? [loop.strokes", replace: "!settings ? [loop.strokes" }],
    fails: /the hint/,
    isLarge,
  },
  "adding to the touch-ups that are there": {
    scenario: "the touch-up loop",
    patches: [{ file: "touchups.js", find: "read ? paste(read.samples, read.bounds, whole, 4) :", replace: "width < 0 ? new Uint8Array(0) :" }],
    fails: /the first stroke stays/,
    isLarge,
  },
  "looking whether a layer was flipped": {
    scenario: "a layer of colour that was flipped or moved is kept",
    patches: [{ file: "touchups.js", find: "isTurned(again, painted, pixels.width, pixels.height)", replace: "!isTurned" }],
    fails: /was moved, turned or painted all over/,
    isLarge,
  },
  "looking whether a layer was moved": {
    scenario: "a layer of colour that was flipped or moved is kept",
    patches: [{ file: "touchups.js", find: "if (!work.knowsHow || colours.isMoved) {", replace: "if (!work.knowsHow) {" }],
    fails: /was moved, turned or painted all over/,
    isLarge,
  },
  "looking for strokes painted meanwhile": {
    scenario: "painted on while the server works",
    patches: [
      {
        file: "insert.js",
        find: "if (!layer || digest(await touchups.readOver(document, layer, pixels.bounds)) !== before)",
        replace: "if (!layer || !before)",
      },
    ],
    fails: /Done in/,
    isLarge,
  },
  "asking the model where strokes are new": {
    scenario: "only another saturation",
    patches: [
      { file: "colorize.js", find: "    record.hints === hints &&\n", replace: "" },
    ],
    fails: /with another stroke the model is asked/,
    isLarge,
  },
  "weak hints of faint strokes": {
    scenario: "touch-ups count as they are seen",
    patches: [{ file: "touchups.js", find: "faded(await readOver(document, layer, bounds), layer.opacity)", replace: "await readOver(document, layer, bounds)" }],
    fails: /a faint stroke is a weak hint/,
    isLarge,
  },
  "each photograph's own touch-ups": {
    scenario: "two photographs have each their own touch-ups",
    patches: [{ file: "touchups.js", find: "if (!isOfAnother) found.push", replace: "void isOfAnother; found.push" }],
    fails: /deep-equal/,
    isLarge,
  },
  "the same colour in another profile": {
    scenario: "colours for sampled points, in a document of another profile",
    patches: [{ file: "palette.js", find: "app.activeDocument.colorProfileName === source.SRGB", replace: "source.SRGB" }],
    fails: /not the same numbers/,
    isLarge,
  },
  "the middle of what is selected": {
    scenario: "colours for the selected place",
    patches: [{ file: "palette.js", find: "[bounds.left + columns[columns.length >> 1], bounds.top + y]", replace: "[bounds.left + columns[0], bounds.top + y]" }],
    fails: /the middle of the selection/,
    isLarge,
  },
  "hiding what covers clipped colours": {
    scenario: "touch-ups of a photograph that is clipped later",
    patches: [{ file: "insert.js", find: "  if (isClipped) hideCovering(document, colours, isEarlier);\n", replace: "" }],
    fails: /nothing of ours covers the new colours/,
    isLarge,
  },
};
