// @ts-check
/**
 * Every text of the panel, in every language of the panel; those of what went wrong are in sentences.js.  Imports nothing
 * of the host.
 *
 * `{name}` in a text is a value; a value that begins with "@" is itself a key.  To add a language, add a column: a test
 * checks that no text is missing.
 */

const { PanelError } = require("./errors.js");
const { SENTENCES } = require("./sentences.js");

/** @type {Record<string, string>} languages by code, in their own words */
const LANGUAGES = { en: "English", de: "Deutsch" };

/** @type {Record<string, {en: string, de: string}>} */
const TABLE = {
  ...SENTENCES,

  // The panel
  colorize: { en: "Colorize", de: "Kolorieren" },
  cancel: { en: "Cancel", de: "Abbrechen" },
  source: { en: "Source", de: "Quelle" },
  "source.layer": { en: "Active layer", de: "Aktive Ebene" },
  "source.visible": { en: "Everything visible", de: "Alles Sichtbare" },
  size: { en: "Detail", de: "Detail" },
  "size.pixels": { en: "{size} px", de: "{size} px" },
  "size.default": { en: "Default of the model", de: "Vorgabe des Modells" },
  saturation: { en: "Saturation", de: "Sättigung" },
  blend: { en: "Blend mode", de: "Füllmethode" },
  "blend.color": { en: "Color (photographs)", de: "Farbe (Fotografien)" },
  "blend.multiply": { en: "Multiply (line art on white)", de: "Multiplizieren (Strichzeichnung auf Weiß)" },
  hints: { en: "Use the layer “Colour hints”", de: "Ebene „Farbhinweise“ verwenden" },
  "hints.layer": { en: "Colour hints", de: "Farbhinweise" },
  "hints.new": { en: "New hints layer", de: "Neue Hinweisebene" },
  "hints.made": {
    en: "Paint strokes of colour on the layer “{name}”, then press Colorize.",
    de: "Malen Sie farbige Striche auf die Ebene „{name}“ und drücken Sie dann Kolorieren.",
  },
  suggest: { en: "Suggested colours", de: "Vorgeschlagene Farben" },
  "suggest.done": {
    en: "Press a colour to paint with it.",
    de: "Drücken Sie eine Farbe, um mit ihr zu malen.",
  },
  "suggest.share": { en: "{percent} %", de: "{percent} %" },
  "suggest.used": { en: "used here", de: "hier verwendet" },
  "suggest.taken": { en: "This is the foreground colour now.", de: "Das ist jetzt die Vordergrundfarbe." },
  touchups: { en: "Let my touch-ups guide the colours", de: "Meine Nachbesserungen lenken die Farben" },
  "touchups.layer": { en: "Touch-ups", de: "Nachbesserungen" },
  doubt: {
    en: "Add a hidden layer showing where the model guesses",
    de: "Verborgene Ebene hinzufügen, die zeigt, wo das Modell rät",
  },
  "doubt.layer": { en: "guesses (bright = unsure)", de: "Vermutungen (hell = unsicher)" },
  clip: { en: "Clip to the layer", de: "Mit der Ebene als Schnittmaske" },
  mask: { en: "Recolour the selection only", de: "Nur die Auswahl neu kolorieren" },
  settings: { en: "Settings", de: "Einstellungen" },
  address: { en: "Server address (empty: automatic)", de: "Server-Adresse (leer: automatisch)" },
  token: { en: "Token (colorize-server pair photoshop)", de: "Token (colorize-server pair photoshop)" },
  language: { en: "Language", de: "Sprache" },
  "language.host": { en: "As Photoshop", de: "Wie Photoshop" },
  save: { en: "Save", de: "Sichern" },
  selftest: { en: "Self-test", de: "Selbsttest" },
  yes: { en: "Convert to RGB", de: "In RGB umwandeln" },
  no: { en: "Leave it", de: "So lassen" },
  "ask.grey": {
    en: "A greyscale document cannot hold colour: may it become RGB, in the same history step as the new layer?",
    de: "Ein Graustufen-Dokument kann keine Farbe halten: darf es RGB werden, im selben Protokollschritt wie die neue Ebene?",
  },

  // What Photoshop shows
  history: { en: "Colorize", de: "Kolorieren" },
  "command.read": { en: "Colorize: reading the photograph", de: "Kolorieren: Foto wird gelesen" },
  "command.write": { en: "Colorize: adding the layer", de: "Kolorieren: Ebene wird hinzugefügt" },
  "command.strokes": { en: "Colorize: looking for your strokes", de: "Kolorieren: Ihre Striche werden gesucht" },
  "command.foreground": { en: "Colorize: foreground colour", de: "Kolorieren: Vordergrundfarbe" },
  "command.selftest": { en: "Colorize: self-test", de: "Kolorieren: Selbsttest" },

  // Progress
  "step.connect": { en: "Looking for the server …", de: "Server wird gesucht …" },
  "step.starting": { en: "The server is loading its model …", de: "Der Server lädt sein Modell …" },
  "step.modal": { en: "Waiting for another plug-in …", de: "Warten auf ein anderes Plug-in …" },
  "step.modal.artist": {
    en: "Photoshop is busy: finish your text or transformation …",
    de: "Photoshop ist beschäftigt: schließen Sie Text oder Transformation ab …",
  },
  "step.read": { en: "Reading the photograph …", de: "Foto wird gelesen …" },
  "step.strokes": { en: "Looking for your strokes …", de: "Ihre Striche werden gesucht …" },
  "step.send": { en: "Sending …", de: "Senden …" },
  "step.busy": { en: "The server is busy, waiting …", de: "Der Server ist beschäftigt, warten …" },
  "step.queue": { en: "Waiting, {ahead} before you …", de: "Warten, {ahead} vor Ihnen …" },
  "step.run": { en: "Colorizing …", de: "Kolorieren …" },
  "step.fetch": { en: "Receiving …", de: "Empfangen …" },
  "step.suggest": { en: "Asking for colours …", de: "Farben werden erfragt …" },
  "step.write": { en: "Adding the layer …", de: "Ebene wird hinzugefügt …" },
  "step.selftest": { en: "Writing and reading 16 × 16 pixels …", de: "16 × 16 Pixel werden geschrieben und gelesen …" },

  // Outcomes
  done: { en: "Done in {seconds} s by {model} on {backend}.", de: "Fertig in {seconds} s mit {model} auf {backend}." },
  "done.again": {
    en: "Only the saturation was new: the layer of colour was laid again with it.",
    de: "Nur die Sättigung war neu: die Farbebene wurde damit neu gelegt.",
  },
  "done.foreign": {
    en: "The document's profile was converted by way of sRGB.",
    de: "Das Profil des Dokuments wurde über sRGB umgerechnet.",
  },
  "done.lifted": {
    en: "What you had painted on the layer of colour lies on “Touch-ups” now.",
    de: "Was Sie auf die Farbebene gemalt hatten, liegt jetzt auf „Nachbesserungen“.",
  },
  "done.kept": {
    en: "“{layer}” was moved, turned or painted all over, so that the strokes on it cannot be told apart; it was kept above the new colours: hide it to see them.",
    de: "„{layer}“ wurde verschoben, gedreht oder ganz übermalt, sodass sich die Striche nicht ablösen lassen; sie blieb über den neuen Farben: blenden Sie sie aus, um diese zu sehen.",
  },
  "done.unseen": {
    en: "The model saw the photograph alone: if “{layer}” above it mends it, choose Everything visible as source.",
    de: "Das Modell sah nur das Foto: wenn „{layer}“ darüber es ausbessert, wählen Sie als Quelle Alles Sichtbare.",
  },
  "done.unkept": {
    en: "Photoshop did not keep the layer's recipe: paint on “Touch-ups”, not on the layer of colour itself.",
    de: "Photoshop hat das Rezept der Ebene nicht behalten: malen Sie auf „Nachbesserungen“, nicht auf die Farbebene selbst.",
  },
  cancelled: { en: "Cancelled; the document is as before.", de: "Abgebrochen; das Dokument ist wie zuvor." },
  saved: { en: "Settings saved.", de: "Einstellungen gesichert." },
  "selftest.passed": {
    en: "Self-test passed: the server at {address} is ours; pixels, a recipe and a mask were written, read again, seen and undone.",
    de: "Selbsttest bestanden: der Server auf {address} ist unserer; Pixel, ein Rezept und eine Maske wurden geschrieben, gelesen, gesehen und zurückgenommen.",
  },
  "server.ready": { en: "{model} on {backend}", de: "{model} auf {backend}" },
};

/** @type {"en" | "de"} */
let language = "en";

/**
 * Choose the language: the artist's choice, else the host's, else English.
 * @param {string} choice code, or "" for the host's
 * @param {string} hostLocale such as "de_DE"
 */
function setLanguage(choice, hostLocale) {
  const code = choice || hostLocale.slice(0, 2).toLowerCase();
  language = code === "de" ? "de" : "en";
}

/**
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
function label(key, values = {}) {
  const row = TABLE[key];
  if (!row) throw new Error(`no label ${key}`);
  return row[language].replace(/\{(\w+)\}/g, (_, name) => {
    const value = String(values[name]);
    return TABLE[value.slice(1)] && value.startsWith("@") ? label(value.slice(1)) : value;
  });
}

/**
 * The one sentence for whatever went wrong.
 * @param {unknown} error
 * @returns {string}
 */
function sentence(error) {
  if (!(error instanceof PanelError)) {
    return label("error.host", { text: error instanceof Error ? error.message : String(error) });
  }
  const own = `code.${error.values.code}`;
  return error.key === "server" && TABLE[own] ? label(own) : label(`error.${error.key}`, error.values);
}

module.exports = { LANGUAGES, TABLE, label, sentence, setLanguage };
