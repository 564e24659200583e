/**
 * The real server in a process of its own, and a stranger who holds a port.
 */

import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

const START_TIMEOUT_MS = 120000;
export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export class Server {
  /**
   * @param {string} folder for its state
   * @param {string} [model] file; without it the model that ships
   */
  constructor(folder, model = process.env.COLORIZE_TEST_MODEL) {
    mkdirSync(folder, { recursive: true });
    this.stateFile = join(folder, "state.json");
    this.logFile = join(folder, "output.log");
    const log = openSync(this.logFile, "w");
    this.process = spawn(
      process.env.PYTHON || "python3",
      ["-m", "colorize_server.cli.main", "start", "--port", "0", ...(model ? ["--model", model] : [])],
      {
        stdio: ["ignore", log, log],
        env: { ...process.env, COLORIZE_STATE_DIR: folder },
        detached: true,
      },
    );
    closeSync(log);
  }

  static async start(folder, model) {
    const server = new Server(folder, model);
    await server.ready();
    return server;
  }

  async ready() {
    const end = Date.now() + START_TIMEOUT_MS;
    for (;;) {
      if (existsSync(this.stateFile)) {
        const health = await this.health();
        if (health && health.state === "ready") return;
        if (health && health.state === "failed") throw new Error(`the server failed: ${JSON.stringify(health.error)}`);
      }
      if (this.process.exitCode !== null || Date.now() > end)
        throw new Error(`the server did not start: ${readFileSync(this.logFile, "utf8")}`);
      await pause(100);
    }
  }

  get state() {
    return JSON.parse(readFileSync(this.stateFile, "utf8"));
  }
  get port() {
    return this.state.port;
  }
  get token() {
    return this.state.token;
  }

  async health() {
    try {
      return await (await fetch(`http://127.0.0.1:${this.port}/v1/health`)).json();
    } catch {
      return null;
    }
  }

  /** POST a raw picture; returns the raw answer. */
  async ask(query, body) {
    const headers = { "X-Colorize-Token": this.token, "Content-Type": "application/octet-stream" };
    const reply = await fetch(`http://127.0.0.1:${this.port}/v1/colorize?${new URLSearchParams(query)}`, {
      method: "POST",
      body,
      headers,
    });
    if (reply.status !== 200) throw new Error(await reply.text());
    return Buffer.from(await reply.arrayBuffer());
  }

  /** @returns {Promise<object>} a job as the server describes it */
  async job(id) {
    const reply = await fetch(`http://127.0.0.1:${this.port}/v1/jobs/${id}`, {
      headers: { "X-Colorize-Token": this.token },
    });
    return { status: reply.status, ...(await reply.json()) };
  }

  /** End it and its inference process as the out-of-memory killer would. */
  kill() {
    process.kill(-this.process.pid, "SIGKILL");
  }

  async stop() {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill("SIGTERM");
    const timer = setTimeout(() => this.kill(), 15000);
    await ended;
    clearTimeout(timer);
  }
}

/**
 * A program that is not ours; it keeps what it is sent.
 * @param {(request: {method: string, url: string, headers: object, bytes: number}, response: object) => void} [answer]
 */
export async function startStranger(answer) {
  const requests = [];
  const server = createServer((request, response) => {
    let bytes = 0;
    request.on("data", (part) => (bytes += part.length));
    request.on("end", () => {
      const record = { method: request.method, url: request.url, headers: request.headers, bytes };
      requests.push(record);
      if (answer) return answer(record, response);
      response.writeHead(200, { "Content-Type": "text/html" });
      return response.end("<h1>It works!</h1>");
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    requests,
    port: server.address().port,
    stop: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  };
}
