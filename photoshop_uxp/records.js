// @ts-check
/**
 * What our layers say of themselves, kept in the metadata that Photoshop holds for each layer (XMP).  Adobe says that it
 * goes along with a layer that is duplicated; panels in the field rely on its being saved with it.
 *
 * Every function must be called from inside a modal scope.
 */

const { CommandError, play } = require("./commands.js");
const { packetOf, recordOf } = require("./packets.js");

/**
 * @typedef {import("photoshop").Document} Document
 * @typedef {import("photoshop").Layer} Layer
 * @typedef {import("./packets.js").LayerRecord} LayerRecord
 */

const PROPERTY = "XMPMetadataAsUTF8";

/**
 * @param {Document} document
 * @param {Layer} layer
 * @returns {Record<string, any>[]} the reference of a layer
 */
function referenceOf(document, layer) {
  return [
    { _ref: "layer", _id: layer.id },
    { _ref: "document", _id: document.id },
  ];
}

/**
 * @param {Document} document
 * @param {Layer} layer
 * @returns {Promise<LayerRecord | null>} null also where Photoshop does not say: a layer without metadata is an error to it
 */
async function readRecord(document, layer) {
  try {
    const [answer] = await play([{ _obj: "get", _target: [{ _property: PROPERTY }, ...referenceOf(document, layer)] }]);
    return recordOf(String(answer[PROPERTY] || ""));
  } catch (error) {
    if (error instanceof CommandError) return null;
    throw error;
  }
}

/**
 * Keep a record with a layer of ours; what else was kept there goes.
 * @param {Document} document
 * @param {Layer} layer
 * @param {LayerRecord} record
 * @returns {Promise<boolean>} whether it can be read again: the colours are right without it, but cannot be laid again
 */
async function keepRecord(document, layer, record) {
  const to = { _obj: "layer", [PROPERTY]: packetOf(record) };
  try {
    const property = { _ref: "property", _property: PROPERTY };
    await play([{ _obj: "set", _target: [property, ...referenceOf(document, layer)], to }]);
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
  const kept = await readRecord(document, layer);
  return kept !== null && packetOf(kept) === packetOf({ recipe: null, ...record });
}

module.exports = { keepRecord, readRecord };
