// @ts-check
/**
 * Every text of the panel, in every language of the panel.  Imports nothing of the host.
 *
 * `{name}` in a text is a value; a value that begins with "@" is itself a key.  To add a language, add a column: a test
 * checks that no text is missing.
 */

const { PanelError } = require("./errors.js");

/** @type {Record<string, string>} languages by code, in their own words */
const LANGUAGES = { en: "English", de: "Deutsch" };

/** @type {Record<string, {en: string, de: string}>} */
const TABLE = {
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
  "step.write": { en: "Adding the layer …", de: "Ebene wird hinzugefügt …" },
  "step.selftest": { en: "Reading and writing 16 × 16 pixels …", de: "16 × 16 Pixel werden gelesen und geschrieben …" },

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
  "done.unkept": {
    en: "Photoshop did not keep the layer's recipe: paint on “Touch-ups”, not on the layer of colour itself.",
    de: "Photoshop hat das Rezept der Ebene nicht behalten: malen Sie auf „Nachbesserungen“, nicht auf die Farbebene selbst.",
  },
  cancelled: { en: "Cancelled; the document is as before.", de: "Abgebrochen; das Dokument ist wie zuvor." },
  saved: { en: "Settings saved.", de: "Einstellungen gesichert." },
  "selftest.passed": {
    en: "Self-test passed: the server at {address} is ours, pixels were read and written exactly, and undone.",
    de: "Selbsttest bestanden: der Server auf {address} ist unserer, Pixel wurden genau gelesen, geschrieben und zurückgenommen.",
  },
  "server.ready": { en: "{model} on {backend}", de: "{model} auf {backend}" },

  // The server
  "error.server.down": {
    en: "No server answers: start it in a terminal with “colorize-server start”; this panel keeps looking.",
    de: "Kein Server antwortet: starten Sie ihn im Terminal mit „colorize-server start“; dieses Bedienfeld sucht weiter.",
  },
  "error.server.stranger": {
    en: "Another program answers at {address}, nothing was sent to it: end that program, or start the server on another of the three ports with “colorize-server start --port 47812”.",
    de: "Auf {address} antwortet ein anderes Programm, nichts wurde gesendet: beenden Sie es, oder starten Sie den Server auf einem anderen der drei Ports mit „colorize-server start --port 47812“.",
  },
  "error.server.silent": {
    en: "The program at {address} does not answer, nothing was sent to it: if it is the server, “colorize-server stop” and “colorize-server start” help; else end that program.",
    de: "Das Programm auf {address} antwortet nicht, nichts wurde gesendet: ist es der Server, helfen „colorize-server stop“ und „colorize-server start“; sonst beenden Sie das Programm.",
  },
  "error.server.unpaired": {
    en: "This panel is not paired yet: run “colorize-server pair photoshop” in a terminal and paste the code it shows into Settings, Token.",
    de: "Dieses Bedienfeld ist noch nicht verbunden: rufen Sie im Terminal „colorize-server pair photoshop“ auf und fügen Sie den gezeigten Code unter Einstellungen, Token ein.",
  },
  "error.server.unproved": {
    en: "The server at {address} does not know this panel's token, nothing was sent to it: run “colorize-server pair photoshop” and paste the new token into Settings.",
    de: "Der Server auf {address} kennt das Token dieses Bedienfelds nicht, nichts wurde gesendet: rufen Sie „colorize-server pair photoshop“ auf und fügen Sie das neue Token unter Einstellungen ein.",
  },
  "error.server.refused": {
    en: "The server at {address} refused this panel, nothing was sent to it: empty the address in Settings; if that does not help, install the panel that came with the server (“colorize-server install photoshop”).",
    de: "Der Server auf {address} hat dieses Bedienfeld abgewiesen, nichts wurde gesendet: leeren Sie die Adresse unter Einstellungen; hilft das nicht, installieren Sie das zugehörige Bedienfeld („colorize-server install photoshop“).",
  },
  "error.server.version": {
    en: "The server at {address} speaks another version of the protocol: install the panel that came with it (“colorize-server install photoshop”).",
    de: "Der Server auf {address} spricht eine andere Version des Protokolls: installieren Sie das zugehörige Bedienfeld („colorize-server install photoshop“).",
  },
  "error.server.starting": {
    en: "The server is still loading its model: wait a moment and press Colorize again.",
    de: "Der Server lädt noch sein Modell: warten Sie einen Moment und drücken Sie noch einmal Kolorieren.",
  },
  "error.server.stopping": {
    en: "The server is being stopped: start it again with “colorize-server start”.",
    de: "Der Server wird gerade beendet: starten Sie ihn wieder mit „colorize-server start“.",
  },
  "error.server.failed": {
    en: "The server could not load its model ({text}): run “colorize-server status” in a terminal to see why.",
    de: "Der Server konnte sein Modell nicht laden ({text}): der Befehl „colorize-server status“ im Terminal zeigt, warum.",
  },
  "error.server.cancelled": {
    en: "The server ended the work before it was done: press Colorize again.",
    de: "Der Server hat die Arbeit vorzeitig beendet: drücken Sie noch einmal Kolorieren.",
  },
  "error.gone": {
    en: "The server went away while it worked, the document is as before: start it with “colorize-server start” and press Colorize again.",
    de: "Der Server ist während der Arbeit verschwunden, das Dokument ist wie zuvor: starten Sie ihn mit „colorize-server start“ und drücken Sie noch einmal Kolorieren.",
  },
  "error.timeout": {
    en: "The server did not answer in time, the document is as before: look at “colorize-server status” and press Colorize again.",
    de: "Der Server hat nicht rechtzeitig geantwortet, das Dokument ist wie zuvor: prüfen Sie „colorize-server status“ und drücken Sie noch einmal Kolorieren.",
  },
  "error.answer": {
    en: "The server's answer does not fit the photograph and was thrown away: press Colorize again, and update server and panel if it happens again.",
    de: "Die Antwort des Servers passt nicht zum Foto und wurde verworfen: drücken Sie noch einmal Kolorieren; geschieht es wieder, aktualisieren Sie Server und Bedienfeld.",
  },
  "error.address": {
    en: "A panel may only reach 127.0.0.1 or localhost on the ports {ports}: write for instance http://127.0.0.1:47812, or leave the field empty.",
    de: "Das Bedienfeld darf nur 127.0.0.1 oder localhost auf den Ports {ports} erreichen: schreiben Sie etwa http://127.0.0.1:47812, oder lassen Sie das Feld leer.",
  },
  "error.token": {
    en: "That is no token: paste only the code that “colorize-server pair photoshop” shows.",
    de: "Das ist kein Token: fügen Sie nur den Code ein, den „colorize-server pair photoshop“ zeigt.",
  },
  "error.large": {
    en: "{width} × {height} pixels are more than the server takes: crop the document, or colorize a smaller copy.",
    de: "{width} × {height} Pixel sind mehr, als der Server annimmt: beschneiden Sie das Dokument, oder kolorieren Sie eine kleinere Kopie.",
  },
  // Answers of the server that have a sentence of their own here; the text of every other one is shown as it came.
  "error.server": { en: "{text}", de: "Der Server meldet: {text}" },
  "code.token_wrong": {
    en: "The server did not accept this panel's token: run “colorize-server pair photoshop” and paste the new token into Settings.",
    de: "Der Server hat das Token dieses Bedienfelds nicht angenommen: rufen Sie „colorize-server pair photoshop“ auf und fügen Sie das neue Token unter Einstellungen ein.",
  },
  "code.queue_full": {
    en: "The server has too much to do: press Colorize again in a moment.",
    de: "Der Server hat zu viel zu tun: drücken Sie gleich noch einmal Kolorieren.",
  },
  "code.out_of_memory": {
    en: "The server has too little memory for this photograph: close other programs, or colorize a smaller copy.",
    de: "Der Server hat zu wenig Speicher für dieses Foto: schließen Sie andere Programme, oder kolorieren Sie eine kleinere Kopie.",
  },
  "code.inference_failed": {
    en: "The model stopped while it worked and is being started again: press Colorize again.",
    de: "Das Modell ist während der Arbeit ausgefallen und wird neu gestartet: drücken Sie noch einmal Kolorieren.",
  },
  "code.deadline_exceeded": {
    en: "The server took longer than it may: press Colorize again, or colorize a smaller copy.",
    de: "Der Server hat länger gebraucht, als er darf: drücken Sie noch einmal Kolorieren, oder kolorieren Sie eine kleinere Kopie.",
  },
  "code.job_expired": {
    en: "The server no longer holds the result: press Colorize again.",
    de: "Der Server hält das Ergebnis nicht mehr: drücken Sie noch einmal Kolorieren.",
  },
  "code.picture_too_small": {
    en: "The source is too small to colorize: it must be at least 8 pixels on each side.",
    de: "Die Quelle ist zu klein: jede Seite muss mindestens 8 Pixel lang sein.",
  },
  "code.stopping": {
    en: "The server is being stopped: start it again with “colorize-server start”.",
    de: "Der Server wird gerade beendet: starten Sie ihn wieder mit „colorize-server start“.",
  },

  // The document
  "error.document": {
    en: "No document is open: open a photograph first.",
    de: "Kein Dokument ist geöffnet: öffnen Sie zuerst ein Foto.",
  },
  "error.mode": {
    en: "A document in {mode} mode cannot be colorized: choose Image > Mode > RGB Color first.",
    de: "Ein Dokument im Modus {mode} kann nicht koloriert werden: wählen Sie zuerst Bild > Modus > RGB-Farbe.",
  },
  "mode.CMYKColorMode": { en: "CMYK", de: "CMYK" },
  "mode.bitmapMode": { en: "Bitmap", de: "Bitmap" },
  "mode.indexedColorMode": { en: "Indexed Color", de: "Indizierte Farbe" },
  "mode.labColorMode": { en: "Lab", de: "Lab" },
  "mode.duotoneMode": { en: "Duotone", de: "Duplex" },
  "mode.multichannelMode": { en: "Multichannel", de: "Mehrkanal" },
  "error.depth32": {
    en: "A 32-bit document has no Color blend mode: choose Image > Mode > 16 Bits/Channel first.",
    de: "Ein 32-Bit-Dokument kennt die Füllmethode Farbe nicht: wählen Sie zuerst Bild > Modus > 16-Bit-Kanal.",
  },
  "error.read": {
    en: "Photoshop returned pixels of an unexpected kind: flatten a copy of the document and colorize that.",
    de: "Photoshop lieferte Pixel unerwarteter Art: reduzieren Sie eine Kopie des Dokuments und kolorieren Sie diese.",
  },
  "error.layer.none": {
    en: "No layer is selected: select the photograph's layer.",
    de: "Keine Ebene ist ausgewählt: wählen Sie die Ebene des Fotos.",
  },
  "error.layer.many": {
    en: "Several layers are selected: select the photograph's layer alone.",
    de: "Mehrere Ebenen sind ausgewählt: wählen Sie nur die Ebene des Fotos.",
  },
  "error.layer.photograph": {
    en: "Below the selected layer there is no photograph: select the photograph's layer.",
    de: "Unter der ausgewählten Ebene liegt kein Foto: wählen Sie die Ebene des Fotos.",
  },
  "error.layer.adjustment": {
    en: "“{layer}” has no pixels of its own: select the photograph's layer, or choose Everything visible as source.",
    de: "„{layer}“ hat keine eigenen Pixel: wählen Sie die Ebene des Fotos, oder als Quelle Alles Sichtbare.",
  },
  "error.layer.empty": {
    en: "The source is empty, or lies outside the canvas: select the photograph's layer.",
    de: "Die Quelle ist leer oder liegt außerhalb der Arbeitsfläche: wählen Sie die Ebene des Fotos.",
  },
  "error.hints.none": {
    en: "There is no layer named “Colour hints”: create it and paint strokes of colour on it, or untick hints.",
    de: "Es gibt keine Ebene namens „Farbhinweise“: legen Sie sie an und malen Sie farbige Striche darauf, oder nehmen Sie das Häkchen bei Farbhinweise weg.",
  },
  "error.hints.kind": {
    en: "The layer “Colour hints” must be a pixel layer with a transparent ground: paint the strokes on a new layer.",
    de: "Die Ebene „Farbhinweise“ muss eine Pixelebene auf transparentem Grund sein: malen Sie die Striche auf eine neue Ebene.",
  },
  "error.hints.empty": {
    en: "The layer “Colour hints” has no strokes on the source: paint some, or untick hints.",
    de: "Auf der Ebene „Farbhinweise“ sind keine Striche über der Quelle: malen Sie welche, oder nehmen Sie das Häkchen bei Farbhinweise weg.",
  },
  "error.hints.grey": {
    en: "A greyscale document cannot hold coloured strokes: choose Image > Mode > RGB Color and paint them again.",
    de: "Ein Graustufen-Dokument kann keine farbigen Striche halten: wählen Sie Bild > Modus > RGB-Farbe und malen Sie sie neu.",
  },
  "error.copy": {
    en: "The temporary copy of the document differs from it: simplify the layers or choose Everything visible as source.",
    de: "Die vorübergehende Kopie des Dokuments weicht ab: vereinfachen Sie die Ebenen, oder wählen Sie als Quelle Alles Sichtbare.",
  },
  "error.convert": {
    en: "Photoshop did not convert the document to RGB with its layers: choose Image > Mode > RGB Color yourself and press Colorize again.",
    de: "Photoshop hat das Dokument nicht mitsamt Ebenen in RGB umgewandelt: wählen Sie selbst Bild > Modus > RGB-Farbe und drücken Sie noch einmal Kolorieren.",
  },
  "error.insert": {
    en: "Photoshop did not put the new layer above the photograph, it was taken back: unlock the group the photograph is in, or move the photograph out of it.",
    de: "Photoshop hat die neue Ebene nicht über das Foto gesetzt, sie wurde zurückgenommen: lösen Sie die Sperre der Gruppe, oder holen Sie das Foto heraus.",
  },
  "error.clip": {
    en: "Photoshop did not clip the new layer, it was taken back: untick Clip to the layer, or apply or release the photograph's own mask, and press Colorize again.",
    de: "Photoshop hat keine Schnittmaske erstellt, die Ebene wurde zurückgenommen: nehmen Sie das Häkchen bei der Schnittmaske weg, oder lösen Sie die Maske des Fotos oder wenden Sie sie an, und drücken Sie noch einmal Kolorieren.",
  },
  "error.activate": {
    en: "Photoshop did not bring the photograph's document to the front, nothing was written: click the document and press Colorize again.",
    de: "Photoshop hat das Dokument des Fotos nicht nach vorn geholt, nichts wurde geschrieben: klicken Sie das Dokument an und drücken Sie noch einmal Kolorieren.",
  },
  "error.modal": {
    en: "Another plug-in or dialog keeps Photoshop busy, nothing was changed: finish or close it and press Colorize again.",
    de: "Ein anderes Plug-in oder ein Dialog hält Photoshop beschäftigt, nichts wurde geändert: schließen Sie es ab und drücken Sie noch einmal Kolorieren.",
  },
  "error.modal.artist": {
    en: "You are still editing in Photoshop, nothing was changed: finish your text or transformation, or close the dialog, and press Colorize again.",
    de: "Sie bearbeiten noch etwas in Photoshop, nichts wurde geändert: schließen Sie Text, Transformation oder Dialog ab und drücken Sie noch einmal Kolorieren.",
  },
  "error.mask": {
    en: "Photoshop made another mask than the selection, everything was taken back: untick Recolour the selection only and press Colorize again.",
    de: "Photoshop hat eine andere Maske als die Auswahl erstellt, alles wurde zurückgenommen: nehmen Sie das Häkchen bei Nur die Auswahl weg und drücken Sie noch einmal Kolorieren.",
  },
  "error.changed.closed": {
    en: "The document was closed while the server worked, nothing was written: open it and press Colorize again.",
    de: "Das Dokument wurde geschlossen, während der Server arbeitete, nichts wurde geschrieben: öffnen Sie es und drücken Sie noch einmal Kolorieren.",
  },
  "error.changed.layer": {
    en: "The photograph's layer was deleted while the server worked, nothing was written: select a layer and press Colorize again.",
    de: "Die Ebene des Fotos wurde gelöscht, während der Server arbeitete, nichts wurde geschrieben: wählen Sie eine Ebene und drücken Sie noch einmal Kolorieren.",
  },
  "error.changed.moved": {
    en: "The photograph's layer was moved or resized while the server worked, nothing was written: press Colorize again.",
    de: "Die Ebene des Fotos wurde verschoben oder skaliert, während der Server arbeitete, nichts wurde geschrieben: drücken Sie noch einmal Kolorieren.",
  },
  "error.changed.canvas": {
    en: "The canvas was resized while the server worked, nothing was written: press Colorize again.",
    de: "Die Arbeitsfläche wurde geändert, während der Server arbeitete, nichts wurde geschrieben: drücken Sie noch einmal Kolorieren.",
  },
  "error.changed.mode": {
    en: "Mode, depth or profile of the document were changed meanwhile, nothing was written: press Colorize again.",
    de: "Modus, Farbtiefe oder Profil des Dokuments wurden inzwischen geändert, nichts wurde geschrieben: drücken Sie noch einmal Kolorieren.",
  },
  "error.changed.picture": {
    en: "The photograph itself was changed while the server worked, nothing was written: press Colorize again.",
    de: "Das Foto selbst wurde geändert, während der Server arbeitete, nichts wurde geschrieben: drücken Sie noch einmal Kolorieren.",
  },
  "error.changed.strokes": {
    en: "The layer of colour was painted on while the server worked, nothing was written: press Colorize again.",
    de: "Auf die Farbebene wurde gemalt, während der Server arbeitete, nichts wurde geschrieben: drücken Sie noch einmal Kolorieren.",
  },
  "error.selftest.rgb": {
    en: "The self-test writes into an RGB document: open one and press Self-test again.",
    de: "Der Selbsttest schreibt in ein RGB-Dokument: öffnen Sie eines und drücken Sie noch einmal Selbsttest.",
  },
  "error.selftest.pixels": {
    en: "Self-test failed: pixels came back other than they were written; please report this with your version of Photoshop.",
    de: "Selbsttest gescheitert: Pixel kamen anders zurück, als sie geschrieben wurden; bitte melden Sie dies mit Ihrer Photoshop-Version.",
  },
  "error.selftest.undo": {
    en: "Self-test failed: Photoshop did not take the test layer back, undo it yourself; please report this with your version of Photoshop.",
    de: "Selbsttest gescheitert: Photoshop hat die Testebene nicht zurückgenommen, widerrufen Sie sie selbst; bitte melden Sie dies mit Ihrer Photoshop-Version.",
  },
  "error.host": {
    en: "Photoshop refused ({text}), the document is as before: press Colorize again, or run the self-test in Settings.",
    de: "Photoshop hat abgelehnt ({text}), das Dokument ist wie zuvor: drücken Sie noch einmal Kolorieren, oder rufen Sie den Selbsttest in den Einstellungen auf.",
  },
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
