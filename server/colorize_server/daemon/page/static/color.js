// sRGB and CIE L*a*b* (D65), as in `colorize_server.color`.

export const TO_XYZ = [[0.4123908, 0.3575843, 0.1804808], [0.212639, 0.7151687, 0.0721923], [0.0193308, 0.1191948, 0.9505322]]
export const WHITE = TO_XYZ.map(row => row[0] + row[1] + row[2])
export const FROM_XYZ = [[3.2409699, -1.5373832, -0.4986108], [-0.9692436, 1.8759675, 0.0415551], [0.0556301, -0.203977, 1.0569715]]
const DELTA = 6 / 29

export const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4
export const encoded = v => v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055
const root = t => t > DELTA ** 3 ? Math.cbrt(t) : t / (3 * DELTA * DELTA) + 4 / 29
const cube = f => f > DELTA ? f ** 3 : 3 * DELTA * DELTA * (f - 4 / 29)

/** Return [L*, a*, b*] of sRGB 0..255. */
export function labOf (rgb) {
  const light = rgb.map(v => linear(v / 255))
  const [x, y, z] = TO_XYZ.map((row, i) => root((row[0] * light[0] + row[1] * light[1] + row[2] * light[2]) / WHITE[i]))
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)]
}

/** Return linear RGB of L*a*b*, not clipped. */
export function linearOf (lightness, a, b) {
  const y = (lightness + 16) / 116
  const xyz = [cube(y + a / 500) * WHITE[0], cube(y), cube(y - b / 200) * WHITE[2]]
  return FROM_XYZ.map(row => row[0] * xyz[0] + row[1] * xyz[1] + row[2] * xyz[2])
}

const inside = rgb => rgb.every(v => v >= -1e-5 && v <= 1 + 1e-5)

/** Return sRGB 0..255 of L*a*b*, its chroma reduced at constant lightness and hue until the gamut holds it. */
export function srgbOf (lightness, a, b) {
  let rgb = linearOf(lightness, a, b)
  if (!inside(rgb)) {
    let low = 0; let high = 1
    for (let k = 0; k < 10; k++) {
      const middle = (low + high) / 2
      if (inside(linearOf(lightness, a * middle, b * middle))) low = middle; else high = middle
    }
    rgb = linearOf(lightness, a * low, b * low)
  }
  return rgb.map(v => 255 * encoded(Math.min(1, Math.max(0, v))))
}

export const hexOf = rgb => '#' + rgb.map(v => Math.round(v).toString(16).padStart(2, '0')).join('')
export const rgbOf = text => [1, 3, 5].map(i => parseInt(text.slice(i, i + 2), 16))
