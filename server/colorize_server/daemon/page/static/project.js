// What is kept of an afternoon's work: strokes and settings, and by its hash which photograph they belong to.

import { hex } from './server.js'

const FORMAT = 'colorize-project'
const KEPT = 'colorize.project'

export const hashOf = async bytes => hex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))

export function projectOf (photograph, strokes, saturation) {
  const { name, sha256, width, height } = photograph
  return { format: FORMAT, version: 1, photograph: { name, sha256, width, height }, saturation, strokes }
}

/** Return a project from a file's text, or null if it is none. */
export function projectFrom (text) {
  try {
    const project = JSON.parse(text)
    const isOne = project.format === FORMAT && project.version === 1 && typeof project.photograph.sha256 === 'string' &&
      project.saturation >= 0 && project.saturation <= 2 && project.strokes.every(isStroke)
    return isOne ? project : null
  } catch { return null }
}

const isNumber = (value, low, high) => Number.isFinite(value) && value >= low && value <= high
const isColour = colour => colour === null || (Array.isArray(colour) && colour.length === 3 && colour.every(c => Number.isInteger(c) && isNumber(c, 0, 255)))
const isPoint = point => Array.isArray(point) && point.length === 2 && point.every(v => isNumber(v, -2, 3))
const isStroke = stroke => isColour(stroke.colour) && isNumber(stroke.radius, 1e-5, 0.5) && isNumber(stroke.softness, 0, 1) &&
  Array.isArray(stroke.points) && stroke.points.length > 0 && stroke.points.every(isPoint)

/** Keep a project for this tab, so that it outlives a crash and a reload; a full store keeps the last one that fitted. */
export function keep (project) {
  try { sessionStorage.setItem(KEPT, JSON.stringify(project)) } catch { /* full: the file is the safe way */ }
}

export const kept = () => projectFrom(sessionStorage.getItem(KEPT) ?? '')
