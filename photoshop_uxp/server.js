// @ts-check
/**
 * Exchanges with the server over fetch: find it, and prove that it is ours before it is sent anything.
 *
 * The host's abort signal is documented to work for streams only, so every exchange is also raced against a timer and
 * the Cancel button.  Knows nothing of pictures, of documents or of the panel.
 */

const { PanelError, CancelledError } = require("./errors.js");
const { sha256 } = require("./vendor/sha256.js");

const PROTOCOL = 1;
/** The ports that the manifest names; a panel can reach no other. */
const PORTS = [47811, 47812, 47813];
const HOSTS = ["127.0.0.1", "localhost"];

const PROBE_TIMEOUT_MS = 5000;
const SHORT_TIMEOUT_MS = 15000;
/** Codes with which our server refuses whoever asks for its health. */
const REFUSALS = ["host_refused", "origin_refused"];

/**
 * @typedef {import("./errors.js").Cancellation} Cancellation
 *
 * @typedef {object} Health what GET /v1/health tells, see PROTOCOL.md
 * @property {string} product
 * @property {number} protocol
 * @property {string} state
 * @property {{active: string | null, device: string | null, reason: string | null}} [backend]
 * @property {boolean} [suggestions] whether the model suggests colours for a place
 * @property {string[]} [features] what protocol version 1 has learned since its first server
 * @property {{name: string, version: string, sha256: string, sizes: number[], default_size: number} | null} [model]
 * @property {{max_body_bytes: number, max_pixels: number, max_side: number}} [limits]
 * @property {{code: string, message: string, hint: string} | null} [error]
 * @property {string} [proof]
 *
 * @typedef {object} Server what was found at an address
 * @property {"ready" | "starting" | "stopping" | "failed" | "unpaired" | "unproved" | "refused" | "version" | "silent" | "stranger" | "down"} state
 * @property {string} address
 * @property {Health} [health]
 *
 * @typedef {object} Reply
 * @property {number} status
 * @property {(name: string) => string} header
 * @property {ArrayBuffer} bytes empty unless the reply is raw
 * @property {string} text empty if the reply is raw
 *
 * @typedef {{method?: string, headers?: Record<string, string>, body?: ArrayBuffer}} Init
 * @typedef {(late: Reply) => void} Abandoned gets a reply that came after the exchange was given up
 */

/** @type {string} */
const CLIENT_ID = "photoshop/" + randomHex(4);

/**
 * @param {number} bytes
 * @returns {string}
 */
function randomHex(bytes) {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Addresses to look at: the artist's own, or 127.0.0.1 on every port (host names over http fail on some Macs).
 * @param {string} setting
 * @returns {string[]}
 */
function addressesFor(setting) {
  return setting ? [setting] : PORTS.map((port) => `http://127.0.0.1:${port}`);
}

/**
 * @param {string} text what the artist typed as address
 * @returns {string} "" for automatic; a host name becomes 127.0.0.1, because names over http fail on some Macs
 * @throws {PanelError} "address" where the manifest does not let the panel go
 */
function parseAddress(text) {
  const address = text.trim().replace(/\/+$/, "");
  if (!address) return "";
  const found = /^(?:http:\/\/)?([a-z0-9.]+):(\d+)$/i.exec(address);
  if (!found || !HOSTS.includes(found[1].toLowerCase()) || !PORTS.includes(Number(found[2]))) {
    throw new PanelError("address", { ports: PORTS.join(", ") });
  }
  return `http://127.0.0.1:${found[2]}`;
}

/**
 * One exchange, the body read to its end, bounded in time and by the Cancel button.
 * @param {string} url
 * @param {Init} init
 * @param {number} timeoutMs
 * @param {Cancellation | null} cancellation
 * @param {Abandoned} [abandoned]
 * @returns {Promise<Reply>}
 */
async function exchange(url, init, timeoutMs, cancellation, abandoned) {
  // A host without it, or one that refuses `signal: undefined`, must not stop the panel: nothing here depends on it.
  const controller = typeof AbortController === "function" ? new AbortController() : null;
  const signal = controller ? { signal: controller.signal } : {};
  let isOver = false;
  const work = (async () => {
    const response = await fetch(url, { ...init, credentials: "omit", ...signal });
    const header = (/** @type {string} */ name) => response.headers.get(name) || "";
    const isRaw = header("Content-Type").startsWith("application/octet-stream");
    const reply = {
      status: response.status,
      header,
      bytes: isRaw ? await response.arrayBuffer() : new ArrayBuffer(0),
      text: isRaw ? "" : await response.text(),
    };
    if (isOver && abandoned) abandoned(reply);
    return reply;
  })();
  let release = () => {};
  const gaveUp = new Promise((_, reject) => {
    const timer = setTimeout(() => reject(new PanelError("timeout")), timeoutMs);
    const stopListening = cancellation ? cancellation.onCancel(() => reject(new CancelledError())) : () => {};
    release = () => {
      clearTimeout(timer);
      stopListening();
    };
  });
  try {
    return /** @type {Reply} */ (await Promise.race([work, gaveUp]));
  } catch (error) {
    isOver = true;
    work.catch(() => {});
    // A reply that is still to come is wanted if it may name a job that must be deleted.
    if (!abandoned && controller) controller.abort();
    if (error instanceof PanelError || error instanceof CancelledError) throw error;
    // The documentation promises a TypeError for whatever happens on the way; nothing here depends on its kind.
    throw new PanelError("gone");
  } finally {
    release();
  }
}

/**
 * @param {Reply} reply
 * @returns {any} the reply's JSON, or null if it is none
 */
function jsonOf(reply) {
  try {
    return JSON.parse(reply.text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/**
 * Ask one address who it is.  Sends neither token nor picture.
 * @param {string} address
 * @param {string} token "" if the panel was never paired
 * @param {number} [timeoutMs]
 * @param {Cancellation | null} [cancellation]
 * @returns {Promise<Server>}
 */
async function probe(address, token, timeoutMs = PROBE_TIMEOUT_MS, cancellation = null) {
  const nonce = randomHex(16);
  let reply;
  try {
    reply = await exchange(`${address}/v1/health?nonce=${nonce}`, {}, timeoutMs, cancellation);
  } catch (error) {
    if (error instanceof PanelError) return { state: error.key === "timeout" ? "silent" : "down", address };
    throw error;
  }
  const health = /** @type {Health | null} */ (jsonOf(reply));
  if (reply.status === 403 && REFUSALS.includes(Object(health).code)) return { state: "refused", address };
  if (!health || health.product !== "colorize-server") return { state: "stranger", address };
  if (health.protocol !== PROTOCOL) return { state: "version", address, health };
  if (!token) return { state: "unpaired", address, health };
  const port = address.slice(address.lastIndexOf(":") + 1);
  if (health.proof !== sha256.hmac(token, `${nonce}:${port}`)) return { state: "unproved", address, health };
  if (health.state === "ready" && health.model) return { state: "ready", address, health };
  const { state } = health;
  return { state: state === "failed" || state === "stopping" ? state : "starting", address, health };
}

/**
 * @param {string} address
 * @returns {string} as the artist would write it
 */
function nameOf(address) {
  return address.replace("http://", "");
}

/** What a server is that has proved itself. */
const PROVED = ["ready", "starting", "stopping", "failed"];

/**
 * One exchange that carries the token.
 * @param {string} address of a server that has proved itself directly before, or answered such an exchange
 * @param {string} token
 * @param {string} path
 * @param {Init} init
 * @param {number} timeoutMs
 * @param {Cancellation | null} cancellation
 * @param {Abandoned} [abandoned]
 * @returns {Promise<Reply>}
 */
function exchangeWithToken(address, token, path, init, timeoutMs, cancellation, abandoned) {
  const headers = { ...init.headers, "X-Colorize-Token": token, "X-Colorize-Client": CLIENT_ID };
  return exchange(address + path, { ...init, headers }, timeoutMs, cancellation, abandoned);
}

/**
 * One exchange that carries the token, directly after a new proof: whoever holds the port by now must be our server.
 * A fetch cannot be bound to the connection of another one, so an instant is left between the two.
 * @param {string} address
 * @param {string} token
 * @param {string} path
 * @param {Init} init
 * @param {number} timeoutMs
 * @param {Cancellation | null} cancellation
 * @param {Abandoned} [abandoned]
 * @returns {Promise<Reply>}
 */
async function exchangeProved(address, token, path, init, timeoutMs, cancellation, abandoned) {
  const server = await probe(address, token, SHORT_TIMEOUT_MS, cancellation);
  if (server.state === "down") throw new PanelError("gone");
  if (server.state === "silent") throw new PanelError("timeout");
  if (!PROVED.includes(server.state)) throw new PanelError(`server.${server.state}`, { address: nameOf(address) });
  return exchangeWithToken(address, token, path, init, timeoutMs, cancellation, abandoned);
}

/** From what serves best to what helps least; the first found is what the panel speaks of. */
const ORDER = [
  "ready",
  "starting",
  "stopping",
  "failed",
  "unproved",
  "unpaired",
  "refused",
  "version",
  "silent",
  "stranger",
  "down",
];

/**
 * Look at every address at once and take the best; a ready server is taken without waiting for who does not answer.
 * @param {string[]} addresses
 * @param {string} token
 * @returns {Promise<Server>}
 */
function findServer(addresses, token) {
  return new Promise((resolve, reject) => {
    /** @type {Server[]} */
    const found = [];
    const take = (/** @type {Server} */ server) => {
      found.push(server);
      found.sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
      if (server.state === "ready" || found.length === addresses.length) resolve(found[0]);
    };
    for (const address of addresses) probe(address, token).then(take, reject);
  });
}

module.exports = {
  HOSTS,
  PORTS,
  SHORT_TIMEOUT_MS,
  addressesFor,
  exchangeProved,
  exchangeWithToken,
  findServer,
  jsonOf,
  nameOf,
  parseAddress,
  probe,
};
