/** What layers say of themselves, and arithmetic on strokes. */

import assert from "node:assert/strict";
import test from "node:test";
import packets from "../../../../photoshop_uxp/packets.js";
import strokes from "../../../../photoshop_uxp/strokes.js";

const RECORD = { kind: "colours", of: 12, model: "Modell “ß” <&>", saturation: 1.25, bounds: [0, -3, 40, 20] };

test("base64 as everybody writes it, both ways, for every remainder", () => {
  for (const length of [0, 1, 2, 3, 4, 2999, 3000, 3001, 10007]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 151 + length) % 256);
    const text = packets.base64Of(bytes);
    assert.equal(text, Buffer.from(bytes).toString("base64"));
    assert.deepEqual(packets.bytesOf(text.replace(/.{60}/g, "$&\n")), bytes);
  }
});

test("a record survives its packet, with and without a recipe", () => {
  const recipe = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7) % 256);
  assert.deepEqual(packets.recordOf(packets.packetOf({ ...RECORD, recipe })), { ...RECORD, recipe });
  assert.deepEqual(packets.recordOf(packets.packetOf(RECORD)), { ...RECORD, recipe: null });
});

test("a packet that was written anew holds the same record: prefixes, attributes, line breaks", () => {
  const packet = packets.packetOf({ ...RECORD, recipe: Uint8Array.of(1, 2, 3, 4) });
  const expected = packets.recordOf(packet);
  const prefixed = packet.replace(/colorize:(record|recipe)/g, "ns1:$1").replace("xmlns:colorize", "xmlns:ns1");
  assert.deepEqual(packets.recordOf(prefixed.replace(/></g, ">\n   <")), expected);
  const [, record] = /<colorize:record>([^<]*)</.exec(packet);
  const [, recipe] = /<colorize:recipe>([^<]*)</.exec(packet);
  const attributes = `<rdf:Description xmlns:c="urn:colorize-server:layer" c:record="${record}" c:recipe = '${recipe}'/>`;
  assert.deepEqual(packets.recordOf(attributes), expected);
});

test("packets of others, and damaged ones, hold no record", () => {
  assert.equal(packets.recordOf(""), null);
  assert.equal(packets.recordOf("<x:xmpmeta><dc:record>e30=</dc:record></x:xmpmeta>"), null);
  const packet = packets.packetOf(RECORD);
  assert.equal(packets.recordOf(packet.slice(0, packet.indexOf(":record>") + 30)), null);
});

test("one changed sample changes the digest, wherever it is, and so does the order", () => {
  const samples = Uint8Array.from({ length: 4003 }, (_, i) => (i * 13) % 256);
  const sums = new Set([strokes.digest(samples)]);
  for (const at of [0, 1, 2, 3, 1999, 4000, 4002]) {
    const other = samples.slice();
    other[at] ^= 1;
    sums.add(strokes.digest(other));
  }
  sums.add(strokes.digest(samples.slice().reverse()));
  sums.add(strokes.digest(samples.subarray(0, 4002)));
  assert.equal(sums.size, 10);
  assert.equal(strokes.digest(samples), strokes.digest(samples.slice()));
  const shifted = new Uint8Array(4004);
  shifted.set(samples, 1);
  assert.equal(strokes.digest(shifted.subarray(1)), strokes.digest(samples), "wherever it lies in memory");
  assert.notEqual(strokes.digest(Uint16Array.of(1, 2, 3)), strokes.digest(Uint16Array.of(1, 2, 4)));
});

test("strokes lie over what is there, at 8 and at 16 bits", () => {
  const over = Uint8Array.of(200, 0, 0, 255, 200, 0, 0, 0, 200, 0, 0, 128, 200, 100, 0, 128);
  const base = Uint8Array.of(0, 0, 90, 255, 0, 0, 90, 255, 0, 0, 100, 255, 0, 0, 0, 0);
  assert.deepEqual([...strokes.layOver(base.slice(), 255, over)], [
    200, 0, 0, 255, 0, 0, 90, 255, 100, 0, 50, 255, 200, 100, 0, 128,
  ]);
  const deep = strokes.layOver(Uint16Array.from(base, (value) => Math.round((value * 32768) / 255)), 32768, over);
  assert.deepEqual([deep[0], deep[3], deep[6]], [Math.round((200 * 32768) / 255), 32768, Math.round((90 * 32768) / 255)]);
});

test("what is seen faintly counts little; the painted share", () => {
  assert.deepEqual([...strokes.faded(Uint8Array.of(1, 2, 3, 200, 4, 5, 6, 0), 50)], [1, 2, 3, 100, 4, 5, 6, 0]);
  assert.equal(strokes.paintedShare(Uint8Array.of(0, 0, 0, 1, 9, 9, 9, 0)), 0.5);
});

test("a flipped or turned layer is known, a painted one is none", () => {
  const side = 96;
  const picture = (width, height, tint) => {
    const rgba = new Uint8Array(width * height * 4);
    for (let i = 0; i < width * height; i++) rgba.set([...tint(i % width, Math.floor(i / width)), 255], i * 4);
    return rgba;
  };
  const tint = (x, y) => [40 + x + (y >> 1), 90, 60 + y];
  const laid = picture(side, side, tint);
  assert.equal(strokes.isTurned(laid, laid, side, side), false);
  assert.equal(strokes.isTurned(laid, picture(side, side, (x, y) => (x < 40 ? [220, 10, 10] : tint(x, y))), side, side), false);
  for (const way of [
    (x, y) => tint(side - 1 - x, y),
    (x, y) => tint(x, side - 1 - y),
    (x, y) => tint(side - 1 - x, side - 1 - y),
    (x, y) => tint(y, x),
    (x, y) => tint(side - 1 - y, x),
  ])
    assert.equal(strokes.isTurned(laid, picture(side, side, way), side, side), true);
  const plain = picture(side, 60, () => [128, 120, 110]);
  assert.equal(strokes.isTurned(plain, plain, side, 60), false, "of one colour there is nothing to tell");
});
