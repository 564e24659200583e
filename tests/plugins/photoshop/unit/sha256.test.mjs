import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import test from "node:test";
import { fileURLToPath } from "node:url";
import vendored from "../../../../photoshop_uxp/vendor/sha256.js";

const fileOf = (path) => readFileSync(fileURLToPath(new URL(path, import.meta.url)));

test("the vendored file and its licence are js-sha256's own, unchanged", () => {
  assert.deepEqual(
    fileOf("../../../../photoshop_uxp/vendor/sha256.js"),
    fileOf("../node_modules/js-sha256/build/sha256.cjs"),
  );
  assert.deepEqual(
    fileOf("../../../../photoshop_uxp/vendor/LICENSE-js-sha256.txt"),
    fileOf("../node_modules/js-sha256/LICENSE.txt"),
  );
});

test("HMAC-SHA256 agrees with RFC 4231, test case 2", () => {
  const expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
  assert.equal(vendored.sha256.hmac("Jefe", "what do ya want for nothing?"), expected);
});

test("HMAC-SHA256 agrees with Node for keys and messages around the block size", () => {
  for (const keyLength of [1, 43, 63, 64, 65, 130]) {
    for (const length of [0, 32, 55, 56, 64, 128]) {
      const key = "k".repeat(keyLength);
      const message = "0f".repeat(length).slice(0, length);
      assert.equal(vendored.sha256.hmac(key, message), createHmac("sha256", key).update(message).digest("hex"));
    }
  }
});
