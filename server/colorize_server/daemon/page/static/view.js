// Where the picture lies on the stage: zoom, pan, pinch; and from a place on the screen to a place in the picture.

const MOST = 32

export class View {
  constructor (stage, paper, onChange) {
    Object.assign(this, { stage, paper, onChange, scale: 1, x: 0, y: 0, width: 1, height: 1 })
    new ResizeObserver(() => this.#isFitted ? this.fit() : this.#place()).observe(stage)
    stage.addEventListener('wheel', event => {
      event.preventDefault()
      this.zoomBy(Math.exp(-event.deltaY / 300), event.clientX, event.clientY)
    }, { passive: false })
  }

  #isFitted = true

  /** Show a picture of another size, whole. */
  show (width, height) {
    Object.assign(this, { width, height })
    Object.assign(this.paper.style, { width: width + 'px', height: height + 'px' })
    this.fit()
  }

  get fitting () { return Math.min(this.stage.clientWidth / this.width, this.stage.clientHeight / this.height) }

  fit () {
    this.scale = this.fitting || 1
    this.x = (this.stage.clientWidth - this.width * this.scale) / 2
    this.y = (this.stage.clientHeight - this.height * this.scale) / 2
    this.#isFitted = true
    this.#place()
  }

  /** Zoom about a place of the screen; about the stage's middle without one. */
  zoomBy (factor, clientX, clientY) {
    const box = this.stage.getBoundingClientRect()
    const cx = (clientX ?? box.left + box.width / 2) - box.left
    const cy = (clientY ?? box.top + box.height / 2) - box.top
    const scale = Math.min(MOST, Math.max(this.fitting, this.scale * factor))
    this.x = cx - (cx - this.x) * scale / this.scale
    this.y = cy - (cy - this.y) * scale / this.scale
    this.scale = scale
    this.#isFitted = scale <= this.fitting
    if (this.#isFitted) this.fit(); else this.#place()
  }

  /** Zoom as a slider says, 0 (whole picture) to 1. */
  zoomTo (share) { this.zoomBy(this.fitting * (MOST / this.fitting) ** share / this.scale) }

  get share () { return Math.log(this.scale / this.fitting) / Math.log(MOST / this.fitting) || 0 }

  moveBy (dx, dy) {
    this.x += dx; this.y += dy
    this.#isFitted = false
    this.#place()
  }

  /** Return where in the picture an event is, as shares of its width and height. */
  at ({ clientX, clientY }) {
    const box = this.stage.getBoundingClientRect()
    return [(clientX - box.left - this.x) / (this.width * this.scale), (clientY - box.top - this.y) / (this.height * this.scale)]
  }

  #place () {
    const keep = (offset, length, room) => length <= room ? (room - length) / 2 : Math.min(room / 2, Math.max(room / 2 - length, offset))
    this.x = keep(this.x, this.width * this.scale, this.stage.clientWidth)
    this.y = keep(this.y, this.height * this.scale, this.stage.clientHeight)
    this.paper.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`
    this.paper.classList.toggle('near', this.scale > 2)
    this.onChange()
  }
}

/** Follow pointers on the stage: one draws or drags, two pinch. */
export function follow (stage, view, { begin, draw, end, drop }) {
  const down = new Map()
  let doing = null
  let apart = null
  const spread = () => {
    const [a, b] = [...down.values()]
    return { x: (a.clientX + b.clientX) / 2, y: (a.clientY + b.clientY) / 2, distance: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) || 1 }
  }
  stage.addEventListener('pointerdown', event => {
    if (event.target.closest('#drop')) return
    stage.focus()
    stage.setPointerCapture(event.pointerId)
    down.set(event.pointerId, event)
    if (down.size === 2) {
      if (doing) drop()
      doing = null
      apart = spread()
    } else if (down.size === 1) doing = begin(event)
  })
  stage.addEventListener('pointermove', event => {
    const before = down.get(event.pointerId)
    if (!before) return
    down.set(event.pointerId, event)
    if (apart && down.size === 2) {
      const now = spread()
      view.zoomBy(now.distance / apart.distance, now.x, now.y)
      view.moveBy(now.x - apart.x, now.y - apart.y)
      apart = now
    } else if (doing === 'move') view.moveBy(event.clientX - before.clientX, event.clientY - before.clientY)
    else if (doing === 'draw') draw(event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event])
  })
  const up = event => {
    if (!down.delete(event.pointerId)) return
    if (doing === 'draw') event.type === 'pointerup' ? end() : drop()
    if (down.size < 2) apart = null
    doing = null
  }
  stage.addEventListener('pointerup', up)
  stage.addEventListener('pointercancel', up)
}
