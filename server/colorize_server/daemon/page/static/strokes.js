// Strokes drawn on a layer of the proof's size, by the same rules as `colorize_server.picture.strokes`.

const SPACING = 0.1

/** A layer of sRGB with straight alpha. */
export class Layer {
  constructor (width, height) {
    this.width = width
    this.height = height
    this.pixels = new Uint8Array(width * height * 4)
    this.nearest = new Float32Array(width * height)
  }

  /** Draw all strokes anew. */
  redraw (strokes) {
    this.pixels.fill(0)
    for (const stroke of strokes) this.#lay(stroke, this.pixels, this.#cover(stroke))
  }

  /** Draw one more stroke. */
  add (stroke) {
    this.#lay(stroke, this.pixels, this.#cover(stroke))
  }

  /** Return the layer with a stroke that is not finished yet. */
  with (stroke) {
    const pixels = this.pixels.slice()
    this.#lay(stroke, pixels, this.#cover(stroke))
    return pixels
  }

  /** Put squared distances to the stroke's line into `nearest`; return the box that it covers. */
  #cover (stroke) {
    const { width, height, nearest } = this
    const radius = Math.max(stroke.radius * Math.max(width, height), 0.5)
    const edge = Math.max(1, stroke.softness * radius)
    const reach = radius + 0.5
    const line = thinned(stroke.points.map(([x, y]) => [x * width, y * height]), radius * SPACING)
    const xs = line.map(p => p[0]); const ys = line.map(p => p[1])
    const box = { reach, edge, ...span('left', 'right', xs, reach, width), ...span('top', 'bottom', ys, reach, height) }
    for (let y = box.top; y < box.bottom; y++) nearest.fill(reach * reach, y * width + box.left, y * width + Math.max(box.left, box.right))
    for (let k = 0; k < Math.max(1, line.length - 1); k++) {
      const [x0, y0] = line[k]; const [x1, y1] = line[Math.min(k + 1, line.length - 1)]
      const { left, right } = span('left', 'right', [x0, x1], reach, width)
      const { top, bottom } = span('top', 'bottom', [y0, y1], reach, height)
      const dx = x1 - x0; const dy = y1 - y0; const length = Math.max(dx * dx + dy * dy, 1e-12)
      for (let j = top; j < bottom; j++) {
        const y = j + 0.5 - y0
        for (let i = left; i < right; i++) {
          const x = i + 0.5 - x0
          const along = Math.min(1, Math.max(0, (x * dx + y * dy) / length))
          const square = (x - along * dx) ** 2 + (y - along * dy) ** 2
          if (square < nearest[j * width + i]) nearest[j * width + i] = square
        }
      }
    }
    return box
  }

  /** Lay a stroke over pixels (Porter and Duff's "over", 1984), or take it out of them if it erases. */
  #lay ({ colour }, pixels, { reach, edge, left, right, top, bottom }) {
    for (let j = top; j < bottom; j++) {
      for (let i = left; i < right; i++) {
        const over = Math.min(1, (reach - Math.sqrt(this.nearest[j * this.width + i])) / edge)
        if (over <= 0) continue
        const at = (j * this.width + i) * 4
        const below = pixels[at + 3] * (1 - over)
        if (colour === null) { pixels[at + 3] = Math.round(below); continue }
        const alpha = below + 255 * over
        for (let c = 0; c < 3; c++) pixels[at + c] = Math.round((pixels[at + c] * below + colour[c] * 255 * over) / alpha)
        pixels[at + 3] = Math.round(alpha)
      }
    }
  }
}

function span (low, high, positions, reach, length) {
  return {
    [low]: Math.max(0, Math.floor(Math.min(...positions) - reach)),
    [high]: Math.min(length, Math.ceil(Math.max(...positions) + reach) + 1)
  }
}

function thinned (line, spacing) {
  const kept = line.slice(0, 1)
  for (const point of line.slice(1, -1)) {
    const last = kept[kept.length - 1]
    if (Math.hypot(point[0] - last[0], point[1] - last[1]) >= spacing) kept.push(point)
  }
  return kept.concat(line.slice(1).slice(-1))
}
