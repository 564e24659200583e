// @ts-check
/**
 * PROTOCOL.md over fetch: find the server, prove it is ours, send a job, poll it, fetch the bytes, cancel it.
 *
 * The host's abort signal is documented to work for streams only, so every exchange is also raced against a timer and
 * the Cancel button, and a cancelled job is deleted on the server.  Knows nothing of documents or of the panel.
 */

const { PanelError, CancelledError } = require("./errors.js");
const { sha256 } = require("./vendor/sha256.js");

const PROTOCOL = 1;
/** The ports that the manifest names; a panel can reach no other. */
const PORTS = [47811, 47812, 47813];
const HOSTS = ["127.0.0.1", "localhost"];

const PROBE_TIMEOUT_MS = 5000;
const SHORT_TIMEOUT_MS = 15000;
const TRANSFER_TIMEOUT_MS = 600000;
/** Seconds that the server holds a poll open while nothing changes. */
const POLL_WAIT_S = 2;
const BUSY_ATTEMPTS = 20;

/**
 * @typedef {import("./errors.js").Cancellation} Cancellation
 *
 * @typedef {object} Health what GET /v1/health tells, see PROTOCOL.md
 * @property {string} product
 * @property {number} protocol
 * @property {string} state
 * @property {{active: string | null, device: string | null, reason: string | null}} [backend]
 * @property {{name: string, version: string, sizes: number[], default_size: number} | null} [model]
 * @property {{max_body_bytes: number, max_pixels: number, max_side: number}} [limits]
 * @property {{code: string, message: string, hint: string} | null} [error]
 * @property {string} [proof]
 *
 * @typedef {object} Server what was found at an address
 * @property {"ready" | "starting" | "stopping" | "failed" | "unpaired" | "unproved" | "refused" | "version" | "silent" | "stranger" | "down"} state
 * @property {string} address
 * @property {Health} [health]
 *
 * @typedef {object} Picture
 * @property {number} width
 * @property {number} height
 * @property {3 | 4} channels
 * @property {8 | 16} depth
 * @property {string} profile name from PROTOCOL.md
 * @property {Uint8Array} bytes samples of the picture, little-endian
 * @property {Uint8Array | null} hints RGBA, as large as the picture
 *
 * @typedef {object} JobOptions
 * @property {"color" | "multiply"} blend
 * @property {number} size
 * @property {number} saturation
 * @property {boolean} doubt
 *
 * @typedef {object} Answer
 * @property {Uint8Array} picture as many samples as were sent, same depth and channels
 * @property {Uint8Array | null} doubt
 * @property {string} model
 * @property {string} backend
 * @property {number} size the network's short side that was used
 *
 * @typedef {object} Reply
 * @property {number} status
 * @property {(name: string) => string} header
 * @property {ArrayBuffer} bytes empty unless the reply is raw
 * @property {string} text empty if the reply is raw
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
 * @returns {string} "" for automatic
 * @throws {PanelError} "address" where the manifest does not let the panel go
 */
function parseAddress(text) {
  const address = text.trim().replace(/\/+$/, "");
  if (!address) return "";
  const found = /^(?:http:\/\/)?([a-z0-9.]+):(\d+)$/i.exec(address);
  if (!found || !HOSTS.includes(found[1].toLowerCase()) || !PORTS.includes(Number(found[2]))) {
    throw new PanelError("address", { ports: PORTS.join(", ") });
  }
  return `http://${found[1].toLowerCase()}:${found[2]}`;
}

/**
 * One exchange, the body read to its end, bounded in time and by the Cancel button.
 * @param {string} url
 * @param {{method?: string, headers?: Record<string, string>, body?: ArrayBuffer}} init
 * @param {number} timeoutMs
 * @param {Cancellation | null} cancellation
 * @param {(late: Reply) => void} [abandoned] gets a reply that came after the exchange was given up
 * @returns {Promise<Reply>}
 */
async function exchange(url, init, timeoutMs, cancellation, abandoned) {
  const controller = new AbortController();
  let isOver = false;
  const work = (async () => {
    const response = await fetch(url, { ...init, credentials: "omit", signal: controller.signal });
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
    if (!abandoned) controller.abort();
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
 * @returns {Promise<Server>}
 */
async function probe(address, token) {
  const nonce = randomHex(16);
  let reply;
  try {
    reply = await exchange(`${address}/v1/health?nonce=${nonce}`, {}, PROBE_TIMEOUT_MS, null);
  } catch (error) {
    if (error instanceof PanelError) return { state: error.key === "timeout" ? "silent" : "down", address };
    throw error;
  }
  const health = /** @type {Health | null} */ (jsonOf(reply));
  if (reply.status === 403 && health) return { state: "refused", address, health: { ...health, error: jsonOf(reply) } };
  if (!health || health.product !== "colorize-server") return { state: "stranger", address };
  if (health.protocol !== PROTOCOL) return { state: "version", address, health };
  if (!token) return { state: "unpaired", address, health };
  const port = address.slice(address.lastIndexOf(":") + 1);
  if (health.proof !== sha256.hmac(token, `${nonce}:${port}`)) return { state: "unproved", address, health };
  if (health.state === "ready" && health.model) return { state: "ready", address, health };
  const { state } = health;
  return { state: state === "failed" || state === "stopping" ? state : "starting", address, health };
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

/**
 * The sentence for an error reply.
 * @param {Reply} reply
 * @returns {PanelError}
 */
function errorOf(reply) {
  const body = jsonOf(reply);
  return serverError(
    body && typeof body.code === "string" ? body : { code: "internal", message: `HTTP ${reply.status}`, hint: "" },
  );
}

/**
 * @param {{code: string, message: string, hint: string}} error
 * @returns {PanelError}
 */
function serverError(error) {
  return new PanelError("server", { code: error.code, text: `${error.message} ${error.hint || ""}`.trim() });
}

/**
 * @param {Picture} picture
 * @param {JobOptions} options
 * @returns {string} query of PROTOCOL.md
 */
function queryOf(picture, options) {
  /** @type {Record<string, string | number>} */
  const query = {
    width: picture.width,
    height: picture.height,
    channels: picture.channels,
    depth: picture.depth,
    profile: picture.profile,
    output: "layer",
    host: "photoshop",
    blend: options.blend,
    size: options.size,
    saturation: options.saturation,
  };
  if (picture.hints) query.hints = "rgba8";
  if (options.doubt) query.include = "doubt";
  return Object.keys(query)
    .map((name) => `${name}=${encodeURIComponent(query[name])}`)
    .join("&");
}

/**
 * @param {Picture} picture
 * @returns {ArrayBuffer} the request's body
 */
function bodyOf(picture) {
  const { buffer, byteOffset, byteLength } = picture.bytes;
  // A hundred megapixels are not copied without need.
  if (!picture.hints && byteOffset === 0 && byteLength === buffer.byteLength)
    return /** @type {ArrayBuffer} */ (buffer);
  const hints = picture.hints || new Uint8Array(0);
  const body = new Uint8Array(picture.bytes.length + hints.length);
  body.set(picture.bytes);
  body.set(hints, picture.bytes.length);
  return body.buffer;
}

/**
 * Colour one picture.
 * @param {string} address of a server that has proved itself
 * @param {string} token
 * @param {Picture} picture
 * @param {JobOptions} options
 * @param {Cancellation} cancellation
 * @param {(step: {key: "send" | "busy" | "queue" | "run" | "fetch", fraction: number, ahead: number}) => void} onStep
 * @returns {Promise<Answer>}
 */
async function colorize(address, token, picture, options, cancellation, onStep) {
  const headers = { "X-Colorize-Token": token, "X-Colorize-Client": CLIENT_ID };
  const forget = (/** @type {string} */ id) =>
    exchange(`${address}/v1/jobs/${id}`, { method: "DELETE", headers }, SHORT_TIMEOUT_MS, null).catch((error) => {
      // The run's own outcome is what the artist is told; a result that stays behind expires by itself.
      if (!(error instanceof PanelError)) throw error;
    });
  onStep({ key: "send", fraction: 0, ahead: 0 });
  const id = await post(
    `${address}/v1/jobs?${queryOf(picture, options)}`,
    headers,
    bodyOf(picture),
    cancellation,
    forget,
    onStep,
  );
  try {
    await finished(`${address}/v1/jobs/${id}`, headers, cancellation, onStep);
    onStep({ key: "fetch", fraction: 1, ahead: 0 });
    const reply = await exchange(`${address}/v1/jobs/${id}/result`, { headers }, TRANSFER_TIMEOUT_MS, cancellation);
    if (reply.status !== 200) throw errorOf(reply);
    return answerOf(reply, picture, options);
  } finally {
    // Not awaited: a server that hangs must not keep the artist from hearing how the run ended.
    forget(id);
  }
}

/**
 * Post the job; a busy server is asked again when it says.
 * @param {string} url
 * @param {Record<string, string>} headers
 * @param {ArrayBuffer} body
 * @param {Cancellation} cancellation
 * @param {(id: string) => Promise<unknown>} forget
 * @param {(step: {key: "busy", fraction: number, ahead: number}) => void} onStep
 * @returns {Promise<string>} the job's id
 */
async function post(url, headers, body, cancellation, forget, onStep) {
  const init = { method: "POST", headers: { ...headers, "Content-Type": "application/octet-stream" }, body };
  for (let attempt = 1; ; attempt++) {
    const reply = await exchange(url, init, TRANSFER_TIMEOUT_MS, cancellation, (late) => {
      if (late.status === 202) forget(jsonOf(late).id);
    });
    const wait = Number(reply.header("Retry-After"));
    if (reply.status === 202) return jsonOf(reply).id;
    if (reply.status !== 503 || !wait || attempt === BUSY_ATTEMPTS) throw errorOf(reply);
    onStep({ key: "busy", fraction: 0, ahead: 0 });
    await cancellation.pause(Math.min(wait, 30) * 1000);
  }
}

/**
 * Poll a job to its end.
 * @param {string} url
 * @param {Record<string, string>} headers
 * @param {Cancellation} cancellation
 * @param {(step: {key: "queue" | "run", fraction: number, ahead: number}) => void} onStep
 */
async function finished(url, headers, cancellation, onStep) {
  let failures = 0;
  for (;;) {
    let reply;
    try {
      reply = await exchange(`${url}?wait=${POLL_WAIT_S}`, { headers }, SHORT_TIMEOUT_MS, cancellation);
      failures = 0;
    } catch (error) {
      // One lost poll may be chance; a second says that the server has gone.
      if (!(error instanceof PanelError) || ++failures > 1) throw error;
      await cancellation.pause(500);
      continue;
    }
    if (reply.status !== 200) throw errorOf(reply);
    const job = jsonOf(reply);
    if (job.state === "done") return;
    if (job.state === "failed") throw serverError(job.error);
    if (job.state === "cancelled") throw new PanelError("server.cancelled");
    onStep({ key: job.state === "queued" ? "queue" : "run", fraction: job.progress || 0, ahead: job.position || 0 });
  }
}

/**
 * Take an answer apart; nothing of a wrong length or kind gets near a document.
 * @param {Reply} reply
 * @param {Picture} picture
 * @param {JobOptions} options
 * @returns {Answer}
 */
function answerOf(reply, picture, options) {
  const pixels = picture.width * picture.height;
  const length = (pixels * picture.channels * picture.depth) / 8;
  const expected = { Width: picture.width, Height: picture.height, Channels: picture.channels, Depth: picture.depth };
  const isAsSent = Object.entries(expected).every(
    ([name, value]) => Number(reply.header(`X-Colorize-${name}`)) === value,
  );
  if (!isAsSent || reply.bytes.byteLength !== length + (options.doubt ? pixels : 0)) throw new PanelError("answer");
  return {
    picture: new Uint8Array(options.doubt ? reply.bytes.slice(0, length) : reply.bytes),
    doubt: options.doubt ? new Uint8Array(reply.bytes.slice(length)) : null,
    model: reply.header("X-Colorize-Model"),
    backend: reply.header("X-Colorize-Backend"),
    size: Number(reply.header("X-Colorize-Size")),
  };
}

module.exports = { HOSTS, PORTS, addressesFor, colorize, findServer, parseAddress, probe };
