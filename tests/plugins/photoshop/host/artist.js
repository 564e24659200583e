/**
 * The hands of the artist, and of other plug-ins: opens documents, changes them while the panel works, presses Escape,
 * undoes.  Tests reach it as `window.__host`; the panel does not know it.
 */

const { dump } = require("./dump.js");
const { closeDocument } = require("./modal.js");
const {
  contentOf,
  copyOfLayer,
  documentOf,
  find,
  maximumOf,
  noteEdit,
  state,
  tightBounds,
  transfer,
  widthOf,
} = require("./state.js");
const { bytesFrom, secureStorage } = require("./uxp.js");
const { setTheme } = require("./widgets.js");

/** The artist can do nothing while a modal scope holds Photoshop. */
function whileIdle() {
  if (state.modal) throw new Error("Photoshop is modal");
}

function samplesFrom(bits, base64) {
  const bytes = bytesFrom(base64);
  return bits === 16 ? new Uint16Array(bytes.buffer) : bytes;
}

/**
 * A layer from its description: `pixels` {left, top, width, height, data} with data in base64, native depth; `mask` in
 * base64, 8 bits, as large as the canvas.
 */
function makeLayer(spec, document) {
  const { name, kind = "pixel", pixels, mask, children, blendMode = children ? "passThrough" : "normal" } = spec;
  const layer = {
    id: state.nextID++,
    name,
    kind: children ? "group" : kind,
    isVisible: true,
    opacity: 100,
    isClipped: false,
    isBackground: false,
    mask: null,
    ...spec.flags,
    blendMode,
  };
  layer.pixels = null;
  if (children) layer.children = children.map((child) => makeLayer(child, document));
  if (mask) {
    const { width, height } = document;
    layer.mask = { bounds: { left: 0, top: 0, right: width, bottom: height }, data: bytesFrom(mask) };
  }
  if (pixels) {
    const components = document.mode === "grayscaleMode" ? 2 : 4;
    const bounds = {
      left: pixels.left,
      top: pixels.top,
      right: pixels.left + pixels.width,
      bottom: pixels.top + pixels.height,
    };
    const data = samplesFrom(document.bits, pixels.data);
    if (data.length !== pixels.width * pixels.height * components)
      throw new Error(`layer ${name}: wrong number of samples`);
    const tight = tightBounds(data, bounds, components);
    layer.pixels = tight && { bounds: tight, data: transfer(data, bounds, tight, components) };
  }
  return layer;
}

/** Grow a layer's pixels to the canvas, paint one rectangle, and trim them again. */
function paintStroke(document, layer, { left, top, width, height, rgb, alpha = 1, erases = false, isSoft = false }) {
  const own = layer.pixels ? layer.pixels.bounds : { left: 0, top: 0, right: 1, bottom: 1 };
  const whole = {
    left: Math.min(own.left, left - 2),
    top: Math.min(own.top, top - 2),
    right: Math.max(own.right, left + width + 2),
    bottom: Math.max(own.bottom, top + height + 2),
  };
  const empty = document.bits === 16 ? new Uint16Array(0) : new Uint8Array(0);
  const data = transfer(layer.pixels ? layer.pixels.data : empty, layer.pixels ? own : { ...own, right: 0 }, whole, 4);
  const maximum = maximumOf(document.bits);
  const margin = isSoft ? 2 : 0;
  for (let y = top - margin; y < top + height + margin; y++) {
    for (let x = left - margin; x < left + width + margin; x++) {
      const outside = Math.max(left - x, x - left - width + 1, top - y, y - top - height + 1, 0);
      const cover = alpha * (1 - outside / 3);
      const i = ((y - whole.top) * widthOf(whole) + x - whole.left) * 4;
      const below = (data[i + 3] / maximum) * (1 - cover);
      const total = erases ? below : below + cover;
      if (!erases)
        for (let c = 0; c < 3; c++)
          data[i + c] = Math.round(((cover * rgb[c] * maximum) / 255 + below * data[i + c]) / (total || 1));
      data[i + 3] = Math.round(total * maximum);
    }
  }
  const tight = tightBounds(data, whole, 4);
  layer.pixels = tight && { bounds: tight, data: transfer(data, whole, tight, 4) };
}

const host = {
  /** Another version of Photoshop: see `rules` in state.js. */
  setRule(name, isOn) {
    if (state.rules[name] === undefined) throw new Error(`no rule ${name}`);
    state.rules[name] = isOn;
  },
  /** @returns {number} the document's id; it becomes the active one */
  open(spec) {
    const document = {
      id: state.nextID++,
      name: spec.name || "Photograph",
      width: spec.width,
      height: spec.height,
      mode: spec.mode || "RGBColorMode",
      bits: spec.bits || 8,
      profile: spec.profile || "sRGB IEC61966-2.1",
      layers: [],
      selectedIDs: [],
      selection: null,
      isQuickMask: Boolean(spec.isQuickMask),
      samplers: spec.samplers || [],
      history: [{ id: state.nextID++, name: "Open" }],
      suspension: null,
    };
    document.layers = spec.layers.map((layer) => makeLayer(layer, document));
    const path = spec.active || [0];
    const active = path.reduce((level, index) => ({ children: undefined, ...level.children[index] }), {
      children: document.layers,
    });
    document.selectedIDs = spec.active === null ? [] : [active.id];
    state.documents.push(document);
    state.activeID = document.id;
    return document.id;
  },
  setSelection(id, { left, top, width, height, data }) {
    documentOf(id).selection = {
      bounds: { left, top, right: left + width, bottom: top + height },
      data: bytesFrom(data),
    };
  },
  close(id) {
    whileIdle();
    closeDocument(documentOf(id));
  },
  bringToFront(id) {
    whileIdle();
    state.activeID = id;
  },
  select(id, names) {
    whileIdle();
    documentOf(id).selectedIDs = names.map((name) => host.layerNamed(id, name).layer.id);
  },
  layerNamed(id, name) {
    const search = (list) => {
      for (const layer of list) {
        if (layer.name === name) return find(documentOf(id).layers, layer.id);
        const inside = layer.children && search(layer.children);
        if (inside) return inside;
      }
      return null;
    };
    return search(documentOf(id).layers);
  },
  deleteLayer(id, name) {
    whileIdle();
    const { list, index } = host.layerNamed(id, name);
    list.splice(index, 1);
    noteEdit(documentOf(id), "Delete Layer");
  },
  hideLayer(id, name) {
    whileIdle();
    host.layerNamed(id, name).layer.isVisible = false;
  },
  nudgeLayer(id, name, dx, dy) {
    whileIdle();
    const { bounds } = host.layerNamed(id, name).layer.pixels;
    Object.assign(bounds, {
      left: bounds.left + dx,
      right: bounds.right + dx,
      top: bounds.top + dy,
      bottom: bounds.bottom + dy,
    });
    noteEdit(documentOf(id), "Move");
  },
  /** Put a layer to the top of its siblings. */
  raiseLayer(id, name) {
    whileIdle();
    const { list, index, layer } = host.layerNamed(id, name);
    list.splice(index, 1);
    list.unshift(layer);
    noteEdit(documentOf(id), "Layer Order");
  },
  mirrorLayer(id, name) {
    whileIdle();
    const { pixels } = host.layerNamed(id, name).layer;
    const width = widthOf(pixels.bounds);
    const source = pixels.data.slice();
    for (let i = 0; i < source.length / 4; i++) {
      const mirrored = i - (i % width) + width - 1 - (i % width);
      pixels.data.set(source.subarray(mirrored * 4, mirrored * 4 + 4), i * 4);
    }
    noteEdit(documentOf(id), "Flip Horizontal");
  },
  /** Paint a small black patch, as when dust is removed. */
  retouch(id, name, side) {
    whileIdle();
    const { pixels } = host.layerNamed(id, name).layer;
    const width = widthOf(pixels.bounds);
    for (let y = 0; y < side; y++)
      for (let x = 0; x < side; x++) pixels.data.fill(0, (y * width + x) * 4, (y * width + x) * 4 + 3);
    noteEdit(documentOf(id), "Healing Brush");
  },
  /**
   * Strokes of the brush in mode Normal, on the layer's own pixels: {left, top, width, height, rgb, alpha} each, alpha 0..1;
   * `erases` for the eraser.  A stroke has a soft edge of two pixels if it `isSoft`.
   */
  paint(id, name, strokes) {
    host.paintByID(id, host.layerNamed(id, name).layer.id, strokes);
  },
  paintByID(id, layerID, strokes) {
    whileIdle();
    const document = documentOf(id);
    const { layer } = find(document.layers, layerID);
    for (const stroke of strokes) paintStroke(document, layer, stroke);
    noteEdit(document, "Brush Tool");
  },
  setOpacity(id, name, opacity) {
    whileIdle();
    host.layerNamed(id, name).layer.opacity = opacity;
    noteEdit(documentOf(id), "Opacity");
  },
  /** Image > Duplicate, or saved, closed and opened again: as PSD keeps it, with other ids in the first case only. */
  reopen(id, newIDs) {
    whileIdle();
    const document = documentOf(id);
    const copy = { ...contentOf(document), id: state.nextID++, name: document.name, suspension: null };
    copy.layers = document.layers.map((layer) => copyOfLayer(layer, newIDs));
    copy.history = [{ id: state.nextID++, name: "Open" }];
    copy.selectedIDs = copy.layers.slice(0, 1).map((layer) => layer.id);
    closeDocument(document);
    state.documents.push(copy);
    state.activeID = copy.id;
    return copy.id;
  },
  /** Image > Mode; samples stay as they are, because nothing may read them any more. */
  setMode(id, mode) {
    whileIdle();
    documentOf(id).mode = mode;
    noteEdit(documentOf(id), "Mode");
  },
  resizeCanvas(id, width, height) {
    whileIdle();
    Object.assign(documentOf(id), { width, height });
    noteEdit(documentOf(id), "Canvas Size");
  },
  /** Edit > Undo of the last history step. */
  undo(id) {
    whileIdle();
    const document = documentOf(id);
    Object.assign(document, document.history.pop().before);
  },
  /** Another plug-in is modal for a while, or the artist, who edits a text. */
  holdModal(milliseconds, owner = "com.example.other") {
    whileIdle();
    state.modal = { owner };
    setTimeout(() => {
      state.modal = null;
    }, milliseconds);
  },
  escapeDuring(call) {
    state.escapeAt = call;
  },
  pressDuring(call, id) {
    state.pressAt = { call, id };
  },
  refuse(call, message) {
    state.refuse[call] = message;
  },
  moveWrongly(times) {
    state.movesWrongly = times;
  },
  setTheme,
  async storedToken() {
    const bytes = await secureStorage.getItem("colorize.token");
    return bytes && String.fromCharCode(...bytes);
  },
  storeToken: (token) => secureStorage.setItem("colorize.token", token),
  /** What a test asserts on. */
  report(hasDocuments = true) {
    const { undisposed, violations, isCrashed, calls, getters } = state;
    return {
      getters,
      undisposed,
      violations,
      isCrashed,
      calls,
      isModal: state.modal !== null,
      activeID: state.activeID,
      foreground: state.foreground && { base: state.foreground.base, ...state.foreground[state.foreground.base] },
      documents: hasDocuments ? state.documents.map(dump) : [],
    };
  },
};

module.exports = { host };
