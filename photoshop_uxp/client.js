// @ts-check
/**
 * The jobs of PROTOCOL.md: send one, poll it, fetch the bytes, delete it, whatever happens; and its touch-ups.  Knows
 * nothing of documents or of the panel.
 */

const { PanelError } = require("./errors.js");
const { SHORT_TIMEOUT_MS, exchangeProved, exchangeWithToken, jsonOf } = require("./server.js");

const TRANSFER_TIMEOUT_MS = 600000;
/** Seconds that the server holds a poll open while nothing changes. */
const POLL_WAIT_S = 2;
const BUSY_ATTEMPTS = 20;

/**
 * @typedef {import("./errors.js").Cancellation} Cancellation
 * @typedef {import("./server.js").Abandoned} Abandoned
 * @typedef {import("./server.js").Init} Init
 * @typedef {import("./server.js").Reply} Reply
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
 * @property {boolean} wantsRecipe
 * @property {Uint8Array | null} recipe the colours come from it, and the model is not asked: without hints, size and doubt
 *
 * @typedef {object} Answer
 * @property {Uint8Array} picture as many samples as were sent, same depth and channels
 * @property {Uint8Array | null} doubt
 * @property {Uint8Array | null} recipe
 * @property {string} model
 * @property {string} sha256 of the model
 * @property {string} backend
 * @property {number} size the network's short side that was used
 *
 * @typedef {object} Suggestion a colour that a place may have
 * @property {number[]} srgb 0..255
 * @property {number} share how likely it is, 0..1
 * @property {boolean} [used] the artist has used it already
 *
 * @typedef {(path: string, init: Init, timeoutMs: number, abandoned?: Abandoned) => Promise<Reply>} Ask
 * `exchangeProved` with one server, cancelled with the run
 */

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
    saturation: options.saturation,
  };
  if (options.recipe) query.recipe = options.recipe.length;
  else {
    query.size = options.size;
    if (picture.hints) query.hints = "rgba8";
    const include = [...(options.doubt ? ["doubt"] : []), ...(options.wantsRecipe ? ["recipe"] : [])];
    if (include.length > 0) query.include = include.join();
  }
  return Object.keys(query)
    .map((name) => `${name}=${encodeURIComponent(query[name])}`)
    .join("&");
}

/**
 * @param {Uint8Array} first
 * @param {Uint8Array | null} second
 * @returns {Init} a request with both as its body
 */
function rawPost(first, second) {
  return { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: bodyOf(first, second) };
}

/**
 * @param {Uint8Array} first
 * @param {Uint8Array | null} second
 * @returns {ArrayBuffer} a request's body: both, one after the other
 */
function bodyOf(first, second) {
  const { buffer, byteOffset, byteLength } = first;
  // A hundred megapixels are not copied without need.
  if (!second && byteOffset === 0 && byteLength === buffer.byteLength) return /** @type {ArrayBuffer} */ (buffer);
  const body = new Uint8Array(first.length + (second ? second.length : 0));
  body.set(first);
  if (second) body.set(second, first.length);
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
  /** @type {Ask} */
  const ask = (path, init, timeoutMs, abandoned) =>
    exchangeProved(address, token, path, init, timeoutMs, cancellation, abandoned);
  const forget = (/** @type {string} */ id, send = exchangeProved) =>
    send(address, token, `/v1/jobs/${id}`, { method: "DELETE" }, SHORT_TIMEOUT_MS, null).catch((error) => {
      // The run's own outcome is what the artist is told; a result that stays behind expires by itself.
      if (!(error instanceof PanelError)) throw error;
    });
  onStep({ key: "send", fraction: 0, ahead: 0 });
  const id = await post(ask, picture, options, cancellation, forget, onStep);
  let sendLast = exchangeProved;
  try {
    await finished(ask, id, cancellation, onStep);
    onStep({ key: "fetch", fraction: 1, ahead: 0 });
    const reply = await ask(`/v1/jobs/${id}/result`, {}, TRANSFER_TIMEOUT_MS);
    // It answered this very moment; and Photoshop, modal for the layer, is not to wait for the network.
    sendLast = exchangeWithToken;
    if (reply.status !== 200) throw errorOf(reply);
    return answerOf(reply, picture, options);
  } finally {
    // Not awaited: a server that hangs must not keep the artist from hearing how the run ended.
    forget(id, sendLast);
  }
}

/**
 * Post the job; a busy server is asked again when it says.
 * @param {Ask} ask
 * @param {Picture} picture
 * @param {JobOptions} options
 * @param {Cancellation} cancellation
 * @param {(id: string) => Promise<unknown>} forget
 * @param {(step: {key: "busy", fraction: number, ahead: number}) => void} onStep
 * @returns {Promise<string>} the job's id
 */
async function post(ask, picture, options, cancellation, forget, onStep) {
  const path = `/v1/jobs?${queryOf(picture, options)}`;
  const init = rawPost(picture.bytes, options.recipe || picture.hints);
  for (let attempt = 1; ; attempt++) {
    const reply = await ask(path, init, TRANSFER_TIMEOUT_MS, (late) => {
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
 * @param {Ask} ask
 * @param {string} id of the job
 * @param {Cancellation} cancellation
 * @param {(step: {key: "queue" | "run", fraction: number, ahead: number}) => void} onStep
 */
async function finished(ask, id, cancellation, onStep) {
  let failures = 0;
  for (;;) {
    let reply;
    try {
      reply = await ask(`/v1/jobs/${id}?wait=${POLL_WAIT_S}`, {}, SHORT_TIMEOUT_MS);
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
  const doubtEnd = length + (options.doubt ? pixels : 0);
  const recipeBytes = options.wantsRecipe ? Number(reply.header("X-Colorize-Recipe-Bytes")) : 0;
  const expected = { Width: picture.width, Height: picture.height, Channels: picture.channels, Depth: picture.depth };
  const isAsSent = Object.entries(expected).every(
    ([name, value]) => Number(reply.header(`X-Colorize-${name}`)) === value,
  );
  const isWhole = reply.bytes.byteLength === doubtEnd + recipeBytes && (recipeBytes > 0 || !options.wantsRecipe);
  if (!isAsSent || !isWhole) throw new PanelError("answer");
  return {
    // A view: what follows the picture is small beside it.
    picture: new Uint8Array(reply.bytes, 0, length),
    doubt: options.doubt ? new Uint8Array(reply.bytes.slice(length, doubtEnd)) : null,
    recipe: options.wantsRecipe ? new Uint8Array(reply.bytes.slice(doubtEnd)) : null,
    model: reply.header("X-Colorize-Model"),
    sha256: reply.header("X-Colorize-Model-Sha256"),
    backend: reply.header("X-Colorize-Backend"),
    size: Number(reply.header("X-Colorize-Size")),
  };
}

/**
 * One exchange that is answered at once, without a job.
 * @param {string} address of a server that has proved itself
 * @param {string} token
 * @param {string} path
 * @param {Init} init
 * @param {Cancellation} cancellation
 * @returns {Promise<Reply>}
 */
async function answered(address, token, path, init, cancellation) {
  const reply = await exchangeProved(address, token, path, init, TRANSFER_TIMEOUT_MS, cancellation);
  if (reply.status !== 200) throw errorOf(reply);
  return reply;
}

/**
 * Find what was painted on a layer of colour.
 * @param {string} address of a server that has proved itself
 * @param {string} token
 * @param {{width: number, height: number}} size
 * @param {Uint8Array} laid RGBA in sRGB: the layer as it was laid
 * @param {Uint8Array} painted the same: as it is now
 * @param {Cancellation} cancellation
 * @returns {Promise<Uint8Array>} RGBA: the strokes alone
 */
async function liftStrokes(address, token, { width, height }, laid, painted, cancellation) {
  const path = `/v1/touchups?width=${width}&height=${height}`;
  const reply = await answered(address, token, path, rawPost(laid, painted), cancellation);
  if (reply.bytes.byteLength !== painted.length) throw new PanelError("answer");
  return new Uint8Array(reply.bytes);
}

/**
 * Ask which colours places of a picture may have.
 * @param {string} address of a server that has proved itself and whose model suggests colours
 * @param {string} token
 * @param {Picture} picture with the strokes that there are
 * @param {number[][]} places x, y in pixels of the picture
 * @param {Cancellation} cancellation
 * @returns {Promise<Suggestion[]>} of all places, the likeliest of each first
 */
async function suggest(address, token, picture, places, cancellation) {
  const { width, height, channels, depth, profile } = picture;
  const shape = `width=${width}&height=${height}&channels=${channels}&depth=${depth}&profile=${profile}`;
  const query = `${shape}${picture.hints ? "&hints=rgba8" : ""}${places.map(([x, y]) => `&at=${x},${y}`).join("")}`;
  const init = rawPost(picture.bytes, picture.hints);
  const reply = await answered(address, token, `/v1/suggest?${query}`, init, cancellation);
  const answer = jsonOf(reply);
  /** @type {Suggestion[]} */
  const suggestions = ((answer && answer.places) || []).flatMap((/** @type {any} */ place) => place.colours || []);
  const isColour = (/** @type {Suggestion} */ { srgb }) => Array.isArray(srgb) && srgb.length === 3 && srgb.every((level) => level >= 0 && level <= 255);
  if (suggestions.length === 0 || !suggestions.every(isColour)) throw new PanelError("answer");
  return suggestions;
}

module.exports = { colorize, liftStrokes, suggest };
