// @ts-check
/**
 * Photoshop's commands, for what its object model lacks: the one place where `batchPlay` is called.
 */

const { action } = require("photoshop");

/** Photoshop refused a command; the message is its own. */
class CommandError extends Error {}

/**
 * Run commands one after the other.  A command that fails does not reject: its answer is an error descriptor, which must
 * not be taken for an answer.  Must be called from inside a modal scope.
 * @param {Record<string, any>[]} commands
 * @returns {Promise<Record<string, any>[]>} an answer for each
 * @throws {CommandError} one of them failed
 */
async function play(commands) {
  const answers = await action.batchPlay(/** @type {any} */ (commands), {});
  for (const answer of answers) {
    if (answer && answer._obj === "error") throw new CommandError(String(answer.message || answer.result));
  }
  return answers;
}

module.exports = { CommandError, play };
