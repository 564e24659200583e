/**
 * The server, and what stands in its place.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { simpleDocument } from "../documents.mjs";
import { assertDone, assertRefused } from "./kit.mjs";
import { Server, startStranger } from "./server.mjs";

const tokensIn = (requests) =>
  requests.filter((request) => request.headers["X-Colorize-Token"] || request.headers["x-colorize-token"]);

/** Colour with a panel that cannot: a sentence, and neither token nor picture has left. */
async function refusedUnsent(kit, panel, pattern) {
  await panel.open(simpleDocument(kit.photographs.girl));
  const before = await panel.report();
  await assertRefused(panel, before, await panel.colorize(), pattern);
  assert.deepEqual(tokensIn(panel.requests), [], "the token was not sent");
  assert.ok(!panel.requests.some((request) => request.method === "POST"), "the picture was not sent");
}

/** How the panel speaks of a program at a port. */
const said = (before, { port }, after) => new RegExp(`^${before} 127\\.0\\.0\\.1:${port}${after}`);

async function withStranger(answer, work) {
  const stranger = await startStranger(answer);
  try {
    await work(stranger);
  } finally {
    await stranger.stop();
  }
  assert.deepEqual(tokensIn(stranger.requests), [], "no stranger got the token");
  assert.ok(
    stranger.requests.every((request) => request.bytes === 0),
    "no stranger got a picture",
  );
}

export const network = {
  async "server down, started, killed in the middle"(kit) {
    const panel = await kit.panel({ ports: {} });
    await panel.untilServerSays(/^No server answers: start it .+“colorize-server start”/);
    await refusedUnsent(kit, panel, /^No server answers/);
    const server = await Server.start(join(kit.folder, "own-server"));
    try {
      await kit.close();
      kit.panels = [];
      let isKilled = false;
      const onRequest = async (request) => {
        if (isKilled || request.method !== "GET" || !request.path.startsWith("/v1/jobs/")) return;
        isKilled = true;
        server.kill();
      };
      const { port, token } = server;
      const late = await kit.panel({ ports: { 47811: port }, shut: [port], token, onRequest });
      await late.untilServerSays(/^No server answers/);
      // Now it is started; the panel finds it without being asked.
      late.connection.shut.clear();
      await late.untilServerSays(/onnxruntime/, 10000);
      await late.open(simpleDocument(kit.photographs.girl));
      const before = await late.report();
      await assertRefused(
        late,
        before,
        await late.colorize(),
        /^The server went away while it worked, the document is as before/,
      );
      await late.untilServerSays(/^No server answers/, 10000);
    } finally {
      await server.stop();
    }
  },
  async "server on the last port"(kit) {
    const panel = await kit.readyPanel({ ports: { 47813: kit.server.port } });
    const id = await panel.open(simpleDocument(kit.photographs.girl));
    await assertDone(panel, await panel.colorize(), id);
    const posts = panel.requests.filter((request) => request.method === "POST");
    assert.deepEqual(
      posts.map((request) => request.port),
      [String(kit.server.port)],
    );
  },
  async "address of the artist's own"(kit) {
    const { port } = kit.server;
    const panel = await kit.panel({ ports: { 47812: port } });
    await panel.page.evaluate((text) => (document.getElementById("address").value = text), `http://localhost:${port}/`);
    await panel.press("save");
    await panel.until(async () => (await panel.text("status")) === "Settings saved.", "the settings");
    panel.requests.length = 0;
    const id = await panel.open(simpleDocument(kit.photographs.girl));
    await assertDone(panel, await panel.colorize(), id);
    assert.ok(panel.requests.every((request) => request.port === String(port)));
  },
  async "address that the manifest does not allow"(kit) {
    const panel = await kit.readyPanel();
    for (const address of [
      "http://example.com:47811",
      "http://127.0.0.1:8080",
      "https://127.0.0.1:47811",
      "127.0.0.1",
    ]) {
      await panel.page.evaluate((text) => (document.getElementById("address").value = text), address);
      await panel.press("save");
      await panel.until(
        async () => /may only reach 127\.0\.0\.1 or localhost/.test(await panel.text("status")),
        `the sentence for ${address}`,
      );
    }
    await panel.orderlyReport();
  },
  async "not paired"(kit) {
    const panel = await kit.panel({ token: "" });
    await panel.untilServerSays(/^This panel is not paired yet: run “colorize-server pair photoshop”/);
    await refusedUnsent(kit, panel, /^This panel is not paired yet/);
    // Pairing: paste what the command shows, press Save.
    await panel.press("open-settings");
    await panel.page.evaluate((token) => (document.getElementById("token").value = `  ${token}\n`), kit.server.token);
    await panel.press("save");
    await panel.untilServerSays(/onnxruntime/);
    assert.equal(await panel.artist("storedToken"), kit.server.token, "kept in the host's encrypted storage");
    const stored = await panel.page.evaluate(() => JSON.stringify(localStorage));
    assert.ok(!stored.includes(kit.server.token), "and nowhere else");
    assert.match(await panel.colorize(), /^Done/);
  },
  async "wrong token"(kit) {
    const panel = await kit.panel({ token: "f".repeat(64) });
    await panel.untilServerSays(/does not know this panel's token, nothing was sent/);
    await refusedUnsent(kit, panel, /does not know this panel's token/);
  },
  async "something that is no token"(kit) {
    const panel = await kit.panel({ token: "" });
    await panel.page.evaluate(() => (document.getElementById("token").value = "two words"));
    await panel.press("save");
    await panel.until(async () => /^That is no token/.test(await panel.text("status")), "the sentence");
  },
  async "a stranger on the port"(kit) {
    await withStranger(undefined, async (stranger) => {
      const panel = await kit.panel({ ports: { 47811: stranger.port } });
      await panel.untilServerSays(said("Another program answers at", stranger, ", nothing was sent"));
      await refusedUnsent(kit, panel, /^Another program answers/);
      await panel.close();
      kit.panels = [];
      // With our server on the next port the stranger does not matter.
      const second = await kit.readyPanel({ ports: { 47811: stranger.port, 47812: kit.server.port } });
      const id = await second.open(simpleDocument(kit.photographs.girl));
      await assertDone(second, await second.colorize(), id);
    });
  },
  async "a stranger who passes for the server"(kit) {
    const health = {
      product: "colorize-server",
      version: "0.1.0",
      protocol: 1,
      state: "ready",
      ready: true,
      model: { name: "x", version: "1", sizes: [256], default_size: 256 },
    };
    for (const proof of [undefined, "0".repeat(64)]) {
      const answer = (_request, response) =>
        response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ ...health, proof }));
      await withStranger(answer, async (stranger) => {
        const panel = await kit.panel({ ports: { 47811: stranger.port } });
        await panel.untilServerSays(/does not know this panel's token/);
        await refusedUnsent(kit, panel, /does not know this panel's token/);
      });
    }
  },
  async "a stranger relays the health of our server"(kit) {
    const ours = kit.server.port;
    const relay = async (request, response) => {
      const health = await (await fetch(`http://127.0.0.1:${ours}${request.url}`)).json();
      response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ ...health, port: ours }));
    };
    await withStranger(relay, async (stranger) => {
      const panel = await kit.panel({ ports: { 47811: stranger.port, 47812: ours }, shut: [ours] });
      await panel.untilServerSays(/does not know this panel's token/);
      await refusedUnsent(kit, panel, /does not know this panel's token/);
      // The panel goes to our server itself as soon as it can reach it.
      panel.connection.shut.clear();
      assert.match(await panel.colorize(), /^Done/);
    });
  },
  async "a stranger who never answers"(kit) {
    await withStranger(
      () => {},
      async (stranger) => {
        const ours = kit.server.port;
        const panel = await kit.panel({ ports: { 47811: stranger.port, 47812: ours }, shut: [ours] });
        await panel.untilServerSays(said("The program at", stranger, " does not answer, nothing was sent"));
        // With our server on the next port nobody waits for it.
        panel.connection.shut.clear();
        await panel.open(simpleDocument(kit.photographs.girl));
        assert.match(await panel.colorize(), /^Done/);
      },
    );
  },
  async "a server of another protocol"(kit) {
    const answer = (_request, response) =>
      response
        .writeHead(200, { "Content-Type": "application/json" })
        .end(JSON.stringify({ product: "colorize-server", protocol: 2, state: "ready" }));
    await withStranger(answer, async (stranger) => {
      const panel = await kit.panel({ ports: { 47811: stranger.port } });
      await panel.untilServerSays(/speaks another version of the protocol/);
      await refusedUnsent(kit, panel, /speaks another version/);
    });
  },
  async "the host sends Origin: null"(kit) {
    const panel = await kit.readyPanel({ origin: "null" });
    const id = await panel.open(simpleDocument(kit.photographs.girl));
    await assertDone(panel, await panel.colorize(), id);
  },
  async "the host sends a web Origin"(kit) {
    const panel = await kit.panel({ origin: "http://127.0.0.1:47811" });
    await panel.untilServerSays(/refused this panel, nothing was sent to it: empty the address in Settings/);
    await refusedUnsent(kit, panel, /refused this panel/);
  },
  async "an answer that does not fit"(kit) {
    // The real server's answer, cut short on its way.
    kit.patches = [
      ...kit.patches,
      {
        file: "server.js",
        find: "const isRaw = ",
        replace:
          "if (url.endsWith('/result')) await response.arrayBuffer().then((bytes) => { response.arrayBuffer = async () => bytes.slice(1); });\n    const isRaw = ",
      },
    ];
    const panel = await kit.readyPanel();
    await panel.open(simpleDocument(kit.photographs.girl));
    const before = await panel.report();
    await assertRefused(panel, before, await panel.colorize(), /does not fit the photograph and was thrown away/);
  },
};
