/**
 * Negative controls (see controls.mjs) of what the panel owes the artist and the server: what UXP has, the network, the
 * document in front, what changed meanwhile.
 */

export const conductControls = {
  "a container that scrolls": {
    scenario: "at the docked sizes everything can be reached",
    patches: [{ file: "style.css", find: "overflow-y: auto", replace: "overflow-y: visible" }],
    fails: /cut off at 230 x 320/,
  },
  "removing only a token that is there": {
    scenario: "Save without a token",
    patches: [{ file: "settings.js", find: "else if (await loadToken()) await", replace: "else await" }],
    fails: /waited in vain for German/,
  },
  "choosing once more when a dropdown has its items": {
    scenario: "dropdowns that take their items in late",
    patches: [{ file: "main.js", find: "  for (const milliseconds of SETTLED_MS) setTimeout(again, milliseconds);\n", replace: "  void SETTLED_MS;\n" }],
    fails: /waited in vain for the choices/,
  },
  "what holds while a dropdown does not say": {
    scenario: "dropdowns that take their items in late",
    patches: [
      {
        file: "main.js",
        find: 'return item ? item.getAttribute("data-value") || "" : otherwise;',
        replace: 'return item ? item.getAttribute("data-value") || "" : otherwise.slice(0, 0);',
      },
    ],
    fails: /deep-equal/,
  },
  "doing without AbortController": {
    scenario: "a host without AbortController",
    patches: [{ file: "server.js", find: 'typeof AbortController === "function" ?', replace: "true ?" }],
    fails: /waited in vain for the server line/,
  },
  "a look-out that goes on": {
    scenario: "nothing ends the look-out",
    patches: [
      { file: "main.js", find: "if (!running) widget(\"server\").textContent = sentence(error);", replace: "throw error;" },
    ],
    fails: /unhandled|waited in vain/,
  },
  "only what UXP has": {
    scenario: "plain",
    patches: [
      {
        file: "server.js",
        find: "return JSON.parse(reply.text);",
        replace: "new TextDecoder(); return JSON.parse(reply.text);",
      },
    ],
    fails: /TextDecoder (does not exist|is not defined)/,
  },
  "a hash library of its own": {
    scenario: "plain",
    patches: [
      {
        file: "server.js",
        find: "health.proof !== sha256.hmac(token, `${nonce}:${port}`)",
        replace: "health.proof !== String(crypto.subtle)",
      },
    ],
    fails: /crypto\.subtle/,
  },
  "no code from strings": {
    scenario: "plain",
    patches: [
      {
        file: "main.js",
        find: "const choices = loadChoices();",
        replace: 'const choices = new Function("return arguments[0]()")(loadChoices);',
      },
    ],
    fails: /unsafe-eval|code from a string|waited in vain/,
  },
  "the manifest's ports": {
    scenario: "plain",
    patches: [
      {
        file: "server.js",
        find: "const PORTS = [47811, 47812, 47813];",
        replace: "const PORTS = [47811, 47812, 47814];",
      },
    ],
    fails: /denied by the manifest/,
  },
  "asking before a change of mode": {
    scenario: "greyscale, left as it is",
    patches: [
      {
        file: "colorize.js",
        find: "if (plan.isGrey && !(await panel.askGrey())) throw new CancelledError();",
        replace: "void CancelledError;",
      },
    ],
    fails: /ended without the question/,
  },
  "the photograph's document in front": {
    scenario: "another document in front meanwhile",
    patches: [
      {
        file: "layers.js",
        find: '  if (app.activeDocument.id !== document.id) app.activeDocument = document;\n  if (app.activeDocument.id !== document.id) throw new PanelError("activate");',
        replace: "  void document;",
      },
    ],
    fails: /instead of|violations|rules broken|Done/,
  },
  "looking whether the document is open": {
    scenario: "document closed meanwhile",
    patches: [{ file: "layers.js", find: '  if (!document) throw new PanelError("changed.closed");\n', replace: "" }],
    fails: /The document was closed/,
  },
  "looking whether the layer was moved": {
    scenario: "layer moved meanwhile",
    patches: [
      {
        file: "source.js",
        find: 'if (now.layerBounds !== before.layerBounds) throw new PanelError("changed.moved");',
        replace: "",
      },
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
    patches: [
      {
        file: "source.js",
        find: "JSON.stringify([document.activeHistoryState.id, look])",
        replace: "JSON.stringify([document.activeHistoryState.id, Boolean(look)])",
      },
    ],
    fails: /Done in/,
  },
  "selecting the layer of touch-ups": {
    scenario: "again",
    patches: [{ file: "insert.js", find: "  await layers.selectLayer(touchUps.id);\n", replace: "" }],
    fails: /the layer to go on painting on is selected/,
  },
  "the proof before the token": {
    scenario: "a stranger who passes for the server",
    patches: [
      {
        file: "server.js",
        find: "if (health.proof !== sha256.hmac(token, `${nonce}:${port}`))",
        replace: "if (`${nonce}:${port}` === token)",
      },
    ],
    fails: /waited in vain|stranger got|token was not sent/,
  },
  "the proof on the port that was asked": {
    scenario: "a stranger relays the health of our server",
    patches: [
      {
        file: "server.js",
        find: 'const port = address.slice(address.lastIndexOf(":") + 1);',
        replace: 'const port = Object(health).port || address.slice(address.lastIndexOf(":") + 1);',
      },
    ],
    fails: /waited in vain for the server line .+does not know this panel's token/,
  },
  "telling the server of a cancel": {
    scenario: "cancel while the server works",
    patches: [{ file: "client.js", find: "    forget(id, sendLast);\n  }\n}", replace: "    void sendLast;\n  }\n}" }],
    fails: /waited in vain for the job's end|dropped the job/,
  },
  "deleting a job that was cancelled while it was sent": {
    scenario: "cancel while sending",
    patches: [{ file: "client.js", find: "if (late.status === 202) forget(jsonOf(late).id);", replace: "void late;" }],
    fails: /the job's DELETE/,
  },
  "a cancel that does not rely on abort signals": {
    scenario: "cancel while the server works",
    patches: [
      {
        file: "server.js",
        find: "cancellation.onCancel(() => reject(new CancelledError()))",
        replace: "cancellation.onCancel(() => controller.abort())",
      },
    ],
    fails: /dropped the job/,
  },
  "a time limit of its own": {
    scenario: "a stranger who never answers",
    patches: [
      {
        file: "server.js",
        find: 'setTimeout(() => reject(new PanelError("timeout")), timeoutMs)',
        replace: "setTimeout(() => controller.abort(), timeoutMs)",
      },
    ],
    fails: /waited in vain for the server line/,
  },
  "checking an answer's length": {
    scenario: "an answer that does not fit",
    patches: [
      { file: "client.js", find: "if (!isAsSent || !isWhole) throw", replace: "if (!isAsSent) throw" },
    ],
    fails: /did not match/,
  },
  "never disabling a control": {
    scenario: "keyboard",
    patches: [
      {
        file: "main.js",
        find: 'running = new Cancellation();\n  show("running", true);',
        replace:
          'running = new Cancellation();\n  Object.assign(widget("colorize"), { disabled: true });\n  setTimeout(() => Object.assign(widget("colorize"), { disabled: false }), 300);\n  show("running", true);',
      },
    ],
    fails: /reachable after a run/,
  },
  "one run at a time": {
    scenario: "another run while one is under way",
    patches: [
      {
        file: "main.js",
        find: "async function run(work) {\n  if (running) return;",
        replace: "async function run(work) {",
      },
    ],
    fails: /strictly equal|inside a modal scope/,
  },
  "strokes and earlier results out of the picture": {
    scenario: "visible",
    patches: [
      {
        file: "source.js",
        find: "const hidesOthers = layer === null && shownOthers(document.layers).length > 0;",
        replace: "const hidesOthers = layer === undefined;",
      },
    ],
    fails: /no colour is in the photograph/,
  },
  "closing the temporary copy": {
    scenario: "group",
    patches: [
      { file: "layers.js", find: "  await context.hostControl.registerAutoCloseDocument(copy.id);\n", replace: "" },
      {
        file: "layers.js",
        find: "      await context.hostControl.unregisterAutoCloseDocument(copy.id);\n      copy.closeWithoutSaving();\n",
        replace: "",
      },
    ],
    fails: /temporary copy is closed|rules broken|instead of/,
  },
  "closing the temporary copy after Escape": {
    scenario: "Escape while a copy is open",
    patches: [
      { file: "layers.js", find: "  await context.hostControl.registerAutoCloseDocument(copy.id);\n", replace: "" },
      {
        file: "layers.js",
        find: "      await context.hostControl.unregisterAutoCloseDocument(copy.id);\n",
        replace: "",
      },
    ],
    fails: /the documents are as before/,
  },
  "the artist's document in front after a failure": {
    scenario: "another document in front, and Photoshop refuses",
    patches: [
      { file: "insert.js", find: "if (!context.isCancelled) layers.activate(inFront);", replace: "void inFront;" },
    ],
    fails: /the same document is in front/,
  },
  "setting up the entrypoints at once": {
    scenario: "plain",
    patches: [
      {
        file: "main.js",
        find: "entrypoints.setup({ panels: { colorize: { show() {} } } });",
        replace:
          'document.addEventListener("DOMContentLoaded", () => entrypoints.setup({ panels: { colorize: { show() {} } } }));',
      },
    ],
    fails: /entrypoints\.setup was called late/,
  },
  "an entrypoint that does not wait": {
    scenario: "plain",
    patches: [
      {
        file: "main.js",
        find: "entrypoints.setup({ panels: { colorize: { show() {} } } });",
        replace: "entrypoints.setup({ panels: { colorize: { async show() {} } } });",
      },
    ],
    fails: /times out after 300 ms/,
  },
  "the manifest's panel": {
    scenario: "plain",
    patches: [
      {
        file: "main.js",
        find: "entrypoints.setup({ panels: { colorize: {",
        replace: "entrypoints.setup({ panels: { main: {",
      },
    ],
    fails: /the manifest has no panel main/,
  },
  "the token in encrypted storage": {
    scenario: "not paired",
    patches: [
      {
        file: "settings.js",
        find: "if (token) await storage.secureStorage.setItem(TOKEN_KEY, token);",
        replace: "if (token) localStorage.setItem(TOKEN_KEY, token);",
      },
    ],
    fails: /encrypted storage/,
  },
};
