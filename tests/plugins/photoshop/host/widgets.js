/**
 * Stand-ins for the Spectrum widgets that UXP builds in: their properties and events, the keyboard, and a look that
 * comes near enough for a screenshot.  What Photoshop itself draws is not claimed here.
 */

const { state } = require("./state.js");

const THEMES = {
  dark: {
    "--uxp-host-background-color": "#323232",
    "--uxp-host-text-color": "#e6e6e6",
    "--uxp-host-text-color-secondary": "#a8a8a8",
    "--uxp-host-label-text-color": "#bdbdbd",
    "--uxp-host-border-color": "#555555",
    "--uxp-host-font-size": "12px",
    "--stand-in-field": "#262626",
    "--stand-in-line": "#6e6e6e",
    "--stand-in-accent": "#2680eb",
  },
  light: {
    "--uxp-host-background-color": "#f0f0f0",
    "--uxp-host-text-color": "#2c2c2c",
    "--uxp-host-text-color-secondary": "#6e6e6e",
    "--uxp-host-label-text-color": "#4b4b4b",
    "--uxp-host-border-color": "#cccccc",
    "--uxp-host-font-size": "12px",
    "--stand-in-field": "#ffffff",
    "--stand-in-line": "#9a9a9a",
    "--stand-in-accent": "#1473e6",
  },
};

/** The two outer themes: another ground and darker fields, or a lighter one; the texts are those of their neighbours. */
THEMES.darkest = { ...THEMES.dark, "--uxp-host-background-color": "#1e1e1e", "--stand-in-field": "#161616" };
THEMES.lightest = { ...THEMES.light, "--uxp-host-background-color": "#fafafa" };

const LOOK = `
  :host { display: block; box-sizing: border-box; font: 12px "Source Sans 3", "Source Sans Pro", "DejaVu Sans", sans-serif; }
  :host(:focus) { outline: 2px solid var(--stand-in-accent); outline-offset: 2px; }
  .button { border: 2px solid var(--stand-in-line); border-radius: 16px; padding: 5px 14px; text-align: center; font-weight: 600; }
  :host([variant="cta"]) .button { background: var(--stand-in-accent); border-color: var(--stand-in-accent); color: #fff; }
  .action { border: 1px solid var(--stand-in-line); border-radius: 4px; padding: 4px 10px; display: inline-block; }
  .check { display: flex; align-items: flex-start; padding: 4px 0; }
  .box { flex: none; width: 12px; height: 12px; border: 2px solid var(--stand-in-line); border-radius: 2px; margin: 0 8px 0 0; line-height: 12px; text-align: center; font-size: 11px; color: #fff; }
  .box.on { background: var(--stand-in-accent); border-color: var(--stand-in-accent); }
  .field { background: var(--stand-in-field); border: 1px solid var(--stand-in-line); border-radius: 4px; padding: 5px 8px; min-height: 16px; }
  input { background: var(--stand-in-field); border: 1px solid var(--stand-in-line); border-radius: 4px; padding: 5px 8px; width: 100%; box-sizing: border-box; color: inherit; font: inherit; }
  .picked { display: flex; justify-content: space-between; }
  .head { display: flex; justify-content: space-between; margin-bottom: 6px; }
  .track { height: 4px; border-radius: 2px; background: var(--stand-in-line); position: relative; }
  .fill { height: 4px; border-radius: 2px; background: var(--stand-in-accent); }
  .line { height: 1px; background: var(--uxp-host-border-color); }
`;

class StandIn extends HTMLElement {
  constructor() {
    super();
    this.attachShadow({ mode: "open" });
  }
  connectedCallback() {
    if (this.constructor.isFocusable && !this.hasAttribute("tabindex")) this.tabIndex = 0;
    this.draw();
  }
  draw() {
    this.shadowRoot.innerHTML = `<style>${LOOK}</style>${this.content()}`;
    for (const part of this.isLate ? [this, ...this.shadowRoot.querySelectorAll("input")] : []) part.tabIndex = -1;
  }
  content() {
    return "<slot></slot>";
  }
  fire(name) {
    this.dispatchEvent(new CustomEvent(name, { bubbles: true }));
  }
  /** UXP: what was disabled and enabled again is no longer reached with the Tab key. */
  set disabled(isDisabled) {
    if (isDisabled) this.tabIndex = -1;
    this.toggleAttribute("disabled", isDisabled);
  }
}

/** Enter and Space press what has the focus. */
class Pressable extends StandIn {
  static isFocusable = true;
  connectedCallback() {
    super.connectedCallback();
    if (this.isListening) return;
    this.isListening = true;
    this.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        this.click();
      }
    });
    this.addEventListener("click", () => this.pressed());
  }
  pressed() {}
}

class Button extends Pressable {
  content() {
    return '<div class="button"><slot></slot></div>';
  }
}

class ActionButton extends Pressable {
  content() {
    return '<div class="action"><slot></slot></div>';
  }
}

class Checkbox extends Pressable {
  #isChecked = false;
  get checked() {
    return this.#isChecked;
  }
  set checked(isChecked) {
    this.#isChecked = Boolean(isChecked);
    if (this.isConnected) this.draw();
  }
  pressed() {
    this.checked = !this.checked;
    this.fire("change");
  }
  content() {
    return `<div class="check"><div class="box ${this.checked ? "on" : ""}">${this.checked ? "✓" : ""}</div><div><slot></slot></div></div>`;
  }
}

class Slider extends StandIn {
  static isFocusable = true;
  #value = null;
  get value() {
    return this.#value === null ? Number(this.getAttribute("value")) : this.#value;
  }
  set value(value) {
    this.#value = Number(value);
    if (this.isConnected) this.draw();
  }
  /** The artist drags it. */
  drag(value) {
    this.value = value;
    this.fire("input");
    this.fire("change");
  }
  connectedCallback() {
    super.connectedCallback();
    this.addEventListener("keydown", (event) => {
      if (event.key === "ArrowRight") this.drag(this.value + 1);
      if (event.key === "ArrowLeft") this.drag(this.value - 1);
    });
  }
  content() {
    const share = (100 * this.value) / Number(this.getAttribute("max"));
    const unit = this.getAttribute("value-label") || "";
    return `<div class="head"><slot name="label"></slot><span>${this.value}${unit}</span></div><div class="track"><div class="fill" style="width:${share}%"></div></div>`;
  }
}

class Progressbar extends StandIn {
  #value = 0;
  get value() {
    return this.#value;
  }
  set value(value) {
    if (!(value >= 0 && value <= 100)) state.violations.push(`progress ${value}`);
    this.#value = value;
    if (this.isConnected) this.draw();
  }
  content() {
    return `<div class="track"><div class="fill" style="width:${this.value}%"></div></div>`;
  }
}

/** Milliseconds until a dropdown has taken its items in; what is chosen earlier is forgotten then. */
const SETTLING_MS = 60;

class Dropdown extends StandIn {
  static isFocusable = true;
  #index = -1;
  connectedCallback() {
    super.connectedCallback();
    const settle = () => {
      this.isSettled = false;
      const before = this.items.length;
      setTimeout(() => {
        if (this.items.length !== before) return;
        this.selectedIndex = -1;
        this.isSettled = true;
      }, SETTLING_MS);
    };
    new MutationObserver(settle).observe(this, { childList: true, subtree: true });
    settle();
  }
  get items() {
    return [...this.querySelectorAll("sp-menu-item")];
  }
  get selectedIndex() {
    return this.#index;
  }
  set selectedIndex(index) {
    this.#index = index;
    if (this.isConnected) this.draw();
  }
  /** The artist picks an item. */
  pick(value) {
    const index = this.items.findIndex((item) => item.getAttribute("data-value") === value);
    if (index < 0) throw new Error(`no item ${value}`);
    this.selectedIndex = index;
    this.fire("change");
  }
  content() {
    const item = this.items[this.#index];
    const text = item ? item.textContent : this.getAttribute("placeholder") || "";
    return `<div class="field picked"><span>${text}</span><span>▾</span></div>`;
  }
}

class Textfield extends StandIn {
  #value = "";
  get value() {
    const input = this.shadowRoot.querySelector("input");
    return input ? input.value : this.#value;
  }
  set value(value) {
    this.#value = value;
    if (this.isConnected) this.draw();
  }
  draw() {
    super.draw();
    const input = this.shadowRoot.querySelector("input");
    input.value = this.#value;
    input.addEventListener("input", () => {
      this.#value = input.value;
      this.fire("input");
    });
  }
  content() {
    return `<input placeholder="${this.getAttribute("placeholder") || ""}">`;
  }
}

class Divider extends StandIn {
  content() {
    return '<div class="line"></div>';
  }
}

class Menu extends StandIn {
  connectedCallback() {
    this.style.display = "none";
  }
}

/** The Tab key does not reach controls that were hidden when the panel was made. */
function forgetLateControls() {
  for (const control of document.querySelectorAll("[tabindex], sp-textfield")) {
    if (control.offsetParent) continue;
    control.isLate = true;
    control.draw();
  }
}

/** @param {"darkest" | "dark" | "light" | "lightest"} theme */
function setTheme(theme) {
  for (const [name, value] of Object.entries(THEMES[theme])) document.documentElement.style.setProperty(name, value);
}

function defineWidgets() {
  const tags = {
    "sp-button": Button,
    "sp-action-button": ActionButton,
    "sp-checkbox": Checkbox,
    "sp-slider": Slider,
    "sp-progressbar": Progressbar,
    "sp-dropdown": Dropdown,
    "sp-textfield": Textfield,
    "sp-divider": Divider,
    "sp-menu": Menu,
    "sp-menu-item": class extends StandIn {},
    "sp-body": class extends StandIn {},
    "sp-label": class extends StandIn {},
  };
  for (const [tag, widget] of Object.entries(tags)) customElements.define(tag, widget);
}

module.exports = { defineWidgets, forgetLateControls, setTheme };
