/**
 * The modal scope, as executeasmodal.md describes it, and its refusals.
 *
 * Deviation on purpose: Adobe allows a nested executeAsModal; here any second scope is refused with error 9, which keeps
 * the panel's code flat.
 */

const { addHistory, contentOf, documentOf, state } = require("./state.js");

const MODAL_SCOPE = "The requested functionality is only allowed from inside a modal scope.";
const CANCELLED = "The command was cancelled by the user.";

/** Wait as long as a real call does at least: until the next turn of the event loop. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

/**
 * Check that a call is allowed now, and note it.
 * @param {string} name
 */
function enter(name) {
  if (!state.modal || state.modal.owner !== "panel") throw new Error(`${MODAL_SCOPE} (${name})`);
  if (state.modal.isCancelled) throw new Error(CANCELLED);
  state.calls.push(name);
  if (state.escapeAt === name) {
    state.escapeAt = null;
    cancelModal();
    throw new Error(CANCELLED);
  }
  if (state.pressAt && state.pressAt.call === name) {
    const { id } = state.pressAt;
    state.pressAt = null;
    document.getElementById(id).click();
  }
  if (state.refuse[name]) throw new Error(state.refuse[name]);
}

/** The artist presses Escape. */
function cancelModal() {
  state.modal.isCancelled = true;
  state.modal.context.isCancelled = true;
  if (state.modal.context.onCancel) state.modal.context.onCancel({ reason: "userCancelled" });
}

function suspend({ documentID, name }) {
  const document = documentOf(documentID);
  if (!document) throw new Error("suspendHistory: no such document");
  if (!name) throw new Error("suspendHistory: name is required");
  if (document.suspension) throw new Error("suspendHistory: history is suspended already");
  document.suspension = {
    historySuspensionID: state.nextID++,
    documentID,
    name,
    isDirty: false,
    before: contentOf(document),
  };
  const { historySuspensionID } = document.suspension;
  return { historySuspensionID, documentID };
}

function resume(suspension, commit) {
  const document = documentOf(suspension.documentID);
  if (!document || !document.suspension) throw new Error("resumeHistory: history is not suspended");
  const { before, isDirty, name } = document.suspension;
  // In the tick of the last edit that edit is not merged: it becomes a step of its own.
  const isTooEarly = commit && isDirty && document.lastEdit === state.tick;
  document.suspension = null;
  if (!commit) Object.assign(document, before);
  else if (isDirty) addHistory(document, name, before);
  if (isTooEarly) addHistory(document, "Select Layer");
}

/** When a scope ends, the host resumes what is still suspended, and closes what was registered. */
function endScope(modal, isCommitted) {
  for (const document of [...state.documents]) {
    if (document.suspension) resume(document.suspension, isCommitted);
    if (modal.autoClose.has(document.id)) closeDocument(document);
  }
  state.modal = null;
}

function closeDocument(document) {
  state.documents = state.documents.filter((each) => each.id !== document.id);
  if (state.activeID === document.id) state.activeID = state.documents.length ? state.documents[0].id : null;
}

const core = {
  isModal: () => state.modal !== null,
  async executeAsModal(work, options) {
    if (typeof work !== "function" || !options || !options.commandName)
      throw new TypeError("executeAsModal: commandName is required");
    // The artist's own text, transformation or dialog: no number.
    if (state.modal && state.modal.owner === "artist") throw new Error("host is in a modal state");
    if (state.modal)
      throw Object.assign(new Error(`Plugin: ${state.modal.owner} is running a modal command`), { number: 9 });
    await turn();
    const modal = { owner: "panel", isCancelled: false, autoClose: new Set() };
    modal.context = {
      isCancelled: false,
      onCancel: undefined,
      reportProgress({ value }) {
        if (!(value >= 0 && value <= 1)) state.violations.push(`reportProgress: ${value}`);
      },
      hostControl: {
        async suspendHistory(what) {
          enter("suspendHistory");
          return suspend(what);
        },
        async resumeHistory(suspension, commit = true) {
          enter("resumeHistory");
          resume(suspension, commit);
        },
        async registerAutoCloseDocument(id) {
          enter("registerAutoCloseDocument");
          modal.autoClose.add(id);
        },
        async unregisterAutoCloseDocument(id) {
          enter("unregisterAutoCloseDocument");
          modal.autoClose.delete(id);
        },
      },
    };
    state.modal = modal;
    state.calls.push("executeAsModal");
    try {
      const result = await work(modal.context, options.descriptor || {});
      endScope(modal, true);
      return result;
    } catch (error) {
      endScope(modal, false);
      throw error;
    }
  },
};

module.exports = { cancelModal, closeDocument, core, enter, turn };
