/**
 * Photoshop's documents and layers as a panel sees them, and what they refuse.
 */

const { DocumentMode, BlendMode } = require("./constants.js");
const { closeDocument, enter, turn } = require("./modal.js");
const {
  DEPTH_NAMES,
  activeDocument,
  contentOf,
  copyOfLayer,
  documentOf,
  find,
  intersect,
  noteEdit,
  state,
  tightBounds,
} = require("./state.js");

/** Modes that a document's colour mode and depth allow; since 24.2 any other is an error and no longer silence. */
function allowsBlendMode(document, blendMode) {
  const needsColour = [BlendMode.COLOR, BlendMode.HUE, BlendMode.SATURATION, BlendMode.LUMINOSITY];
  const not32 = [...needsColour, BlendMode.COLORBURN, BlendMode.COLORDODGE, BlendMode.OVERLAY, BlendMode.SCREEN];
  if (!Object.values(BlendMode).includes(blendMode)) return false;
  if (document.mode !== DocumentMode.RGB && needsColour.includes(blendMode)) return false;
  return !(document.bits === 32 && not32.includes(blendMode));
}

const NOTHING = { left: 0, top: 0, right: 0, bottom: 0 };

function boundsOfLayer(layer) {
  if (layer.children) {
    const inside = layer.children.map(boundsOfLayer).filter((bounds) => bounds.right > bounds.left);
    if (inside.length === 0) return NOTHING;
    return {
      left: Math.min(...inside.map((bounds) => bounds.left)),
      top: Math.min(...inside.map((bounds) => bounds.top)),
      right: Math.max(...inside.map((bounds) => bounds.right)),
      bottom: Math.max(...inside.map((bounds) => bounds.bottom)),
    };
  }
  if (!layer.pixels) return NOTHING;
  if (!layer.mask || !state.rules.boundsFollowMasks) return layer.pixels.bounds;
  const shown = tightBounds(layer.mask.data, layer.mask.bounds, 1);
  return (shown && intersect(shown, layer.pixels.bounds)) || NOTHING;
}

class Layer {
  #documentID;

  constructor(documentID, id) {
    this.#documentID = documentID;
    this.id = id;
  }

  get #found() {
    const document = documentOf(this.#documentID);
    const found = document && find(document.layers, this.id);
    if (!found) throw new Error("The layer no longer exists.");
    return { document, ...found };
  }

  #set(name, change) {
    enter(`set ${name}`);
    const { document, layer, list, index } = this.#found;
    change(layer, document, list, index);
    noteEdit(document, name);
  }

  get name() {
    return this.#found.layer.name;
  }
  set name(name) {
    this.#set("name", (layer) => {
      layer.name = name;
    });
  }
  get kind() {
    state.getters++;
    return this.#found.layer.kind;
  }
  get isBackgroundLayer() {
    return Boolean(this.#found.layer.isBackground);
  }
  get boundsNoEffects() {
    return { ...boundsOfLayer(this.#found.layer) };
  }
  get bounds() {
    return this.boundsNoEffects;
  }
  get layers() {
    const { children } = this.#found.layer;
    return children ? children.map((child) => new Layer(this.#documentID, child.id)) : null;
  }

  get visible() {
    state.getters++;
    return this.#found.layer.isVisible;
  }
  set visible(isVisible) {
    // Photoshop makes no history step of visibility, unless told to in its preferences.
    enter("set visible");
    this.#found.layer.isVisible = isVisible;
  }

  get allLocked() {
    return Boolean(this.#found.layer.isLocked);
  }
  get opacity() {
    state.getters++;
    return this.#found.layer.opacity;
  }

  get blendMode() {
    state.getters++;
    return this.#found.layer.blendMode;
  }
  set blendMode(blendMode) {
    this.#set("blendMode", (layer, document) => {
      if (layer.isBackground) throw new Error("The blend mode of a Background layer cannot be changed.");
      if (!allowsBlendMode(document, blendMode)) throw new Error("The blend mode is not possible in this document.");
      layer.blendMode = blendMode;
    });
  }

  get isClippingMask() {
    return Boolean(this.#found.layer.isClipped);
  }
  set isClippingMask(isClipped) {
    this.#set("isClippingMask", (layer, document, list, index) => {
      if (layer.isBackground || (isClipped && index === list.length - 1))
        throw new Error("There is no layer to clip to.");
      layer.isClipped = isClipped;
    });
  }

  move(relative, placement) {
    enter("move");
    const from = this.#found;
    const target = find(from.document.layers, relative.id);
    if (!target || relative.#documentID !== this.#documentID) throw new Error("The layers are of different documents.");
    if (from.layer.isBackground) throw new Error("A Background layer cannot be moved.");
    if (placement === "placeInside" && !target.layer.children) throw new Error("placeInside needs a group.");
    if (placement === "placeAfter" && target.layer.isBackground)
      throw new Error("Nothing can be below a Background layer.");
    from.list.splice(from.index, 1);
    const to = find(from.document.layers, relative.id);
    const wrong = state.movesWrongly > 0 ? Math.min(1, state.movesWrongly--) : 0;
    if (placement === "placeInside") to.layer.children.unshift(from.layer);
    else if (wrong) from.document.layers.unshift(from.layer);
    else to.list.splice(placement === "placeBefore" ? to.index : to.index + 1, 0, from.layer);
    // By other reports a layer that is moved leaves its clipping stack.
    const { parent } = find(from.document.layers, from.layer.id);
    if (parent && parent.isLocked) throw new Error("Could not complete the command because the layer is locked.");
    if (!state.rules.joinsStack) from.layer.isClipped = false;
    noteEdit(from.document, "Move Layer");
  }
}

class Document {
  constructor(id) {
    this.id = id;
  }

  get #it() {
    const document = documentOf(this.id);
    if (!document) throw new Error("The document no longer exists.");
    return document;
  }

  get width() {
    return this.#it.width;
  }
  get height() {
    return this.#it.height;
  }
  get mode() {
    return this.#it.mode;
  }
  get bitsPerChannel() {
    return DEPTH_NAMES[this.#it.bits];
  }
  get colorProfileName() {
    return this.#it.profile;
  }
  get layers() {
    return this.#it.layers.map((layer) => new Layer(this.id, layer.id));
  }
  get activeLayers() {
    return this.#it.selectedIDs.filter((id) => find(this.#it.layers, id)).map((id) => new Layer(this.id, id));
  }
  get artboards() {
    return this.layers.filter((layer) => find(this.#it.layers, layer.id).layer.isArtboard);
  }
  get colorSamplers() {
    return this.#it.samplers.map((position) => ({ position: { ...position } }));
  }
  get quickMaskMode() {
    return Boolean(this.#it.isQuickMask);
  }
  get activeHistoryState() {
    return { ...this.#it.history[this.#it.history.length - 1] };
  }
  get selection() {
    const { selection } = this.#it;
    return { bounds: selection ? { ...selection.bounds } : null };
  }

  /** Acts on the active document, whichever this is: as commands of Photoshop do. */
  async createPixelLayer({ name = "Layer", opacity = 100, blendMode = BlendMode.NORMAL } = {}) {
    enter("createPixelLayer");
    await turn();
    const document = activeDocument();
    if (document.id !== this.id)
      state.violations.push(`a layer was made in document ${document.id} instead of ${this.id}`);
    if (!allowsBlendMode(document, blendMode)) throw new Error("The blend mode is not possible in this document.");
    const layer = {
      id: state.nextID++,
      name,
      kind: "pixel",
      isVisible: true,
      opacity,
      blendMode,
      isClipped: false,
      isBackground: false,
      pixels: null,
      mask: null,
    };
    const above = document.selectedIDs.map((id) => find(document.layers, id)).find(Boolean);
    if (document.isQuickMask || (above && above.parent && above.parent.isLocked))
      throw new Error("The command “Make” is not currently available.");
    const joins = above && above.index > 0 && above.list[above.index - 1].isClipped;
    if (joins && state.rules.joinsStack) layer.isClipped = true;
    if (above) above.list.splice(above.index, 0, layer);
    else document.layers.unshift(layer);
    document.selectedIDs = [layer.id];
    noteEdit(document, "New Layer");
    return new Layer(document.id, layer.id);
  }

  async duplicate(name) {
    enter("duplicate");
    await turn();
    const document = this.#it;
    const copy = {
      ...contentOf(document),
      id: state.nextID++,
      name: name || `${document.name} copy`,
      layers: document.layers.map((layer) => copyOfLayer(layer, true)),
      selection: document.selection,
      history: [{ id: state.nextID++, name: "Duplicate Image" }],
      suspension: null,
      samplers: document.samplers,
    };
    copy.selectedIDs = copy.layers.slice(0, 1).map((layer) => layer.id);
    state.documents.push(copy);
    state.activeID = copy.id;
    return new Document(copy.id);
  }

  closeWithoutSaving() {
    enter("closeWithoutSaving");
    closeDocument(this.#it);
  }
}

/** A colour in Lab or RGB; which of them was set last is what it is. */
class SolidColor {
  constructor() {
    const keep = (kind, names) =>
      new Proxy(Object.fromEntries(names.map((name) => [name, 0])), {
        set: (target, name, value) => {
          const [low, high] = kind === "rgb" ? [0, 255] : name === "l" ? [0, 100] : [-128, 127];
          if (!names.includes(name) || !(value >= low && value <= high)) throw new RangeError(`${kind}.${name}: ${value}`);
          this.base = kind;
          target[name] = value;
          return true;
        },
      });
    this.rgb = keep("rgb", ["red", "green", "blue"]);
    this.lab = keep("lab", ["l", "a", "b"]);
  }
}

const app = {
  SolidColor,
  get foregroundColor() {
    return state.foreground;
  },
  set foregroundColor(colour) {
    enter("set foregroundColor");
    if (!(colour instanceof SolidColor)) throw new TypeError("foregroundColor must be a SolidColor");
    state.foreground = colour;
  },
  get documents() {
    return state.documents.map((document) => new Document(document.id));
  },
  get activeDocument() {
    return state.activeID === null ? null : new Document(state.activeID);
  },
  set activeDocument(document) {
    enter("set activeDocument");
    if (!documentOf(document.id)) throw new Error("The document no longer exists.");
    state.activeID = document.id;
  },
};

module.exports = { app };
