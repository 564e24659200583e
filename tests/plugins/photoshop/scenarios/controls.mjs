/**
 * Negative controls: the panel with one guard taken out must fail a scenario, for the reason given.  They show that the
 * fake host's refusals are real and that the scenarios look.
 */

export const controls = {
  "the modal scope around the read": {
    scenario: "plain",
    patches: [
      {
        file: "colorize.js",
        find: 'await inModal(label("command.read"), cancellation, (context) => source.take(context, plan), onBusy)',
        replace: "await source.take({ isCancelled: false }, plan, onBusy)",
      },
    ],
    fails: /only allowed from inside a modal scope/,
  },
  "waiting for another plug-in's modal": {
    scenario: "another plug-in is modal",
    patches: [{ file: "modal.js", find: "const MODAL_ELSEWHERE = 9;", replace: "const MODAL_ELSEWHERE = -9;" }],
    fails: /ended without the waiting text; status: Photoshop refused \(Plugin: com.example.other is running a modal command/,
  },
  "the network outside the modal scope": {
    scenario: "plain",
    patches: [
      {
        file: "colorize.js",
        find: 'await inModal(label("command.read"), cancellation, (context) => source.take(context, plan), onBusy)',
        replace: 'await inModal("", cancellation, async (context) => { const t = await source.take(context, plan); await connect(settings, panel, cancellation); return t; }, onBusy)',
      },
      { file: "modal.js", find: "{ commandName },", replace: '{ commandName: commandName || "x" },' },
    ],
    fails: /inside a modal scope/,
  },
  "the bounds that the host returned": {
    scenario: "transparency and offset",
    patches: [{ file: "pixels.js", find: "const { left, top } = got.sourceBounds;\n    const { width, height, components } = image;", replace: "const { left, top } = bounds;\n    const { width, height, components } = image;" }],
    fails: /placed where the host said/,
  },
  "the document's depth": {
    scenario: "sixteen bits",
    patches: [{ file: "colorize.js", find: "if (pixels.depth === 8) return bytes;\n  return hostFromFullRange(new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2));", replace: "return bytes.filter((_, index) => index % 2 === 1 || pixels.depth === 8);" }],
    fails: /component size does not match/,
  },
  "the host's 16-bit range": {
    scenario: "sixteen bits",
    patches: [{ file: "samples.js", find: "full[i] = Math.round((host[i] * FULL_MAXIMUM) / HOST_MAXIMUM);", replace: "full[i] = host[i];" }],
    fails: /every sample is the server's|more than 8 bits/,
  },
  "exact rounding of 16 bits": {
    scenario: "sixteen bits",
    patches: [{ file: "samples.js", find: "host[i] = Math.round((full[i] * HOST_MAXIMUM) / FULL_MAXIMUM);", replace: "host[i] = Math.floor((full[i] * HOST_MAXIMUM) / FULL_MAXIMUM);" }],
    fails: /every sample is the server's/,
  },
  "native depth for the read": {
    scenario: "sixteen bits",
    patches: [{ file: "pixels.js", find: 'colorSpace: "RGB",\n    colorProfile: profile,', replace: 'colorSpace: "RGB",\n    componentSize: 8,\n    colorProfile: profile,' }],
    fails: /Error Code: -1/,
  },
  "three components of a Background": {
    scenario: "background",
    patches: [{ file: "colorize.js", find: "channels: components, depth", replace: "channels: 4, depth" }],
    fails: /body's length|bad_body|bytes/i,
  },
  "only what UXP has": {
    scenario: "plain",
    patches: [{ file: "client.js", find: "return JSON.parse(reply.text);", replace: "new TextDecoder(); return JSON.parse(reply.text);" }],
    fails: /TextDecoder (does not exist|is not defined)/,
  },
  "a hash library of its own": {
    scenario: "plain",
    patches: [{ file: "client.js", find: "health.proof !== sha256.hmac(token, nonce)", replace: "health.proof !== String(crypto.subtle)" }],
    fails: /crypto\.subtle/,
  },
  "no code from strings": {
    scenario: "plain",
    patches: [{ file: "main.js", find: "const choices = loadChoices();", replace: 'const choices = new Function("return arguments[0]()")(loadChoices);' }],
    fails: /unsafe-eval|code from a string|waited in vain/,
  },
  "the manifest's ports": {
    scenario: "plain",
    patches: [{ file: "client.js", find: "const PORTS = [47811, 47812, 47813];", replace: "const PORTS = [47811, 47812, 47814];" }],
    fails: /denied by the manifest/,
  },
  "disposing of image data": {
    scenario: "plain",
    patches: [{ file: "pixels.js", find: "targetBounds: pixels.bounds });\n  } finally {\n    image.dispose();\n  }", replace: "targetBounds: pixels.bounds });\n  } finally {\n  }" }],
    fails: /undisposed image data/,
  },
  "disposing of image data only when read": {
    scenario: "plain",
    patches: [{ file: "pixels.js", find: "const samples = await image.getData({ chunky: true, fullRange: false });\n    // The host", replace: "image.dispose();\n    const samples = await image.getData({ chunky: true, fullRange: false });\n    // The host" }],
    fails: /image data has been disposed/,
  },
  "disposing of image data after Escape": {
    scenario: "Escape during the write",
    patches: [{ file: "pixels.js", find: "  try {\n    await imaging.putPixels({ documentID, layerID, imageData: image, replace: true, targetBounds: pixels.bounds });\n  } finally {\n    image.dispose();\n  }", replace: "  await imaging.putPixels({ documentID, layerID, imageData: image, replace: true, targetBounds: pixels.bounds });\n  image.dispose();" }],
    fails: /undisposed image data/,
  },
  "letting the host's cancellation through": {
    scenario: "Escape during the write",
    patches: [{ file: "colorize.js", find: "insert(context, document, plan, taken, answer, settings, cancellation));", replace: "insert(context, document, plan, taken, answer, settings, cancellation)).catch(() => {});" }],
    fails: /Done in/,
  },
  "RGB before colour": {
    scenario: "greyscale",
    patches: [{ file: "colorize.js", find: "if (plan.isGrey) await layers.convertToRgb(document);\n", replace: "" }],
    fails: /blend mode is not possible/,
  },
  "a converted copy for greyscale": {
    scenario: "greyscale",
    patches: [{ file: "source.js", find: "if (!plan.isGrey && !plan.isRendered && !hidesHints)", replace: "if (!plan.isRendered && !hidesHints)" }],
    fails: /read from the converted copy|transparency was read/,
  },
  "asking before a change of mode": {
    scenario: "greyscale, left as it is",
    patches: [{ file: "colorize.js", find: "if (plan.isGrey && !(await panel.askGrey())) throw new CancelledError();", replace: "void CancelledError;" }],
    fails: /ended without the question/,
  },
  "refusing CMYK": {
    scenario: "CMYK document",
    patches: [{ file: "source.js", find: "if (document.mode !== DocumentMode.RGB && document.mode !== DocumentMode.GRAYSCALE)", replace: "if (false)" }],
    fails: /Photoshop has crashed/,
  },
  "refusing 32 bits": {
    scenario: "32 bits",
    patches: [{ file: "source.js", find: "if (depth !== BitsPerChannelType.EIGHT && depth !== BitsPerChannelType.SIXTEEN)", replace: "if (false)" }],
    fails: /did not match/,
  },
  "clipping after the move": {
    scenario: "smart object, clipped",
    patches: [
      { file: "layers.js", find: "  if (!isPlaced()) layer.move(below, constants.ElementPlacement.PLACEBEFORE);\n  if (!isPlaced()) {\n    layer.bringToFront();", replace: "  layer.isClippingMask = true;\n  layer.move(below, constants.ElementPlacement.PLACEBEFORE);\n  if (!isPlaced()) {\n    layer.bringToFront();" },
      { file: "colorize.js", find: "if (isClipped) layers.clip(colour);", replace: "" },
    ],
    fails: /false !== true|strictly equal/,
  },
  "going above a clipping stack": {
    scenario: "clipping stack",
    patches: [{ file: "colorize.js", find: "const below = isClipped || plan.layerID === null ? base : layers.topOfStack(document, base);", replace: "const below = base;" }],
    fails: /deep-equal/,
  },
  "looking where a move went": {
    scenario: "a move that goes wrong once",
    patches: [{ file: "layers.js", find: "    return indexIn(siblings, layer) === indexIn(siblings, below) - 1 && indexIn(siblings, layer) >= 0;", replace: "    void siblings;\n    return (looks += 1) > 1;" }, { file: "layers.js", find: "  const isPlaced = () => {", replace: "  let looks = 0;\n  const isPlaced = () => {" }],
    fails: /deep-equal/,
  },
  "one history step": {
    scenario: "plain",
    patches: [{ file: "modal.js", find: "const suspension = await context.hostControl.suspendHistory({ documentID, name });\n  try {\n    const result", replace: "const suspension = { historySuspensionID: 0 };\n  context = { ...context, hostControl: { ...context.hostControl, resumeHistory: async () => {} } };\n  try {\n    const result" }],
    fails: /the history step/,
  },
  "a frame before history is resumed": {
    scenario: "plain",
    patches: [
      { file: "modal.js", find: "const result = await edit();\n    await afterFrame();", replace: "const result = await edit();" },
    ],
    fails: /the history step/,
  },
  "rolling back what failed": {
    scenario: "Photoshop refuses in the middle",
    patches: [{ file: "modal.js", find: "    try {\n      await context.hostControl.resumeHistory(suspension, false);", replace: "    try {\n      await context.hostControl.resumeHistory(suspension, true);" }],
    fails: /the documents are as before/,
  },
  "the photograph's document in front": {
    scenario: "another document in front meanwhile",
    patches: [{ file: "layers.js", find: "  if (app.activeDocument.id !== document.id) app.activeDocument = document;\n  if (app.activeDocument.id !== document.id) throw new PanelError(\"activate\");", replace: "  void document;" }],
    fails: /instead of|violations|rules broken|Done/,
  },
  "looking whether the document is open": {
    scenario: "document closed meanwhile",
    patches: [{ file: "source.js", find: 'async function stillFitting(context, plan, taken) {\n  const document = layers.documentById(plan.documentID);\n  if (!document) throw new PanelError("changed.closed");', replace: "async function stillFitting(context, plan, taken) {\n  const document = layers.documentById(plan.documentID);" }],
    fails: /The document was closed/,
  },
  "looking whether the layer was moved": {
    scenario: "layer moved meanwhile",
    patches: [
      { file: "source.js", find: 'if (now.layerBounds !== before.layerBounds) throw new PanelError("changed.moved");', replace: "" },
      { file: "source.js", find: "if (!isInPlace || !isSamePicture", replace: "void isInPlace; if (!isSamePicture" },
    ],
    fails: /Done in/,
  },
  "looking whether the picture is the same": {
    scenario: "photograph mirrored meanwhile",
    patches: [{ file: "source.js", find: "if (now.appearance !== before.appearance) {", replace: "if (false) {" }],
    fails: /Done in/,
  },
  "looking at what is visible": {
    scenario: "visible layer hidden meanwhile",
    patches: [{ file: "source.js", find: "JSON.stringify([document.activeHistoryState.id, look])", replace: "JSON.stringify([document.activeHistoryState.id, look.length])" }],
    fails: /Done in/,
  },
  "selecting the artist's layers again": {
    scenario: "plain",
    patches: [{ file: "colorize.js", find: "  await layers.selectLayers(selected);\n", replace: "  void selected;\n" }],
    fails: /the same layers are selected/,
  },
  "the proof before the token": {
    scenario: "a stranger who passes for the server",
    patches: [{ file: "client.js", find: "if (health.proof !== sha256.hmac(token, nonce))", replace: "if (nonce === token)" }],
    fails: /waited in vain|stranger got|token was not sent/,
  },
  "telling the server of a cancel": {
    scenario: "cancel while the server works",
    patches: [{ file: "client.js", find: "    forget(id);\n  }\n}", replace: "    void id;\n  }\n}" }],
    fails: /waited in vain for the job's end|dropped the job/,
  },
  "deleting a job that was cancelled while it was sent": {
    scenario: "cancel while sending",
    patches: [{ file: "client.js", find: "if (late.status === 202) forget(jsonOf(late).id);", replace: "void late;" }],
    fails: /the job's DELETE/,
  },
  "a cancel that does not rely on abort signals": {
    scenario: "cancel while the server works",
    patches: [{ file: "client.js", find: "cancellation.onCancel(() => reject(new CancelledError()))", replace: "cancellation.onCancel(() => controller.abort())" }],
    fails: /dropped the job/,
  },
  "a time limit of its own": {
    scenario: "a stranger who never answers",
    patches: [{ file: "client.js", find: 'setTimeout(() => reject(new PanelError("timeout")), timeoutMs)', replace: "setTimeout(() => controller.abort(), timeoutMs)" }],
    fails: /waited in vain for the server line/,
  },
  "checking an answer's length": {
    scenario: "an answer that does not fit",
    patches: [{ file: "client.js", find: "reply.bytes.byteLength !== length + (options.doubt ? pixels : 0)", replace: "false" }],
    fails: /did not match/,
  },
  "never disabling a control": {
    scenario: "keyboard",
    patches: [{ file: "main.js", find: 'running = new Cancellation();\n  show("running", true);', replace: 'running = new Cancellation();\n  Object.assign(widget("colorize"), { disabled: true });\n  setTimeout(() => Object.assign(widget("colorize"), { disabled: false }), 300);\n  show("running", true);' }],
    fails: /reachable after a run/,
  },
  "one run at a time": {
    scenario: "another run while one is under way",
    patches: [{ file: "main.js", find: "async function run(work) {\n  if (running) return;", replace: "async function run(work) {" }],
    fails: /strictly equal|inside a modal scope/,
  },
  "above and not below": {
    scenario: "background",
    patches: [{ file: "layers.js", find: "  if (!isPlaced()) layer.move(below, constants.ElementPlacement.PLACEBEFORE);", replace: "  layer.move(below, constants.ElementPlacement.PLACEAFTER);" }],
    fails: /Nothing can be below a Background layer/,
  },
  "a plain typed array": {
    scenario: "plain",
    patches: [{ file: "pixels.js", find: "createImageDataFromBuffer(pixels.samples, {", replace: "createImageDataFromBuffer(/** @type {any} */ (Uint8ClampedArray.from(pixels.samples)), {" }],
    fails: /expected a Uint8Array, Uint16Array or Float32Array/,
  },
  "as many samples as the bounds hold": {
    scenario: "plain",
    patches: [{ file: "pixels.js", find: "    width: pixels.width,", replace: "    width: pixels.width + 1," }],
    fails: /length is not width \* height \* components/,
  },
  "a mask of one grey component": {
    scenario: "selection to mask",
    patches: [{ file: "pixels.js", find: 'colorSpace: "Grayscale",', replace: 'colorSpace: "RGB",' }],
    fails: /A mask needs one grayscale component/,
  },
  "the mask over the whole canvas": {
    scenario: "selection to mask",
    patches: [{ file: "pixels.js", find: "return { bounds: canvas, samples: paste(samples, from, canvas, 1) };", replace: "return { bounds: { ...from, left: 0, top: 0 }, samples };" }],
    fails: /strictly equal|length is not/,
  },
  "hints out of the picture": {
    scenario: "visible",
    patches: [{ file: "source.js", find: "const hidesHints = layer === null && hints !== null;", replace: "const hidesHints = layer === null && hints === undefined;" }],
    fails: /no stroke is in the photograph/,
  },
  "rendering a group in a copy": {
    scenario: "group",
    patches: [{ file: "source.js", find: "if (!plan.isGrey && !plan.isRendered && !hidesHints)", replace: "if (!plan.isGrey && !hidesHints)" }],
    fails: /The layer has no pixel data/,
  },
  "closing the temporary copy": {
    scenario: "group",
    patches: [
      { file: "layers.js", find: "  await context.hostControl.registerAutoCloseDocument(copy.id);\n", replace: "" },
      { file: "layers.js", find: "      await context.hostControl.unregisterAutoCloseDocument(copy.id);\n      copy.closeWithoutSaving();\n", replace: "" },
    ],
    fails: /temporary copy is closed|rules broken|instead of/,
  },
  "closing the temporary copy after Escape": {
    scenario: "Escape while a copy is open",
    patches: [
      { file: "layers.js", find: "  await context.hostControl.registerAutoCloseDocument(copy.id);\n", replace: "" },
      { file: "layers.js", find: "      await context.hostControl.unregisterAutoCloseDocument(copy.id);\n", replace: "" },
    ],
    fails: /the documents are as before/,
  },
  "the artist's document in front after a failure": {
    scenario: "another document in front, and Photoshop refuses",
    patches: [{ file: "colorize.js", find: "if (!context.isCancelled) layers.activate(inFront);", replace: "void inFront;" }],
    fails: /the same document is in front/,
  },
  "setting up the entrypoints at once": {
    scenario: "plain",
    patches: [{ file: "main.js", find: "entrypoints.setup({ panels: { colorize: { show() {} } } });", replace: 'document.addEventListener("DOMContentLoaded", () => entrypoints.setup({ panels: { colorize: { show() {} } } }));' }],
    fails: /entrypoints\.setup was called late/,
  },
  "an entrypoint that does not wait": {
    scenario: "plain",
    patches: [{ file: "main.js", find: "entrypoints.setup({ panels: { colorize: { show() {} } } });", replace: "entrypoints.setup({ panels: { colorize: { async show() {} } } });" }],
    fails: /times out after 300 ms/,
  },
  "the manifest's panel": {
    scenario: "plain",
    patches: [{ file: "main.js", find: "entrypoints.setup({ panels: { colorize: {", replace: "entrypoints.setup({ panels: { main: {" }],
    fails: /the manifest has no panel main/,
  },
  "the token in encrypted storage": {
    scenario: "not paired",
    patches: [{ file: "settings.js", find: "if (token) await storage.secureStorage.setItem(TOKEN_KEY, token);", replace: "if (token) localStorage.setItem(TOKEN_KEY, token);" }],
    fails: /encrypted storage/,
  },
};
