/** A server that says what a test tells it to, over real sockets. */

import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import errors from "../../../../photoshop_uxp/errors.js";

export const TOKEN = "0123456789abcdef".repeat(4);
export const PICTURE = {
  width: 4,
  height: 2,
  channels: 3,
  depth: 8,
  profile: "srgb",
  bytes: new Uint8Array(24).fill(7),
  hints: null,
};
export const OPTIONS = { blend: "color", size: 256, saturation: 1, doubt: false };

/** @param {Record<string, (request: object) => object>} routes "METHOD /path" -> {status, json | bytes, headers} */
export async function serving(routes, work) {
  const requests = [];
  const server = createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", async () => {
      const url = new URL(request.url, "http://x");
      const record = {
        line: `${request.method} ${url.pathname}`,
        url: request.url,
        query: Object.fromEntries(url.searchParams),
        headers: request.headers,
        body: Buffer.concat(parts),
      };
      requests.push(record);
      const route = routes[record.line];
      const answer = route ? await route(record) : { status: 204 };
      if (answer === "cut") return request.socket.destroy();
      const { status = 200, json, bytes, headers = {} } = answer;
      const type = bytes ? "application/octet-stream" : "application/json";
      return response
        .writeHead(status, { "Content-Type": type, ...headers })
        .end(bytes || (json ? JSON.stringify(json) : ""));
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await work(`http://127.0.0.1:${server.address().port}`, requests);
  } finally {
    await new Promise((resolve) => server.close(resolve).closeAllConnections());
  }
}

export const health = (more) => ({
  product: "colorize-server",
  protocol: 1,
  state: "ready",
  model: { name: "m", version: "1", sizes: [256], default_size: 256 },
  ...more,
});
export const proof = ({ query, headers }, port = headers.host.split(":")[1]) =>
  createHmac("sha256", TOKEN).update(`${query.nonce}:${port}`).digest("hex");
export const accepted = () => ({ status: 202, json: { id: "j1" } });
export const done = () => ({ json: { id: "j1", state: "done" } });
export const result =
  (bytes, more = {}) =>
  () => ({
    bytes: Buffer.from(bytes),
    headers: {
      "X-Colorize-Width": 4,
      "X-Colorize-Height": 2,
      "X-Colorize-Channels": 3,
      "X-Colorize-Depth": 8,
      "X-Colorize-Model": "m 1",
      "X-Colorize-Backend": "cpu",
      "X-Colorize-Size": 256,
      ...more,
    },
  });
export const proved = (request) => ({ json: health({ proof: proof(request) }) });
export const failsWith = (key, code) => (error) =>
  error instanceof errors.PanelError && error.key === key && (code === undefined || error.values.code === code);
