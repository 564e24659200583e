// @ts-check
/**
 * What can end a run, as values that the label table turns into one sentence.  Imports nothing.
 */

/** A failure with a key of the label table. */
class PanelError extends Error {
  /**
   * @param {string} key key of the label table, without its "error." prefix
   * @param {Record<string, string | number>} [values] what the sentence names
   */
  constructor(key, values = {}) {
    super(key);
    this.name = "PanelError";
    this.key = key;
    this.values = values;
  }
}

/** The artist pressed Cancel or Escape: nothing failed, nothing is left behind. */
class CancelledError extends Error {
  constructor() {
    super("cancelled");
    this.name = "CancelledError";
  }
}

/** One run's Cancel button. */
class Cancellation {
  constructor() {
    this.isCancelled = false;
    /** @type {Set<() => void>} */
    this.listeners = new Set();
  }

  /** Cancel the run; calling it again does nothing. */
  cancel() {
    if (this.isCancelled) return;
    this.isCancelled = true;
    for (const listener of [...this.listeners]) listener();
  }

  /**
   * Call `listener` when the run is cancelled, at once if it already is.
   * @param {() => void} listener
   * @returns {() => void} stops listening
   */
  onCancel(listener) {
    if (this.isCancelled) listener();
    else this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  /** Throw if the run was cancelled. */
  check() {
    if (this.isCancelled) throw new CancelledError();
  }

  /**
   * Wait, or throw as soon as the run is cancelled.
   * @param {number} milliseconds
   * @returns {Promise<void>}
   */
  pause(milliseconds) {
    return new Promise((resolve, reject) => {
      let stopListening = () => {};
      const timer = setTimeout(() => {
        stopListening();
        resolve();
      }, milliseconds);
      stopListening = this.onCancel(() => {
        clearTimeout(timer);
        reject(new CancelledError());
      });
    });
  }
}

module.exports = { PanelError, CancelledError, Cancellation };
