// @ts-check
/**
 * The button that makes a layer to paint hints on, rightly named, on top and selected.
 */

const { constants } = require("photoshop");
const { PanelError } = require("./errors.js");
const { label } = require("./labels.js");
const layers = require("./layers.js");
const { asOneStep, inModal } = require("./modal.js");
const plans = require("./plan.js");

/**
 * @typedef {import("photoshop").ExecutionContext} ExecutionContext
 * @typedef {import("./errors.js").Cancellation} Cancellation
 */

/**
 * Make the layer, as one history step; where there is one already it is only selected.
 * @param {Cancellation} cancellation
 * @returns {Promise<string>} a sentence: what to do with it
 */
async function newHintsLayer(cancellation) {
  const document = plans.currentDocument();
  if (document.mode !== constants.DocumentMode.RGB) throw new PanelError("hints.grey");
  const name = label("hints.layer");
  const edit = async () => {
    const known = Array.from(layers.everyLayer(document.layers)).find(plans.isHints);
    const layer =
      known || (await layers.insertAbove(document, document.layers[0], name, constants.BlendMode.NORMAL));
    await layers.selectLayer(layer.id);
  };
  await inModal(label("hints.new"), cancellation, async (context) => {
    layers.activate(document);
    await asOneStep(context, document.id, label("hints.new"), edit);
  });
  return label("hints.made", { name });
}

module.exports = { newHintsLayer };
