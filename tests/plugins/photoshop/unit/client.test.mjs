/** The protocol client against a server that says what a test tells it to, over real sockets. */

import assert from "node:assert/strict";
import test from "node:test";
import client from "../../../../photoshop_uxp/client.js";
import errors from "../../../../photoshop_uxp/errors.js";
import panelServer from "../../../../photoshop_uxp/server.js";
import { OPTIONS, PICTURE, TOKEN, accepted, done, failsWith, health, proof, proved, result, serving } from "./serving.mjs";

const work = {
  "GET /v1/health": proved,
  "POST /v1/jobs": accepted,
  "GET /v1/jobs/j1": done,
  "GET /v1/jobs/j1/result": result(new Uint8Array(24)),
};

function run(
  address,
  { picture = PICTURE, options = OPTIONS, cancellation = new errors.Cancellation(), onStep = () => {} } = {},
) {
  return client.colorize(address, TOKEN, picture, options, cancellation, onStep);
}

test("probe tells apart what can be at an address, and never sends the token", async () => {
  for (const [state, route, token] of [
    ["ready", (request) => ({ json: health({ proof: proof(request) }) }), TOKEN],
    ["starting", (request) => ({ json: health({ state: "starting", model: null, proof: proof(request) }) }), TOKEN],
    ["failed", (request) => ({ json: health({ state: "failed", model: null, proof: proof(request) }) }), TOKEN],
    ["stopping", (request) => ({ json: health({ state: "stopping", proof: proof(request) }) }), TOKEN],
    ["unpaired", (request) => ({ json: health({ proof: proof(request) }) }), ""],
    ["unproved", () => ({ json: health({ proof: "0".repeat(64) }) }), TOKEN],
    ["unproved", () => ({ json: health({}) }), TOKEN],
    ["unproved", (request) => ({ json: health({ proof: proof(request, 47812) }) }), TOKEN],
    ["version", (request) => ({ json: health({ protocol: 2, proof: proof(request) }) }), TOKEN],
    ["refused", () => ({ status: 403, json: { code: "origin_refused", message: "No.", hint: "" } }), TOKEN],
    ["refused", () => ({ status: 403, json: { code: "host_refused", message: "No.", hint: "" } }), TOKEN],
    ["stranger", () => ({ status: 403, json: { detail: "Forbidden", message: "Visit us." } }), TOKEN],
    ["stranger", () => ({ status: 403, json: null }), TOKEN],
    ["stranger", () => ({ bytes: Buffer.from("hello") }), TOKEN],
    ["stranger", () => ({ json: ["x"] }), TOKEN],
    ["stranger", () => ({ json: null }), TOKEN],
    ["down", () => "cut", TOKEN],
  ]) {
    await serving({ "GET /v1/health": route }, async (address, requests) => {
      assert.equal((await panelServer.probe(address, token)).state, state);
      assert.ok(requests.every(({ headers }) => headers["x-colorize-token"] === undefined));
      assert.match(requests[0].query.nonce, /^[0-9a-f]{32}$/);
    });
  }
});

test("every probe has a nonce of its own, so that an old proof is worth nothing", async () => {
  let first = "";
  const route = (request) => ({ json: health({ proof: (first = first || proof(request)) }) });
  await serving({ "GET /v1/health": route }, async (address) => {
    assert.equal((await panelServer.probe(address, TOKEN)).state, "ready");
    assert.equal((await panelServer.probe(address, TOKEN)).state, "unproved");
  });
});

test("a ready server is taken although another port is held by someone who never answers", async () => {
  await serving({ "GET /v1/health": (request) => ({ json: health({ proof: proof(request) }) }) }, async (ours) => {
    await serving({ "GET /v1/health": () => new Promise(() => {}) }, async (silent) => {
      const began = Date.now();
      assert.equal((await panelServer.findServer([silent, ours], TOKEN)).address, ours);
      assert.ok(Date.now() - began < 4000);
    });
  });
});

test("the best of several addresses is taken", async () => {
  await serving({ "GET /v1/health": (request) => ({ json: health({ proof: proof(request) }) }) }, async (ours) => {
    await serving({ "GET /v1/health": () => ({ bytes: Buffer.from("x") }) }, async (stranger) => {
      assert.equal((await panelServer.findServer([stranger, ours], TOKEN)).address, ours);
      assert.equal((await panelServer.findServer(["http://127.0.0.1:1", stranger], TOKEN)).state, "stranger");
    });
  });
});

test("a job: query, body and headers as PROTOCOL.md wants them, and the result forgotten afterwards", async () => {
  const hints = new Uint8Array(32).fill(9);
  const routes = {
    ...work,
    "GET /v1/jobs/j1/result": result([...new Uint8Array(24).fill(5), ...new Uint8Array(8).fill(6)]),
  };
  await serving(routes, async (address, requests) => {
    const steps = [];
    const answer = await run(address, {
      picture: { ...PICTURE, hints },
      options: { ...OPTIONS, blend: "multiply", saturation: 1.25, doubt: true },
      onStep: (step) => steps.push(step.key),
    });
    assert.deepEqual(answer.picture, new Uint8Array(24).fill(5));
    assert.deepEqual(answer.doubt, new Uint8Array(8).fill(6));
    assert.deepEqual([answer.model, answer.backend, answer.size], ["m 1", "cpu", 256]);
    const post = requests.find(({ line }) => line === "POST /v1/jobs");
    assert.deepEqual(post.query, {
      width: "4",
      height: "2",
      channels: "3",
      depth: "8",
      profile: "srgb",
      output: "layer",
      host: "photoshop",
      blend: "multiply",
      size: "256",
      saturation: "1.25",
      hints: "rgba8",
      include: "doubt",
    });
    assert.deepEqual(post.body, Buffer.concat([Buffer.from(PICTURE.bytes), Buffer.from(hints)]));
    assert.equal(post.headers["content-type"], "application/octet-stream");
    assert.match(post.headers["x-colorize-client"], /^photoshop\/[0-9a-f]{8}$/);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(requests.at(-1).line, "DELETE /v1/jobs/j1");
    assert.deepEqual(steps, ["send", "fetch"]);
    for (const { line, headers } of requests)
      assert.equal(headers["x-colorize-token"], line === "GET /v1/health" ? undefined : TOKEN);
  });
});

test("progress and place in the queue are told", async () => {
  const states = [{ state: "queued", position: 2 }, { state: "running", progress: 0.5 }, { state: "done" }];
  const steps = [];
  await serving({ ...work, "GET /v1/jobs/j1": () => ({ json: states.shift() }) }, (address) =>
    run(address, { onStep: (step) => steps.push(step) }),
  );
  assert.deepEqual(steps.slice(1, 3), [
    { key: "queue", fraction: 0, ahead: 2 },
    { key: "run", fraction: 0.5, ahead: 0 },
  ]);
});

test("a busy server is asked again after Retry-After", async () => {
  let posts = 0;
  const busy = () =>
    ++posts === 1
      ? { status: 503, json: { code: "queue_full", message: "Full.", hint: "" }, headers: { "Retry-After": "1" } }
      : accepted();
  const steps = [];
  const began = Date.now();
  await serving({ ...work, "POST /v1/jobs": busy }, (address) =>
    run(address, { onStep: (step) => steps.push(step.key) }),
  );
  assert.equal(posts, 2);
  assert.ok(Date.now() - began >= 1000);
  assert.ok(steps.includes("busy"));
});

test("refusals are told by their code", async () => {
  for (const [status, code] of [
    [401, "token_wrong"],
    [413, "picture_too_large"],
    [422, "picture_too_small"],
    [503, "model_unavailable"],
  ]) {
    const refuse = () => ({ status, json: { code, message: "No.", hint: "Do." } });
    await serving({ ...work, "POST /v1/jobs": refuse }, (address) => assert.rejects(run(address), failsWith("server", code)));
  }
  await serving({ ...work, "POST /v1/jobs": () => ({ status: 502, bytes: Buffer.from("<html>") }) }, (address) =>
    assert.rejects(run(address), failsWith("server", "internal")),
  );
});

test("a job that fails, is cancelled from elsewhere, or expires", async () => {
  const failed = () => ({ json: { state: "failed", error: { code: "inference_failed", message: "Died.", hint: "" } } });
  await serving({ ...work, "GET /v1/jobs/j1": failed }, (address) =>
    assert.rejects(run(address), failsWith("server", "inference_failed")),
  );
  await serving({ ...work, "GET /v1/jobs/j1": () => ({ json: { state: "cancelled" } }) }, (address) =>
    assert.rejects(run(address), failsWith("server.cancelled")),
  );
  const expired = () => ({ status: 410, json: { code: "job_expired", message: "Gone.", hint: "" } });
  await serving({ ...work, "GET /v1/jobs/j1/result": expired }, (address) =>
    assert.rejects(run(address), failsWith("server", "job_expired")),
  );
});

test("one lost poll is chance, two in a row are a server that has gone", async () => {
  let polls = 0;
  await serving({ ...work, "GET /v1/jobs/j1": () => (++polls === 1 ? "cut" : done()) }, (address) => run(address));
  assert.equal(polls, 2);
  await serving({ ...work, "GET /v1/jobs/j1": () => "cut" }, (address) =>
    assert.rejects(run(address), failsWith("gone")),
  );
});

test("a stranger who takes the port during a run gets neither token nor picture", async () => {
  // From the second, third ... exchange on somebody else answers on the port, who knows what our server says of itself.
  const busy = () => ({ status: 503, json: { code: "queue_full" }, headers: { "Retry-After": "1" } });
  const running = () => ({ json: { state: "running" } });
  for (const [ownExchanges, routes, seen] of [
    [0, {}, []],
    [1, { "POST /v1/jobs": busy }, ["POST /v1/jobs"]],
    [1, { "GET /v1/jobs/j1": running }, ["POST /v1/jobs"]],
    [2, { "GET /v1/jobs/j1": running }, ["POST /v1/jobs", "GET /v1/jobs/j1"]],
    [2, {}, ["POST /v1/jobs", "GET /v1/jobs/j1"]],
  ]) {
    let proofs = 0;
    const route = (request) => (++proofs > ownExchanges ? { json: health({ proof: "0".repeat(64) }) } : proved(request));
    await serving({ ...work, ...routes, "GET /v1/health": route }, async (address, requests) => {
      await assert.rejects(run(address), failsWith("server.unproved"));
      await new Promise((resolve) => setTimeout(resolve, 50));
      const withToken = requests.filter(({ headers }) => headers["x-colorize-token"] !== undefined);
      assert.deepEqual(
        withToken.map(({ line }) => line),
        seen,
      );
      assert.ok(proofs > ownExchanges, "the stranger was asked");
    });
  }
});

test("Cancel while the server works deletes the job at once", async () => {
  const cancellation = new errors.Cancellation();
  let release = () => {};
  const hangs = () => {
    setTimeout(() => cancellation.cancel(), 20);
    return new Promise((resolve) => (release = () => resolve(done())));
  };
  await serving({ ...work, "GET /v1/jobs/j1": hangs }, async (address, requests) => {
    await assert.rejects(run(address, { cancellation }), errors.CancelledError);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(requests.at(-1).line, "DELETE /v1/jobs/j1");
    release();
  });
});

test("Cancel while sending deletes the job that the late answer names", async () => {
  const cancellation = new errors.Cancellation();
  const slow = async () => {
    cancellation.cancel();
    await new Promise((resolve) => setTimeout(resolve, 100));
    return accepted();
  };
  await serving({ ...work, "POST /v1/jobs": slow }, async (address, requests) => {
    await assert.rejects(run(address, { cancellation }), errors.CancelledError);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(requests.at(-1).line, "DELETE /v1/jobs/j1");
  });
});

test("an answer of a wrong length or description is thrown away", async () => {
  for (const wrong of [
    result(new Uint8Array(23)),
    result(new Uint8Array(25)),
    result(new Uint8Array(24), { "X-Colorize-Width": 2, "X-Colorize-Height": 4 }),
    result(new Uint8Array(24), { "X-Colorize-Depth": 16 }),
  ]) {
    await serving({ ...work, "GET /v1/jobs/j1/result": wrong }, (address) =>
      assert.rejects(run(address), failsWith("answer")),
    );
  }
});

test("addresses: loopback on the manifest's ports, with or without http and a slash; empty is automatic", () => {
  assert.equal(panelServer.parseAddress("  "), "");
  assert.equal(panelServer.parseAddress("http://127.0.0.1:47811/"), "http://127.0.0.1:47811");
  assert.equal(panelServer.parseAddress("LOCALHOST:47813"), "http://127.0.0.1:47813");
  for (const text of [
    "http://127.0.0.1",
    "127.0.0.1:80",
    "https://127.0.0.1:47811",
    "http://evil.example:47811",
    "http://127.0.0.1:47811@evil.example:47811",
  ]) {
    assert.throws(() => panelServer.parseAddress(text), failsWith("address"));
  }
  assert.deepEqual(panelServer.addressesFor(""), [
    "http://127.0.0.1:47811",
    "http://127.0.0.1:47812",
    "http://127.0.0.1:47813",
  ]);
  assert.deepEqual(panelServer.addressesFor("http://localhost:47812"), ["http://localhost:47812"]);
});

test("a pause ends at once when the run is cancelled, and listeners do not pile up", async () => {
  const cancellation = new errors.Cancellation();
  await cancellation.pause(1);
  assert.equal(cancellation.listeners.size, 0);
  const waiting = cancellation.pause(60000);
  cancellation.cancel();
  await assert.rejects(waiting, errors.CancelledError);
  assert.throws(() => cancellation.check(), errors.CancelledError);
});
