// Every word that the page says, in both languages.

const EN = {
  stage: 'Photograph. Arrow keys move the cross, Space paints a dab, I picks the colour, plus and minus zoom.',
  drop: 'Drop a photograph here, or choose one. It stays on this computer.',
  tools: 'Tools',
  tool: 'Tool', brush: 'Brush', erase: 'Eraser', pick: 'Eyedropper (3 × 3)', ask: 'Suggest colours', move: 'Move',
  colour: 'Colour', suggested: 'Suggested colours', used: 'Colours used so far',
  radius: 'Brush size', softness: 'Softness', saturation: 'Saturation', compare: 'Before', zoom: 'Zoom',
  doubt: 'Where the model guesses', next: 'Next place', undo: 'Undo', redo: 'Redo', list: 'Strokes', remove: 'Remove',
  eraser: 'Eraser',
  save: 'Save', project: 'Project, to go on later', open: 'Another photograph', language: 'Language', keys: 'Keys',
  help: 'B brush, E eraser, I eyedropper, S suggest, M or Space and drag: move, [ and ] size, { and } softness, ' +
    'X before and after, D doubt, N next place, + and − zoom, 0 whole picture, Ctrl+Z undo, Ctrl+Shift+Z redo. ' +
    'With the photograph in focus: arrow keys, Space, Enter.',
  notOpened: 'This page was not opened by the server. Run “colorize-server open”.',
  connected: 'Another tab of this page was waiting: go on there, and close this one.',
  continued: 'Connected again.',
  ready: 'Ready.',
  reading: 'Reading the photograph …',
  first: ({ width, height }) => `${width} × ${height} pixels. Paint a stroke of a colour you know; the rest follows.`,
  followed: ({ ms }) => `Colours after ${ms} ms.`,
  saving: 'Making the picture at full size …',
  saved: ({ name }) => `Saved as ${name}.`,
  unreachable: 'The server does not answer. Start it with “colorize-server open”; your strokes stay here.',
  newer: 'There are strokes for a photograph from before. Open it again to go on with them.',
  restored: ({ count }) => `${count} strokes are back.`,
  otherPhotograph: 'This project is of another photograph. Open that one, and its strokes come back.',
  notAProject: 'This file is no project of this page.',
  tooLarge: ({ mb }) => `The file is larger than the ${mb} MB that the server takes. Use a smaller picture.`,
  noPlace: 'No place is left that is far from your strokes.',
  slow: 'This browser has no WebGL 2: the picture follows more slowly.',
  stroke: ({ number }) => `Stroke ${number}`
}

const DE = {
  stage: 'Fotografie. Pfeiltasten bewegen das Kreuz, die Leertaste setzt einen Tupfer, I nimmt die Farbe auf, Plus und Minus vergrößern.',
  drop: 'Legen Sie eine Fotografie hier ab oder wählen Sie eine aus. Sie bleibt auf diesem Computer.',
  tools: 'Werkzeuge',
  tool: 'Werkzeug', brush: 'Pinsel', erase: 'Radierer', pick: 'Pipette (3 × 3)', ask: 'Farben vorschlagen', move: 'Verschieben',
  colour: 'Farbe', suggested: 'Vorgeschlagene Farben', used: 'Bisher benutzte Farben',
  radius: 'Pinselgröße', softness: 'Weichheit', saturation: 'Sättigung', compare: 'Vorher', zoom: 'Zoom',
  doubt: 'Wo das Modell rät', next: 'Nächste Stelle', undo: 'Rückgängig', redo: 'Wiederholen', list: 'Striche', remove: 'Entfernen',
  eraser: 'Radierer',
  save: 'Speichern', project: 'Projekt, für später', open: 'Andere Fotografie', language: 'Sprache', keys: 'Tasten',
  help: 'B Pinsel, E Radierer, I Pipette, S Vorschläge, M oder Leertaste und ziehen: verschieben, [ und ] Größe, { und } Weichheit, ' +
    'X vorher und nachher, D Zweifel, N nächste Stelle, + und − Zoom, 0 ganzes Bild, Strg+Z rückgängig, Strg+Umschalt+Z wiederholen. ' +
    'Wenn die Fotografie den Fokus hat: Pfeiltasten, Leertaste, Eingabe.',
  notOpened: 'Diese Seite wurde nicht vom Server geöffnet. Rufen Sie „colorize-server open“ auf.',
  connected: 'Ein anderer Tab dieser Seite hat gewartet: Arbeiten Sie dort weiter und schließen Sie diesen.',
  continued: 'Wieder verbunden.',
  ready: 'Bereit.',
  reading: 'Die Fotografie wird gelesen …',
  first: ({ width, height }) => `${width} × ${height} Pixel. Malen Sie einen Strich in einer Farbe, die Sie kennen; der Rest folgt.`,
  followed: ({ ms }) => `Farben nach ${ms} ms.`,
  saving: 'Das Bild wird in voller Größe berechnet …',
  saved: ({ name }) => `Gespeichert als ${name}.`,
  unreachable: 'Der Server antwortet nicht. Starten Sie ihn mit „colorize-server open“; Ihre Striche bleiben hier.',
  newer: 'Es gibt noch Striche zu einer Fotografie von vorhin. Öffnen Sie sie wieder, um weiterzumachen.',
  restored: ({ count }) => `${count} Striche sind wieder da.`,
  otherPhotograph: 'Dieses Projekt gehört zu einer anderen Fotografie. Öffnen Sie diese, dann kommen die Striche zurück.',
  notAProject: 'Diese Datei ist kein Projekt dieser Seite.',
  tooLarge: ({ mb }) => `Die Datei ist größer als die ${mb} MB, die der Server annimmt. Nehmen Sie ein kleineres Bild.`,
  noPlace: 'Es gibt keine Stelle mehr, die weit von Ihren Strichen entfernt ist.',
  slow: 'Dieser Browser hat kein WebGL 2: Das Bild folgt langsamer.',
  stroke: ({ number }) => `Strich ${number}`,
  errors: {
    page_key_wrong: 'Diese Seite ist nicht mehr mit dem Server verbunden. Rufen Sie „colorize-server open“ noch einmal auf; was Sie gemalt haben, bleibt in diesem Tab.',
    page_code_wrong: 'Der Code dieser Seite wurde schon benutzt oder ist zu alt. Rufen Sie „colorize-server open“ noch einmal auf.',
    unsupported_media_type: 'Das ist keine Bilddatei, die hier geöffnet werden kann. Nehmen Sie PNG, JPEG, TIFF oder WebP.',
    damaged_picture: 'Die Datei ist beschädigt, abgeschnitten oder kein Bild, das gelesen werden kann.',
    bad_body: 'Die Datei ist leer oder kam nicht ganz an.',
    picture_too_large: 'Das Bild ist größer, als der Server annimmt. Verkleinern Sie es.',
    body_too_large: 'Die Datei ist größer, als der Server annimmt. Nehmen Sie ein kleineres Bild.',
    picture_too_small: 'Das Bild ist zu klein: Jede Seite braucht mindestens 8 Pixel.',
    out_of_memory: 'Der Speicher reicht nicht. Schließen Sie andere Programme oder nehmen Sie ein kleineres Bild.',
    queue_full: 'Der Server hat gerade zu viel zu tun. Versuchen Sie es gleich noch einmal.',
    starting: 'Der Server lädt noch sein Modell. Versuchen Sie es gleich noch einmal.',
    stopping: 'Der Server wird beendet. Starten Sie ihn neu; Ihre Striche bleiben hier.',
    no_suggestions: 'Dieses Modell schlägt keine Farben vor.',
    bad_hints: 'Die Striche konnten nicht gelesen werden.',
    deadline_exceeded: 'Das Bild hat zu lange gebraucht. Versuchen Sie es noch einmal oder nehmen Sie ein kleineres.'
  }
}

const LANGUAGES = { en: EN, de: DE }
let words = EN

/** Say a word or sentence in the language that was chosen. */
export function say (name, values) {
  const word = words[name]
  return typeof word === 'function' ? word(values) : word
}

/** Choose a language, and put its words into the page. */
export function speak (language) {
  words = LANGUAGES[language]
  document.documentElement.lang = language
  for (const element of document.querySelectorAll('[data-text]')) element.textContent = say(element.dataset.text)
  for (const element of document.querySelectorAll('[data-label]')) element.setAttribute('aria-label', say(element.dataset.label))
}
