import assert from "node:assert/strict";
import test from "node:test";
import samples from "../../../../photoshop_uxp/samples.js";

test("every one of Photoshop's 32769 levels survives the way to the server and back", () => {
  const host = Uint16Array.from({ length: 32769 }, (_, value) => value);
  const full = samples.fullRangeFromHost(host.slice());
  assert.deepEqual([full[0], full[16384], full[32768]], [0, 32768, 65535]);
  assert.deepEqual(samples.hostFromFullRange(full), host);
});

test("16-bit samples are converted where they are: no second copy of a photograph is held", () => {
  const own = Uint16Array.of(0, 16384, 32768);
  assert.equal(samples.fullRangeFromHost(own), own);
  assert.equal(samples.hostFromFullRange(own), own);
});

test("16-bit strokes become bytes by rounding", () => {
  assert.deepEqual(samples.bytesFromHost(Uint16Array.of(0, 64, 65, 16384, 32768)), Uint8Array.of(0, 0, 1, 128, 255));
});

test("grey becomes opaque RGB of the document's depth", () => {
  assert.deepEqual(
    samples.rgbFromGrey(Uint8Array.of(0, 90, 255), 8),
    Uint8Array.of(0, 0, 0, 90, 90, 90, 255, 255, 255),
  );
  const rgb16 = samples.rgbFromGrey(Uint8Array.of(0, 255), 16);
  assert.ok(rgb16 instanceof Uint16Array);
  assert.deepEqual([...rgb16], [0, 0, 0, 32768, 32768, 32768]);
});

test("paste cuts off what lies outside and leaves 0 what is not covered", () => {
  const source = Uint8Array.of(1, 2, 3, 4);
  const from = { left: -1, top: 0, right: 1, bottom: 2 };
  const to = { left: 0, top: 0, right: 2, bottom: 3 };
  assert.deepEqual(samples.paste(source, from, to, 1), Uint8Array.of(2, 0, 4, 0, 0, 0));
  const apart = { left: 5, top: 5, right: 7, bottom: 7 };
  assert.deepEqual(samples.paste(source, from, apart, 1), new Uint8Array(4));
});

test("paste keeps the type and the components together", () => {
  const source = Uint16Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const from = { left: 0, top: 0, right: 2, bottom: 1 };
  const pasted = samples.paste(source, from, { left: 1, top: 0, right: 2, bottom: 1 }, 4);
  assert.deepEqual(pasted, Uint16Array.of(5, 6, 7, 8));
});

test("rectangles that only touch do not intersect", () => {
  const a = { left: 0, top: 0, right: 4, bottom: 4 };
  assert.equal(samples.intersection(a, { left: 4, top: 0, right: 8, bottom: 4 }), null);
  assert.deepEqual(samples.intersection(a, { left: 3, top: -5, right: 8, bottom: 2 }), {
    left: 3,
    top: 0,
    right: 4,
    bottom: 2,
  });
});

test("paint is seen by its alpha", () => {
  assert.equal(samples.hasPaint(Uint8Array.of(255, 255, 255, 0)), false);
  assert.equal(samples.hasPaint(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1)), true);
});

/** A grey gradient with one component more than needed, so that a wrong stride would show. */
function gradient(width, height, shift = 0) {
  const picture = new Uint8Array(width * height * 4);
  for (let i = 0; i < width * height; i++) picture.fill(((i % width) * 2 + shift) % 256, i * 4, i * 4 + 3);
  return picture;
}

test("a picture is known again, retouched a little or not, but not mirrored", () => {
  const print = (picture) => samples.fingerprint(picture, 120, 80, 4);
  const before = gradient(120, 80);
  const retouched = before.slice();
  for (let y = 10; y < 20; y++) retouched.fill(0, (y * 120 + 10) * 4, (y * 120 + 22) * 4);
  assert.ok(samples.isSamePicture(print(before), print(before)));
  assert.ok(samples.isSamePicture(print(before), print(retouched)));
  assert.ok(!samples.isSamePicture(print(before), print(gradient(120, 80, 40))));
});

test("a fingerprint does not depend on the depth", () => {
  const bytes = gradient(64, 64);
  const words = Uint16Array.from(bytes, (value) => Math.round((value * 32768) / 255));
  assert.deepEqual(samples.fingerprint(words, 64, 64, 4), samples.fingerprint(bytes, 64, 64, 4));
});
