/** Recipes, touch-ups and suggestions: what is asked of the server, and what of its answers is believed. */

import assert from "node:assert/strict";
import test from "node:test";
import client from "../../../../photoshop_uxp/client.js";
import errors from "../../../../photoshop_uxp/errors.js";
import { OPTIONS, PICTURE, TOKEN, accepted, done, failsWith, proved, result, serving } from "./serving.mjs";

const HINTS = new Uint8Array(32).fill(9);

/** Colour with the answer that `bytes` are; returns it and what was asked. */
async function asked({ options = {}, picture = {}, bytes = new Uint8Array(24), headers = {} }) {
  const routes = {
    "GET /v1/health": proved,
    "POST /v1/jobs": accepted,
    "GET /v1/jobs/j1": done,
    "GET /v1/jobs/j1/result": result(bytes, headers),
  };
  return serving(routes, async (address, requests) => {
    const cancellation = new errors.Cancellation();
    const answer = await client.colorize(address, TOKEN, { ...PICTURE, ...picture }, { ...OPTIONS, ...options }, cancellation, () => {});
    return { answer, post: requests.find(({ line }) => line === "POST /v1/jobs") };
  });
}

test("picture, doubt and recipe are taken apart", async () => {
  const bytes = Uint8Array.from({ length: 24 + 8 + 5 }, (_, i) => i);
  const headers = { "X-Colorize-Recipe-Bytes": 5, "X-Colorize-Model-Sha256": "abc" };
  const { answer, post } = await asked({ options: { doubt: true, wantsRecipe: true }, bytes, headers });
  assert.equal(post.query.include, "doubt,recipe");
  assert.deepEqual([...answer.picture], [...bytes.subarray(0, 24)]);
  assert.deepEqual([...answer.doubt], [...bytes.subarray(24, 32)]);
  assert.deepEqual([...answer.recipe], [...bytes.subarray(32)]);
  assert.equal(answer.sha256, "abc");
});

test("an answer whose recipe is missing or cut is thrown away", async () => {
  for (const [length, said] of [
    [24, undefined],
    [24 + 4, 5],
    [24 + 6, 5],
  ]) {
    const headers = said === undefined ? {} : { "X-Colorize-Recipe-Bytes": said };
    await assert.rejects(asked({ options: { wantsRecipe: true }, bytes: new Uint8Array(length), headers }), failsWith("answer"));
  }
});

test("a recipe goes behind the picture, without hints, size and doubt", async () => {
  const recipe = Uint8Array.of(1, 2, 3);
  const { answer, post } = await asked({ options: { recipe }, picture: { hints: HINTS } });
  assert.equal(post.query.recipe, "3");
  for (const name of ["hints", "size", "include"]) assert.equal(post.query[name], undefined);
  assert.deepEqual([...post.body], [...PICTURE.bytes, 1, 2, 3]);
  assert.equal(answer.recipe, null);
});

test("touch-ups: the layer as it was laid, then as it is; the strokes come back", async () => {
  const laid = new Uint8Array(32).fill(1);
  const painted = new Uint8Array(32).fill(2);
  for (const length of [32, 31]) {
    const routes = { "GET /v1/health": proved, "POST /v1/touchups": () => ({ bytes: Buffer.alloc(length, 7) }) };
    await serving(routes, async (address, requests) => {
      const lift = () => client.liftStrokes(address, TOKEN, { width: 4, height: 2 }, laid, painted, new errors.Cancellation());
      if (length !== 32) return assert.rejects(lift(), failsWith("answer"));
      assert.deepEqual([...(await lift())], new Array(32).fill(7));
      const { query, body, headers } = requests.at(-1);
      assert.deepEqual(query, { width: "4", height: "2" });
      assert.deepEqual([...body], [...laid, ...painted]);
      assert.equal(headers["x-colorize-token"], TOKEN);
      return undefined;
    });
  }
});

test("suggestions: places and strokes are sent, the colours of all places come back", async () => {
  const places = [
    { colours: [{ srgb: [1, 2, 3], share: 0.5 }] },
    { colours: [{ srgb: [9, 8, 7], share: 0.4, used: true }] },
  ];
  const routes = { "GET /v1/health": proved, "POST /v1/suggest": () => ({ json: { model: "m 1", places } }) };
  await serving(routes, async (address, requests) => {
    const picture = { ...PICTURE, hints: HINTS };
    const found = await client.suggest(address, TOKEN, picture, [[1, 0], [3, 1]], new errors.Cancellation());
    assert.deepEqual(found, [places[0].colours[0], places[1].colours[0]]);
    const { url, body } = requests.at(-1);
    assert.equal(url, "/v1/suggest?width=4&height=2&channels=3&depth=8&profile=srgb&hints=rgba8&at=1,0&at=3,1");
    assert.equal(body.length, 24 + 32);
  });
});

test("suggestions that are none are thrown away; a refusal is told", async () => {
  for (const json of [{}, { places: [] }, { places: [{ colours: [{ srgb: [1, 2] }] }] }, { places: [{ colours: [{ srgb: [1, 2, 300] }] }] }]) {
    const routes = { "GET /v1/health": proved, "POST /v1/suggest": () => ({ json }) };
    await serving(routes, (address) =>
      assert.rejects(client.suggest(address, TOKEN, PICTURE, [[1, 1]], new errors.Cancellation()), failsWith("answer")),
    );
  }
  const refusal = { code: "no_suggestions", message: "None.", hint: "" };
  const routes = { "GET /v1/health": proved, "POST /v1/suggest": () => ({ status: 409, json: refusal }) };
  await serving(routes, (address) =>
    assert.rejects(
      client.suggest(address, TOKEN, PICTURE, [[1, 1]], new errors.Cancellation()),
      failsWith("server", "no_suggestions"),
    ),
  );
});
