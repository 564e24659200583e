/** sRGB as Photoshop's Lab. */

import assert from "node:assert/strict";
import test from "node:test";
import lab from "../../../../photoshop_uxp/lab.js";

test("Lab relative to D50, as Photoshop's colour picker shows sRGB", () => {
  for (const [rgb, expected] of [
    [[255, 255, 255], [100, 0, 0]],
    [[0, 0, 0], [0, 0, 0]],
    [[128, 128, 128], [54, 0, 0]],
    [[255, 0, 0], [54, 81, 70]],
    [[0, 255, 0], [88, -79, 81]],
    [[0, 0, 255], [30, 68, -112]],
  ])
    lab.labOf(rgb).forEach((value, i) => assert.ok(Math.abs(value - expected[i]) <= 0.6, `${rgb}: ${lab.labOf(rgb)}`));
});
