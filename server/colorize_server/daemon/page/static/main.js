// The page: what the artist does, what is asked of the daemon, what is shown.

import { hexOf, rgbOf } from './color.js'
import { FastPainter, SlowPainter } from './paint.js'
import { nextPlace } from './places.js'
import { hashOf, keep, kept, projectFrom, projectOf } from './project.js'
import { Refused, Server, Unreachable, unpacked } from './server.js'
import { Layer } from './strokes.js'
import { follow, View } from './view.js'
import { say, speak } from './words.js'

const $ = id => document.getElementById(id)
const server = new Server()
const desk = { photograph: null, colours: new Map(), strokes: [], undone: [], now: null, cross: null, project: null, limits: null }
let layer, painter, planes
let isInkNew = false // the layer of strokes: it is sent to the painter once, and not for every move of a slider
let isAsking = false; let isStale = false; let frame = 0
let isGivenAway = false // the key: another tab works with it
let wait = () => {} // for a tab that has a key to hand over
const view = new View($('stage'), $('paper'), () => { $('zoom').value = 100 * view.share })

const tell = (name, values) => { $('status').textContent = say(name, values) }

/** Say in one sentence what went wrong; nothing that was painted is lost by it. */
function report (error) {
  if (error.code === 'superseded') return
  if (error instanceof Unreachable || error.code === 'page_key_wrong') wait()
  if (error instanceof Unreachable) tell('unreachable')
  else if (error instanceof Refused) $('status').textContent = say('errors')?.[error.code] ?? error.message
  else { $('status').textContent = error.message; console.error(error) }
}

// --- what is shown

function repaint () {
  if (!frame) frame = requestAnimationFrame(() => { frame = 0; paintNow() })
}

function repaintInk () {
  isInkNew = true
  repaint()
}

function paintNow () {
  if (!planes) return
  if (isInkNew) painter.takeInk(desk.now ? layer.with(desk.now) : layer.pixels, layer.width, layer.height)
  isInkNew = false
  painter.paint({ saturation: $('saturation').value / 100, cut: $('compare').value / 100, showDoubt: $('doubt').checked })
  mark()
}

/** Show the keyboard's cross. */
function mark () {
  const canvas = $('marks')
  const pen = canvas.getContext('2d')
  pen.clearRect(0, 0, canvas.width, canvas.height)
  if (!desk.cross) return
  const x = desk.cross[0] * canvas.width; const y = desk.cross[1] * canvas.height
  const size = 12 / view.scale
  for (const [style, width] of [['#000', 3], ['#fff', 1.2]]) {
    pen.strokeStyle = style
    pen.lineWidth = width / view.scale
    pen.beginPath()
    pen.moveTo(x - size, y); pen.lineTo(x + size, y)
    pen.moveTo(x, y - size); pen.lineTo(x, y + size)
    pen.stroke()
  }
}

function swatch (colour, onPress) {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'swatch'
  button.style.backgroundColor = hexOf(colour)
  button.ariaLabel = hexOf(colour)
  button.addEventListener('click', onPress)
  return button
}

function choose (colour) {
  $('colour').value = hexOf(colour)
  if (tool() !== 'brush') select('brush')
}

/** List the strokes and their colours. */
function list () {
  // They stay for the next photograph: a second one of the same things wants the same colours.
  for (const { colour } of desk.strokes) {
    if (!colour) continue
    desk.colours.delete(hexOf(colour))
    desk.colours.set(hexOf(colour), colour)
  }
  $('used').replaceChildren(...[...desk.colours.values()].reverse().slice(0, 16).map(colour => swatch(colour, () => choose(colour))))
  $('list').replaceChildren(...desk.strokes.map((stroke, k) => {
    const item = document.createElement('li')
    const remove = document.createElement('button')
    remove.type = 'button'
    remove.textContent = say('remove')
    remove.ariaLabel = `${say('remove')}: ${say('stroke', { number: k + 1 })}`
    remove.addEventListener('click', () => change(desk.strokes.filter(other => other !== stroke)))
    item.append(stroke.colour ? swatch(stroke.colour, () => choose(stroke.colour)) : say('eraser'), ' ', remove)
    return item
  }).reverse())
  $('undo').disabled = !desk.strokes.length
  $('redo').disabled = !desk.undone.length
}

// --- what is asked of the daemon

/** Open a photograph: its proof and first colours come back. */
async function openPhotograph (file, { isAgain = false } = {}) {
  if (desk.limits && file.size > desk.limits.max_body_bytes) return tell('tooLarge', { mb: Math.floor(desk.limits.max_body_bytes / 1e6) })
  if (!isAgain) tell('reading')
  const bytes = await file.arrayBuffer()
  const answer = unpacked(await (await server.ask('photograph', bytes, { type: file.type || 'application/octet-stream' })).arrayBuffer())
  const sha256 = await hashOf(bytes)
  desk.photograph = { file, sha256, name: file.name, width: answer.width, height: answer.height }
  if (isAgain) return
  planes = answer.planes
  layer = new Layer(planes.proof.width, planes.proof.height)
  isInkNew = true
  Object.assign(desk, { strokes: [], undone: [], now: null, cross: null })
  painter.take(planes)
  Object.assign($('marks'), { width: layer.width, height: layer.height })
  $('drop').hidden = true
  $('paper').hidden = false
  view.show(layer.width, layer.height)
  const project = desk.project ?? kept()
  desk.project = null
  if (project?.photograph.sha256 === sha256 && project.strokes.length) {
    $('saturation').value = 100 * project.saturation
    change(project.strokes)
    tell('restored', { count: project.strokes.length })
  } else {
    paintNow()
    list()
    tell('first', desk.photograph)
  }
}

/** Ask, and send the photograph again first if the daemon has let go of it meanwhile. */
async function askAboutPhotograph (route, options) {
  const body = JSON.stringify(desk.strokes)
  try {
    return await server.ask(route, body, options)
  } catch (error) {
    if (error.code !== 'photograph_gone') throw error
    await openPhotograph(desk.photograph.file, { isAgain: true })
    return server.ask(route, body, options)
  }
}

/** Ask for the colours that follow from the strokes; while one question is under way, only the latest is kept. */
async function follows () {
  if (isAsking) { isStale = true; return }
  isAsking = true
  const began = performance.now()
  try {
    do {
      isStale = false
      const answer = unpacked(await (await askAboutPhotograph('colours')).arrayBuffer())
      Object.assign(planes, answer.planes)
      painter.take(answer.planes)
      paintNow()
    } while (isStale)
    const ms = Math.round(performance.now() - began)
    $('status').dataset.ms = ms
    $('status').dataset.answers = Number($('status').dataset.answers ?? 0) + 1
    tell('followed', { ms })
  } catch (error) { report(error) } finally { isAsking = false }
}

/** Have other strokes: shown at once, then followed by colours. */
function change (strokes, undone = []) {
  Object.assign(desk, { strokes, undone })
  layer.redraw(strokes)
  settle()
}

function settle () {
  keep(projectOf(desk.photograph, desk.strokes, $('saturation').value / 100))
  repaintInk()
  list()
  follows()
}

async function saveAs (type) {
  tell('saving')
  const answer = await askAboutPhotograph('export', { query: { saturation: $('saturation').value / 100, type } })
  download(await answer.blob(), type)
}

function download (blob, ending) {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = `${desk.photograph.name.replace(/\.[^.]*$/, '')}.colour.${ending}`
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
  tell('saved', { name: link.download })
}

async function takeFile (file) {
  try {
    if (!/\.json$/i.test(file.name)) return await openPhotograph(file)
    const project = projectFrom(await file.text())
    if (!project) return tell('notAProject')
    if (desk.photograph?.sha256 === project.photograph.sha256) {
      $('saturation').value = 100 * project.saturation
      return change(project.strokes)
    }
    desk.project = project
    tell('otherPhotograph')
  } catch (error) { report(error) }
}

async function suggest ([x, y]) {
  const { width, height } = desk.photograph
  const at = [[x, width], [y, height]].map(([share, side]) => Math.min(side - 1, Math.max(0, Math.floor(share * side)))).join(',')
  const { places: [{ colours }] } = await (await askAboutPhotograph('suggest', { query: { at } })).json()
  $('suggested').hidden = !colours.length
  $('suggested').replaceChildren(...colours.map(({ srgb }) => swatch(srgb, () => choose(srgb))))
}

// --- what the artist does

const tool = () => document.querySelector('[name=tool]:checked').value

function select (name) {
  document.querySelector(`[name=tool][value=${name}]`).checked = true
  $('stage').dataset.tool = name
}

/** Take the mean of 3 by 3 shown pixels, in linear light, as the colour to paint with. */
function pick ([x, y]) {
  paintNow()
  const left = Math.min(layer.width - 3, Math.max(0, Math.floor(x * layer.width) - 1))
  const top = Math.min(layer.height - 3, Math.max(0, Math.floor(y * layer.height) - 1))
  const pixels = painter.read(left, top, 3, 3)
  choose([0, 1, 2].map(c => { let sum = 0; for (let k = 0; k < 9; k++) sum += pixels[4 * k + c]; return sum / 9 }))
}

function newStroke (points, kind = tool()) {
  return { colour: kind === 'erase' ? null : rgbOf($('colour').value), radius: $('radius').value / 1000, softness: $('softness').value / 100, points }
}

function finish (stroke) {
  desk.now = null
  desk.undone = []
  desk.strokes = [...desk.strokes, stroke]
  layer.add(stroke)
  settle()
}

function use (place) {
  const kind = tool()
  if (kind === 'pick') pick(place)
  else if (kind === 'ask') suggest(place).catch(report)
  else if (kind !== 'move') finish(newStroke([place]))
}

let spaceIsDown = false
const hands = {
  begin (event) {
    if (!planes) return null
    if (event.button === 1 || spaceIsDown || tool() === 'move') return 'move'
    const place = view.at(event)
    if (event.altKey) { pick(place); return null }
    if (tool() === 'pick' || tool() === 'ask') { use(place); return null }
    desk.cross = null
    desk.now = newStroke([place])
    repaintInk()
    return 'draw'
  },
  draw (events) {
    for (const event of events) desk.now.points.push(view.at(event))
    repaintInk()
  },
  end () { finish(desk.now) },
  drop () { desk.now = null; repaintInk() }
}

const undo = () => desk.strokes.length && change(desk.strokes.slice(0, -1), [...desk.undone, desk.strokes.at(-1)])
const redo = () => desk.undone.length && change([...desk.strokes, desk.undone.at(-1)], desk.undone.slice(0, -1))

function toNextPlace () {
  const place = nextPlace(planes, desk.strokes, layer)
  if (!place) return tell('noPlace')
  desk.cross = place
  $('stage').focus()
  repaint()
}

function step (id, by) {
  $(id).value = Number($(id).value) + by
  $(id).dispatchEvent(new Event('input'))
}

const KEYS = {
  b: () => select('brush'),
  e: () => select('erase'),
  i: () => desk.cross ? pick(desk.cross) : select('pick'),
  s: () => desk.cross ? suggest(desk.cross).catch(report) : !$('asking').hidden && select('ask'),
  m: () => select('move'),
  '[': () => step('radius', -4),
  ']': () => step('radius', 4),
  '{': () => step('softness', -10),
  '}': () => step('softness', 10),
  x: () => { $('compare').value = $('compare').value > 0 ? 0 : 100; repaint() },
  d: () => { $('doubt').checked = !$('doubt').checked; repaint() },
  n: toNextPlace,
  '+': () => view.zoomBy(1.25),
  '-': () => view.zoomBy(0.8),
  0: () => view.fit()
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }

function onKey (event) {
  if (!planes || event.isComposing) return
  const isText = event.target.matches('input[type=text], input[type=color], select')
  if (event.ctrlKey || event.metaKey) {
    if (event.key.toLowerCase() === 'z') { event.preventDefault(); event.shiftKey ? redo() : undo() }
    if (event.key.toLowerCase() === 'y') { event.preventDefault(); redo() }
    return
  }
  if (event.altKey || isText) return
  const isOnStage = event.target === $('stage')
  if (isOnStage && ARROWS[event.key]) {
    event.preventDefault()
    const far = (event.shiftKey ? 40 : 8) / view.scale
    const [x, y] = desk.cross ?? [0.5, 0.5]
    const [dx, dy] = ARROWS[event.key]
    const within = v => Math.min(1, Math.max(0, v))
    desk.cross = [within(x + dx * far / layer.width), within(y + dy * far / layer.height)]
    repaint()
  } else if (isOnStage && (event.key === ' ' || event.key === 'Enter')) {
    event.preventDefault()
    if (event.key === ' ' && !desk.cross) spaceIsDown = true
    else if (desk.cross) use(desk.cross)
  } else if (KEYS[event.key]) KEYS[event.key]()
}

// --- the tab's life

/** Hand a new key to a tab that lost its own, so that work goes on where the strokes are. */
function listenToOtherTabs () {
  const channel = new BroadcastChannel('colorize')
  let isWaiting = false
  channel.onmessage = ({ data }) => {
    if (data.is === 'opened' && desk.photograph && isWaiting) channel.postMessage({ is: 'waiting' })
    if (data.is === 'waiting' && !desk.photograph && server.isOpen) { channel.postMessage({ is: 'key', key: server.key }); isGivenAway = true; tell('connected') }
    if (data.is === 'key' && isWaiting) { isWaiting = false; server.take(data.key); tell('continued'); follows() }
  }
  if (server.isOpen) channel.postMessage({ is: 'opened' })
  return () => { isWaiting = true }
}

async function start () {
  speak(localStorage.getItem('colorize.language') ?? (navigator.language.startsWith('de') ? 'de' : 'en'))
  $('language').value = document.documentElement.lang
  try { painter = new FastPainter($('view')) } catch { painter = new SlowPainter($('view')); tell('slow') }
  select('brush')
  list()
  try {
    await server.open()
    wait = listenToOtherTabs()
    if (!server.isOpen) return tell('notOpened')
    const about = await (await server.ask('about')).json()
    desk.limits = about.limits
    $('asking').hidden = !about.suggests
    $('saves').replaceChildren(...about.exports.map(type => {
      const button = document.createElement('button')
      button.type = 'button'
      button.textContent = type.toUpperCase()
      button.addEventListener('click', () => { if (planes) saveAs(type).catch(report) })
      return button
    }))
    if (painter instanceof FastPainter && !isGivenAway) tell(kept()?.strokes.length ? 'newer' : 'ready')
  } catch (error) { report(error) }
}

follow($('stage'), view, hands)
document.addEventListener('keydown', onKey)
document.addEventListener('keyup', event => { if (event.key === ' ') spaceIsDown = false })
for (const id of ['saturation', 'compare', 'doubt']) $(id).addEventListener('input', repaint)
$('saturation').addEventListener('change', () => { if (desk.photograph) keep(projectOf(desk.photograph, desk.strokes, $('saturation').value / 100)) })
$('zoom').addEventListener('input', () => view.zoomTo($('zoom').value / 100))
for (const [id, act] of Object.entries({ undo, redo, next: () => planes && toNextPlace() })) $(id).addEventListener('click', act)
$('kinds').addEventListener('change', () => select(tool()))
$('project').addEventListener('click', () => {
  if (!desk.photograph) return
  const project = projectOf(desk.photograph, desk.strokes, $('saturation').value / 100)
  download(new Blob([JSON.stringify(project)], { type: 'application/json' }), 'colorize.json')
})
$('open').addEventListener('click', () => $('file').click())
$('file').addEventListener('change', () => { if ($('file').files[0]) takeFile($('file').files[0]); $('file').value = '' })
$('language').addEventListener('change', () => {
  localStorage.setItem('colorize.language', $('language').value)
  speak($('language').value)
  list()
})
for (const kind of ['dragenter', 'dragover']) document.addEventListener(kind, event => { event.preventDefault(); $('stage').classList.add('over') })
for (const kind of ['dragleave', 'drop']) document.addEventListener(kind, () => $('stage').classList.remove('over'))
document.addEventListener('drop', event => { event.preventDefault(); if (event.dataTransfer.files[0]) takeFile(event.dataTransfer.files[0]) })
addEventListener('pagehide', () => { if (desk.photograph) server.ask('close', '', { keepalive: true }).catch(() => {}) })
await start()
document.documentElement.dataset.ready = 'true'
