// @ts-check
/**
 * What a layer of ours says of itself, as the XMP packet that it is kept in.  Pure; imports nothing.
 *
 * Both members are in base64, which no serializer has to escape, and are found by their names alone: Photoshop writes a
 * packet anew when it saves, with prefixes, attributes or elements as it likes.
 */

const NAMESPACE = "urn:colorize-server:layer";
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/**
 * @typedef {object} LayerRecord
 * @property {"colours" | "guesses" | "touch-ups"} kind
 * @property {number} of id of the photograph's layer, 0 for everything visible
 * @property {string} [note] that the colour was inferred, not recorded
 * @property {string} [date]
 * @property {string} [model]
 * @property {string} [sha256] of the model
 * @property {number} [size] the network's short side
 * @property {number} [saturation]
 * @property {"color" | "multiply"} [blend]
 * @property {boolean} [hasDoubt] whether it was made together with a layer of guesses
 * @property {string} [photograph] digest of the samples that were sent
 * @property {string} [hints] digest of the strokes that were sent, "" for none
 * @property {number[]} [bounds] left, top, right, bottom of what was sent
 * @property {string} [laid] digest of the layer as it was laid
 * @property {number[]} [place] bounds of the layer as it was laid
 * @property {Uint8Array | null} [recipe] what the layer can be laid from again
 */

/**
 * @param {Uint8Array} bytes
 * @returns {string}
 */
function base64Of(bytes) {
  const parts = [];
  for (let start = 0; start < bytes.length; start += 3000) {
    let part = "";
    for (let i = start; i < Math.min(start + 3000, bytes.length); i += 3) {
      const word = (bytes[i] << 16) | ((bytes[i + 1] || 0) << 8) | (bytes[i + 2] || 0);
      part += DIGITS[word >> 18] + DIGITS[(word >> 12) & 63];
      part += i + 1 < bytes.length ? DIGITS[(word >> 6) & 63] : "=";
      part += i + 2 < bytes.length ? DIGITS[word & 63] : "=";
    }
    parts.push(part);
  }
  return parts.join("");
}

/**
 * @param {string} text base64, perhaps with line breaks
 * @returns {Uint8Array}
 */
function bytesOf(text) {
  const digits = text.replace(/[^A-Za-z0-9+/]/g, "");
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let word = 0;
  for (let i = 0, length = 0; i < digits.length; i++) {
    word = (word << 6) | DIGITS.indexOf(digits[i]);
    if (i % 4 > 0) bytes[length++] = (word >> (6 - 2 * (i % 4))) & 255;
    word &= 0xfff;
  }
  return bytes;
}

/**
 * @param {LayerRecord} record
 * @returns {string} an XMP packet
 */
function packetOf(record) {
  const { recipe, ...members } = record;
  const json = JSON.stringify(members).replace(
    /[^ -~]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const ascii = Uint8Array.from(json, (char) => char.charCodeAt(0));
  const kept = recipe ? `<colorize:recipe>${base64Of(recipe)}</colorize:recipe>` : "";
  return (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' +
    `<rdf:Description rdf:about="" xmlns:colorize="${NAMESPACE}">` +
    `<colorize:record>${base64Of(ascii)}</colorize:record>${kept}` +
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
  );
}

/**
 * @param {string} packet
 * @param {string} name
 * @returns {Uint8Array | null} a member, written as an element or as an attribute
 */
function memberOf(packet, name) {
  const found = new RegExp(`:${name}(?:>|\\s*=\\s*["'])([A-Za-z0-9+/=\\s]*)`).exec(packet);
  return found && bytesOf(found[1]);
}

/**
 * @param {string} packet of any layer
 * @returns {LayerRecord | null} null where there is none of ours, or where it was damaged
 */
function recordOf(packet) {
  const json = packet.includes(NAMESPACE) ? memberOf(packet, "record") : null;
  if (!json) return null;
  try {
    const record = JSON.parse(Array.from(json, (byte) => String.fromCharCode(byte)).join(""));
    return record && typeof record.kind === "string" ? { ...record, recipe: memberOf(packet, "recipe") } : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

module.exports = { base64Of, bytesOf, packetOf, recordOf };
