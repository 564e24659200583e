// @ts-check
/**
 * What went wrong, and what to do: one sentence each, in every language of the panel.  `{name}` is a value, as in labels.js.
 */

/** @type {Record<string, {en: string, de: string}>} */
const SENTENCES = {
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
  "error.quickmask": {
    en: "Photoshop is in Quick Mask mode: press Q to leave it, and press Colorize again.",
    de: "Photoshop ist im Maskierungsmodus: verlassen Sie ihn mit der Taste Q und drücken Sie noch einmal Kolorieren.",
  },
  "error.artboard": {
    en: "“{layer}” is an artboard: select the photograph's layer in it.",
    de: "„{layer}“ ist eine Zeichenfläche: wählen Sie die Ebene des Fotos darin.",
  },
  "error.artboard.visible": {
    en: "A document with artboards cannot be colorized as a whole: select the photograph's layer, and as source Active layer.",
    de: "Ein Dokument mit Zeichenflächen kann nicht im Ganzen koloriert werden: wählen Sie die Ebene des Fotos, und als Quelle Aktive Ebene.",
  },
  "error.locked": {
    en: "The group “{layer}” is locked, so that no colours can be put into it: unlock it and press Colorize again.",
    de: "Die Gruppe „{layer}“ ist gesperrt, sodass keine Farben hineinkommen: lösen Sie die Sperre und drücken Sie noch einmal Kolorieren.",
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
  "error.suggest.none": {
    en: "The server's model ({model}) suggests no colours: update colorize-server, or paint the colours that you know.",
    de: "Das Modell des Servers ({model}) schlägt keine Farben vor: aktualisieren Sie colorize-server, oder malen Sie die Farben, die Sie kennen.",
  },
  "error.suggest.place": {
    en: "No place is picked: select a small part of what you want colours for, or set a point with the Color Sampler tool, and ask again.",
    de: "Keine Stelle ist gewählt: wählen Sie einen kleinen Teil dessen aus, wofür Sie Farben suchen, oder setzen Sie mit dem Farbaufnahme-Werkzeug einen Punkt, und fragen Sie noch einmal.",
  },
  "error.suggest.grey": {
    en: "A greyscale document has no colours to paint with: colorize it first, or choose Image > Mode > RGB Color.",
    de: "Ein Graustufen-Dokument hat keine Farben zum Malen: kolorieren Sie es zuerst, oder wählen Sie Bild > Modus > RGB-Farbe.",
  },
  "error.selftest.rgb": {
    en: "The self-test writes into an RGB document: open one and press Self-test again.",
    de: "Der Selbsttest schreibt in ein RGB-Dokument: öffnen Sie eines und drücken Sie noch einmal Selbsttest.",
  },
  "error.selftest.pixels": {
    en: "Self-test failed: pixels came back other than they were written; please report this with your version of Photoshop.",
    de: "Selbsttest gescheitert: Pixel kamen anders zurück, als sie geschrieben wurden; bitte melden Sie dies mit Ihrer Photoshop-Version.",
  },
  "error.selftest.recipe": {
    en: "Self-test failed: Photoshop did not keep a recipe with its layer, so that strokes on layers of colour cannot be told apart; please report this with your version of Photoshop.",
    de: "Selbsttest gescheitert: Photoshop hat ein Rezept nicht bei seiner Ebene behalten, sodass sich Striche auf Farbebenen nicht ablösen lassen; bitte melden Sie dies mit Ihrer Photoshop-Version.",
  },
  "error.selftest.mask": {
    en: "Self-test failed: a mask from a selection does not hide what it should; please report this with your version of Photoshop.",
    de: "Selbsttest gescheitert: eine Maske aus einer Auswahl verdeckt nicht, was sie soll; bitte melden Sie dies mit Ihrer Photoshop-Version.",
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

module.exports = { SENTENCES };
