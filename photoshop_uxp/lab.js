// @ts-check
/**
 * sRGB as Photoshop's Lab, which means the same colour in a document of any profile.  Pure; imports nothing.
 */

/** Linear sRGB to XYZ, adapted to D50 by Bradford: the colorants of the profile sRGB IEC61966-2.1. */
const TO_XYZ_D50 = [
  [0.4360747, 0.3850649, 0.1430804],
  [0.2225045, 0.7168786, 0.0606169],
  [0.0139322, 0.0971045, 0.7141733],
];

/**
 * CIE 1976 L*a*b* relative to D50, which Photoshop's Lab is.
 * @param {number[]} rgb sRGB, 0..255
 * @returns {number[]} L*, a*, b*
 */
function labOf(rgb) {
  const linear = rgb.map((level) => {
    const value = level / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  const [x, y, z] = TO_XYZ_D50.map((row) => {
    const white = row[0] + row[1] + row[2];
    const share = (row[0] * linear[0] + row[1] * linear[1] + row[2] * linear[2]) / white;
    return share > 216 / 24389 ? Math.cbrt(share) : (24389 / 27) * (share / 116) + 16 / 116;
  });
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

module.exports = { labOf };
