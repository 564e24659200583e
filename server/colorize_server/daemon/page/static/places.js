// Where to look next: a place in a large object, far from every stroke, rather one where the model guesses.

const GRID = 24

/** Return [x, y] as shares of the picture, or null if every place has a stroke near it. */
export function nextPlace ({ low, doubt }, strokes, layer) {
  const points = strokes.filter(s => s.colour).flatMap(s => s.points)
  const long = Math.max(layer.width, layer.height)
  let best = null; let most = 0
  for (let j = 0; j < GRID; j++) {
    for (let i = 0; i < GRID; i++) {
      const x = (i + 0.5) / GRID; const y = (j + 0.5) / GRID
      if (x < 0.04 || x > 0.96 || y < 0.04 || y > 0.96) continue
      let far = 0.5
      for (const [px, py] of points) far = Math.min(far, Math.hypot((x - px) * layer.width, (y - py) * layer.height) / long)
      if (far < 0.05) continue
      const score = far * Math.sqrt(likeness(low, x, y)) * (0.5 + mean(doubt, x, y) / 255)
      if (score > most) { most = score; best = [x, y] }
    }
  }
  return best
}

/** The share of a neighbourhood that has the place's own lightness: small in a crowd of details. */
function likeness ({ samples, width, height }, x, y) {
  const u = Math.floor(x * width); const v = Math.floor(y * height)
  const reach = Math.round(Math.max(width, height) / 12)
  const own = samples[v * width + u]
  let like = 0; let all = 0
  for (let j = Math.max(0, v - reach); j < Math.min(height, v + reach); j += 2) {
    for (let i = Math.max(0, u - reach); i < Math.min(width, u + reach); i += 2) {
      all++
      if (Math.abs(samples[j * width + i] - own) < 6 * 655) like++
    }
  }
  return like / Math.max(1, all)
}

function mean ({ samples, width, height }, x, y) {
  const u = Math.floor(x * width); const v = Math.floor(y * height)
  let sum = 0; let count = 0
  for (let j = Math.max(0, v - 3); j < Math.min(height, v + 4); j++) {
    for (let i = Math.max(0, u - 3); i < Math.min(width, u + 4); i++) { sum += samples[j * width + i]; count++ }
  }
  return sum / count
}
