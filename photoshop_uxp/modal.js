// @ts-check
/**
 * Photoshop's modal scope: entering it although another plug-in may hold it, and one history step inside it.
 */

const { core } = require("photoshop");
const { PanelError, CancelledError } = require("./errors.js");

/**
 * @typedef {import("photoshop").ExecutionContext} ExecutionContext
 * @typedef {import("./errors.js").Cancellation} Cancellation
 */

/** The number of the host's error "another plug-in is modal".  The artist's own tool, text or dialog gives none. */
const MODAL_ELSEWHERE = 9;
const RETRY_MS = 400;
/** Long enough for another plug-in's command, short enough to be told. */
const RETRIES = 40;

/**
 * Run `work` in a modal scope.  Escape and the host's own Cancel button cancel the run.
 * @template T
 * @param {string} commandName shown above Photoshop's progress bar
 * @param {Cancellation} cancellation
 * @param {(context: ExecutionContext) => Promise<T>} work must let the host's exceptions through
 * @param {(isArtist: boolean) => void} [onBusy] called while another plug-in is waited for, or the artist
 * @returns {Promise<T>}
 */
async function inModal(commandName, cancellation, work, onBusy = () => {}) {
  for (let attempt = 1; ; attempt++) {
    let hasBegun = false;
    let wasCancelled = false;
    try {
      return await core.executeAsModal(
        async (context) => {
          hasBegun = true;
          context.onCancel = () => {
            wasCancelled = true;
            cancellation.cancel();
          };
          try {
            return await work(context);
          } finally {
            wasCancelled = wasCancelled || Boolean(context.isCancelled);
          }
        },
        { commandName },
      );
    } catch (error) {
      if (wasCancelled || cancellation.isCancelled) throw new CancelledError();
      const isElsewhere = /** @type {{number?: number}} */ (error).number === MODAL_ELSEWHERE;
      const isArtist = !isElsewhere && /\bmodal\b/i.test(String(/** @type {Error} */ (error).message));
      if (hasBegun || !(isElsewhere || isArtist)) throw error;
      if (attempt === RETRIES) throw isArtist ? new PanelError("modal.artist") : new PanelError("modal");
      onBusy(isArtist);
    }
    await cancellation.pause(RETRY_MS);
  }
}

/**
 * Make every edit of `edit` one history step; on any failure the document is as before and no step is left.
 * @template T
 * @param {ExecutionContext} context
 * @param {number} documentID
 * @param {string} name of the history step
 * @param {() => Promise<T>} edit
 * @returns {Promise<T>}
 */
async function asOneStep(context, documentID, name, edit) {
  const suspension = await context.hostControl.suspendHistory({ documentID, name });
  try {
    const result = await edit();
    await afterFrame();
    if (context.isCancelled) throw new CancelledError();
    await context.hostControl.resumeHistory(suspension, true);
    return result;
  } catch (error) {
    try {
      await context.hostControl.resumeHistory(suspension, false);
    } catch {
      // After Escape the host refuses every call; it rolls back by itself when the scope ends with an exception.
    }
    throw error;
  }
}

/**
 * Do edits that are rolled back at once: for the self-test.
 * @template T
 * @param {ExecutionContext} context
 * @param {number} documentID
 * @param {string} name
 * @param {() => Promise<T>} edit
 * @returns {Promise<T>}
 */
async function rolledBack(context, documentID, name, edit) {
  const suspension = await context.hostControl.suspendHistory({ documentID, name });
  try {
    return await edit();
  } finally {
    if (!context.isCancelled) {
      await afterFrame();
      await context.hostControl.resumeHistory(suspension, false);
    }
  }
}

/**
 * Edits are not merged into the suspended step if history is resumed in the very tick of the last edit.
 * @returns {Promise<void>}
 */
function afterFrame() {
  return new Promise((resolve) => {
    setTimeout(resolve, 20);
  });
}

module.exports = { asOneStep, inModal, rolledBack };
