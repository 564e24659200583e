// @ts-check
/**
 * Wiring: widgets, choices, the button, and the look-out for the server.
 *
 * Controls are never disabled: a control that was disabled and enabled again can no longer be reached with the Tab key
 * (UXP's known issues).  While a run is under way the buttons that would start another one do nothing.
 */

const { entrypoints, host } = require("uxp");

// At once: a late call may give an error that cannot be caught (UXP's known issue PS-57605).
entrypoints.setup({ panels: { colorize: { show() {} } } });

const { colorize, serverTrouble } = require("./colorize.js");
const { PanelError, CancelledError, Cancellation } = require("./errors.js");
const { LANGUAGES, label, sentence, setLanguage } = require("./labels.js");
const { newHintsLayer } = require("./hints.js");
const { setForeground, suggest } = require("./palette.js");
const { selfTest } = require("./selftest.js");
const { addressesFor, findServer, parseAddress } = require("./server.js");
const { loadChoices, loadToken, parseToken, saveChoices, saveToken } = require("./settings.js");

/** When a dropdown may have taken its new items in: soon, or on a busy computer late. */
const SETTLED_MS = [100, 400, 1600];

/** How often the panel looks for a server: soon after one is missing, seldom while all is well. */
const LOOK_AGAIN_MS = { missing: 3000, found: 20000 };

/**
 * @typedef {import("./server.js").Server} Server
 * @typedef {HTMLElement & {value: string | number, checked: boolean, selectedIndex: number}} Widget Spectrum's sp-*
 */

const CHECKBOXES = /** @type {const} */ (["useHints", "useTouchUps", "addDoubt", "clip", "maskFromSelection"]);

const choices = loadChoices();
let token = "";
const tokenLoaded = loadToken().then((loaded) => {
  token = loaded;
  widget("token").value = loaded;
});
/** @type {Cancellation | null} the run under way */
let running = null;
/** @type {((mayConvert: boolean) => void) | null} */
let answerQuestion = null;
/** @type {Server | null} */
let server = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let nextLook;

/**
 * @param {string} id
 * @returns {Widget}
 */
function widget(id) {
  return /** @type {Widget} */ (document.getElementById(id));
}

/**
 * @param {string} id
 * @param {boolean} isShown
 */
function show(id, isShown) {
  widget(id).classList[isShown ? "remove" : "add"]("hidden");
}

/**
 * @param {string} text
 */
function say(text) {
  widget("status").textContent = text;
}

/** Write every label in the chosen language. */
function translate() {
  setLanguage(choices.language, host.uiLocale);
  for (const element of Array.from(document.querySelectorAll("[data-label]"))) {
    element.textContent = label(/** @type {string} */ (element.getAttribute("data-label")));
  }
  fillMenu("sizes", sizeItems());
  fillMenu("languages", [["", label("language.host")], ...Object.entries(LANGUAGES)]);
  showChosen(["source", "blend", "size", "language"]);
  showServer();
}

/**
 * Show the choices in dropdowns, and later once more where one has forgotten: it does so while its items are new.  What the
 * artist has picked meanwhile stays.
 * @param {("source" | "blend" | "size" | "language")[]} ids
 */
function showChosen(ids) {
  for (const id of ids) select(id, String(choices[id]));
  const again = () => {
    for (const id of ids) if (widget(id).selectedIndex < 0) select(id, String(choices[id]));
  };
  for (const milliseconds of SETTLED_MS) setTimeout(again, milliseconds);
}

/**
 * @returns {[string, string][]} value and text of the sizes that the model was tested at
 */
function sizeItems() {
  const model = server && server.health && server.health.model;
  const sizes = model ? model.sizes : [];
  const items = sizes.map((size) => /** @type {[string, string]} */ ([String(size), label("size.pixels", { size })]));
  return [["0", label("size.default")], ...items];
}

/**
 * @param {string} id
 * @param {[string, string][]} items
 */
function fillMenu(id, items) {
  const menu = widget(id);
  const signature = JSON.stringify(items);
  if (menu.getAttribute("data-items") === signature) return;
  menu.setAttribute("data-items", signature);
  while (menu.firstChild) menu.removeChild(menu.firstChild);
  for (const [value, text] of items) {
    const item = document.createElement("sp-menu-item");
    item.setAttribute("data-value", value);
    item.textContent = text;
    menu.appendChild(item);
  }
}

/**
 * @param {string} id of a dropdown
 * @param {string} value
 */
function select(id, value) {
  const items = Array.from(widget(id).querySelectorAll("sp-menu-item"));
  const index = items.findIndex((item) => item.getAttribute("data-value") === value);
  widget(id).selectedIndex = Math.max(index, 0);
}

/**
 * @param {string} id of a dropdown
 * @param {string} otherwise what holds while the dropdown does not say: its items are new
 * @returns {string}
 */
function selected(id, otherwise) {
  const item = Array.from(widget(id).querySelectorAll("sp-menu-item"))[widget(id).selectedIndex];
  return item ? item.getAttribute("data-value") || "" : otherwise;
}

/** The line that tells which server, backend and model are at work, or what to do about them. */
function showServer() {
  const health = server && server.health;
  const line = widget("server");
  widget("reason").textContent = (health && health.backend && health.backend.reason) || "";
  if (!server) line.textContent = label("step.connect");
  else if (server.state === "starting") line.textContent = label("step.starting");
  else if (server.state !== "ready" || !health || !health.model) line.textContent = sentence(serverTrouble(server));
  else {
    const backend = health.backend ? [health.backend.active, health.backend.device].filter(Boolean).join(" ") : "";
    line.textContent = label("server.ready", { model: `${health.model.name} ${health.model.version}`, backend });
  }
}

/**
 * @param {Server} found
 */
function foundServer(found) {
  server = found;
  show("suggestions", Boolean(found.health && found.health.suggestions));
  fillMenu("sizes", sizeItems());
  showChosen(["size"]);
  showServer();
}

/** Look for the server now, and again later; never while a run is under way. */
async function look() {
  clearTimeout(nextLook);
  try {
    if (!running) {
      const found = await findServer(addressesFor(choices.address), token);
      if (!running) foundServer(found);
    }
  } catch (error) {
    if (!running) widget("server").textContent = sentence(error);
  } finally {
    // Whatever happened: nothing ends the look-out.
    clearTimeout(nextLook);
    nextLook = setTimeout(look, server && server.state === "ready" ? LOOK_AGAIN_MS.found : LOOK_AGAIN_MS.missing);
  }
}

/** Take the choices from the widgets and remember them. */
function takeChoices() {
  choices.source = selected("source", choices.source) === "visible" ? "visible" : "layer";
  choices.blend = selected("blend", choices.blend) === "multiply" ? "multiply" : "color";
  // Until a server has told its sizes, the menu offers none: the remembered choice must survive that.
  if (server && server.health && server.health.model) choices.size = Number(selected("size", String(choices.size)));
  choices.saturation = Number(widget("saturation").value) / 100;
  for (const name of CHECKBOXES) choices[name] = Boolean(widget(name).checked);
  saveChoices(choices);
}

/** What a run asks of the panel. */
const panel = {
  /** @returns {Promise<boolean>} */
  askGrey() {
    show("question", true);
    say("");
    return new Promise((resolve) => {
      answerQuestion = (mayConvert) => {
        answerQuestion = null;
        show("question", false);
        resolve(mayConvert);
      };
      if (running) running.onCancel(() => answerQuestion && answerQuestion(false));
    });
  },
  /**
   * @param {string} text
   * @param {number} fraction
   */
  progress(text, fraction) {
    say(text);
    widget("progress").value = Math.round(fraction * 100);
  },
  found: foundServer,
};

/**
 * Do one thing at a time; whatever happens, the panel is usable again at once and says in one sentence how it ended.
 * @param {(cancellation: Cancellation) => Promise<string>} work returns the sentence for success
 */
async function run(work) {
  if (running) return;
  running = new Cancellation();
  show("running", true);
  try {
    await tokenLoaded;
    takeChoices();
    say(await work(running));
  } catch (error) {
    say(error instanceof CancelledError ? label("cancelled") : sentence(error));
  } finally {
    running = null;
    show("running", false);
    show("question", false);
    look();
  }
}

widget("colorize").addEventListener("click", () =>
  run(async (cancellation) => {
    const { answer, notes, seconds } = await colorize({ ...choices, token }, panel, cancellation);
    const { model, backend } = answer;
    return [label("done", { seconds: seconds.toFixed(1), model, backend }), ...notes].join(" ");
  }),
);

widget("new-hints").addEventListener("click", () =>
  run(async (cancellation) => {
    const done = await newHintsLayer(cancellation);
    widget("useHints").checked = true;
    takeChoices();
    return done;
  }),
);

widget("suggest").addEventListener("click", () =>
  run(async (cancellation) => {
    showSwatches(await suggest({ ...choices, token }, panel, cancellation));
    return label("suggest.done");
  }),
);

/**
 * A button for each colour, which makes it the foreground colour.
 * @param {import("./client.js").Suggestion[]} suggestions
 */
function showSwatches(suggestions) {
  const row = widget("swatches");
  while (row.firstChild) row.removeChild(row.firstChild);
  for (const { srgb, share, used } of suggestions) {
    const swatch = document.createElement("div");
    const text = used ? label("suggest.used") : label("suggest.share", { percent: Math.round(100 * share) });
    swatch.className = "swatch";
    swatch.style.backgroundColor = `rgb(${srgb.join()})`;
    for (const [name, value] of Object.entries({ tabindex: "0", role: "button", title: text, "aria-label": text }))
      swatch.setAttribute(name, value);
    const take = () =>
      run(async (cancellation) => {
        await setForeground(srgb, cancellation);
        return label("suggest.taken");
      });
    swatch.addEventListener("click", take);
    swatch.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") take();
    });
    row.appendChild(swatch);
  }
}

widget("selftest").addEventListener("click", () =>
  run((cancellation) => selfTest({ ...choices, token }, panel, cancellation)),
);

widget("cancel").addEventListener("click", () => running && running.cancel());
widget("yes").addEventListener("click", () => answerQuestion && answerQuestion(true));
widget("no").addEventListener("click", () => answerQuestion && answerQuestion(false));

widget("open-settings").addEventListener("click", () => {
  show("settings-area", widget("settings-area").classList.contains("hidden"));
});

widget("save").addEventListener("click", async () => {
  if (running) return;
  try {
    const pasted = parseToken(String(widget("token").value || ""));
    if (pasted === null) throw new PanelError("token");
    choices.address = parseAddress(String(widget("address").value || ""));
    choices.language = selected("language", choices.language);
    takeChoices();
    token = pasted;
    await saveToken(token);
    translate();
    say(label("saved"));
  } catch (error) {
    say(sentence(error));
  }
  look();
});

for (const id of ["source", "blend", "size", "saturation", ...CHECKBOXES])
  widget(id).addEventListener("change", takeChoices);

translate();
widget("address").value = choices.address;
widget("saturation").value = Math.round(choices.saturation * 100);
for (const name of CHECKBOXES) widget(name).checked = choices[name];
tokenLoaded.then(look);
