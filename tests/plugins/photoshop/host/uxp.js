/**
 * What UXP gives a panel, and what of a browser it does not.
 *
 * `fetch` goes through Node (`window.__hostFetch`), so that no browser adds an Origin or asks for CORS; it keeps to the
 * manifest's domains, and it ignores abort signals, because UXP documents them for streams only.
 */

const { state } = require("./state.js");

const MISSING = [
  "Worker",
  "SharedWorker",
  "OffscreenCanvas",
  "createImageBitmap",
  "indexedDB",
  "ImageData",
  "EventSource",
  "TextDecoder",
  "structuredClone",
  "BroadcastChannel",
];
const METHODS = ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"];

function base64From(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
}

function bytesFrom(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/**
 * @param {string[]} domains of the manifest
 * @returns {(url: string, init?: object) => Promise<object>}
 */
function makeFetch(domains) {
  const hostFetch = window.__hostFetch;
  return async (url, init = {}) => {
    if (typeof url !== "string") throw new TypeError("the fake host fetches URL strings only");
    const origin = /^([a-z]+:\/\/[^/]+)/.exec(url);
    if (!origin || !domains.includes(origin[1])) {
      state.violations.push(`network access to ${url} is denied by the manifest`);
      throw new TypeError("Permission denied to the url " + url + ". Manifest entry not found.");
    }
    if ("signal" in init && !init.signal) throw new TypeError("signal is not an AbortSignal");
    const { method = "GET", headers = {}, body } = init;
    if (!METHODS.includes(method)) throw new TypeError(`method ${method} is not supported`);
    if (body !== undefined && ["GET", "HEAD"].includes(method)) throw new TypeError("GET and HEAD take no body");
    let bytes = new Uint8Array(0);
    if (body instanceof ArrayBuffer) bytes = new Uint8Array(body);
    else if (ArrayBuffer.isView(body)) bytes = new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
    else if (body !== undefined) throw new TypeError("the fake host takes bytes only");
    if (state.modal && state.modal.owner === "panel") state.violations.push(`fetch of ${url} inside a modal scope`);
    const sent = base64From(bytes);
    if (sent) window.__lastBody = sent;
    const reply = await hostFetch({ url, method, headers, body: sent });
    if (reply.error) throw new TypeError("Network request failed: " + reply.error);
    const answer = bytesFrom(reply.body);
    let isUsed = false;
    const once = (value) => {
      if (isUsed) throw new TypeError("body used already");
      isUsed = true;
      return value();
    };
    return {
      ok: reply.status >= 200 && reply.status < 300,
      status: reply.status,
      headers: { get: (name) => reply.headers[name.toLowerCase()] ?? null },
      arrayBuffer: async () => once(() => answer.buffer),
      text: async () =>
        once(() => decodeURIComponent(Array.from(answer, (byte) => "%" + byte.toString(16).padStart(2, "0")).join(""))),
    };
  };
}

/** Encrypted storage, kept in the page like everything else. */
function makeSecureStorage() {
  const items = new Map();
  return {
    async setItem(key, value) {
      if (!value.length) throw new Error("the value is empty");
      items.set(key, typeof value === "string" ? Uint8Array.from(value, (char) => char.charCodeAt(0)) : value);
    },
    async getItem(key) {
      return items.has(key) ? items.get(key) : null;
    },
    async removeItem(key) {
      if (state.rules.removalNeedsItem && !items.has(key)) throw new Error("Failed to remove item");
      items.delete(key);
    },
  };
}

const secureStorage = makeSecureStorage();
let isSetUp = false;

const entrypoints = {
  setup({ panels }) {
    // UXP wants this at once: while the page is still being read.
    if (document.readyState !== "loading") state.violations.push("entrypoints.setup was called late");
    isSetUp = true;
    for (const id of Object.keys(panels))
      if (!window.__manifestPanels.includes(id)) state.violations.push(`the manifest has no panel ${id}`);
    for (const panel of Object.values(panels)) {
      const shown = panel.show && panel.show(document.body, {});
      if (shown instanceof Promise) state.violations.push("show must not be waited for: it times out after 300 ms");
    }
  },
};

/** Take away what UXP does not have. */
function removeBrowser() {
  const missing = (what) => () => {
    state.violations.push(`${what} does not exist in UXP`);
    throw new ReferenceError(`${what} is not defined`);
  };
  for (const name of MISSING) Object.defineProperty(window, name, { get: missing(name), configurable: true });
  Object.defineProperty(window.crypto, "subtle", { get: missing("crypto.subtle"), configurable: true });
  for (const name of ["drawImage", "getImageData", "putImageData"])
    CanvasRenderingContext2D.prototype[name] = missing(`canvas ${name}`);
  HTMLCanvasElement.prototype.toDataURL = missing("canvas toDataURL");
  Object.defineProperty(HTMLLabelElement.prototype, "htmlFor", { set: missing("label for"), configurable: true });
}

function uxpModule(locale) {
  return { entrypoints, host: { name: "Photoshop", version: "25.2.0", uiLocale: locale }, storage: { secureStorage } };
}

module.exports = { base64From, bytesFrom, isSetUp: () => isSetUp, makeFetch, removeBrowser, secureStorage, uxpModule };
