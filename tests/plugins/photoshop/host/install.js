/**
 * Puts the fake host into the page before the panel's own script runs.
 */

const { host } = require("./artist.js");
const constants = require("./constants.js");
const { action } = require("./commands.js");
const { app } = require("./dom.js");
const { imaging } = require("./imaging.js");
const { core } = require("./modal.js");
const { state } = require("./state.js");
const { makeFetch, removeBrowser, uxpModule } = require("./uxp.js");
const { defineWidgets, forgetLateControls, setTheme } = require("./widgets.js");

/**
 * @param {{domains: string[], panels: string[], locale: string, modules: Record<string, (m: object, e: object, r: unknown) => void>}} panel
 */
function install({ domains, panels, locale, modules }) {
  window.__manifestPanels = panels;
  window.__host = host;
  const provided = { photoshop: { action, app, constants, core, imaging }, uxp: uxpModule(locale) };
  const loaded = new Map();
  window.require = (name) => {
    if (provided[name]) return provided[name];
    if (!modules[name]) throw new Error(`Module not found: "${name}"`);
    if (!loaded.has(name)) {
      const made = { exports: {} };
      loaded.set(name, made);
      // Paths are taken from the panel's folder, wherever the asking file lies: UXP's rule for nested folders is not
      // documented, so panel files must not depend on one.
      modules[name](made, made.exports, window.require);
    }
    return loaded.get(name).exports;
  };
  window.fetch = makeFetch(domains);
  window.addEventListener("error", (event) => state.violations.push(`uncaught: ${event.message}`));
  window.addEventListener("unhandledrejection", (event) => state.violations.push(`unhandled: ${event.reason}`));
  removeBrowser();
  window.addEventListener("securitypolicyviolation", (event) =>
    state.violations.push(`code from a string: ${event.violatedDirective}`),
  );
  document.addEventListener("DOMContentLoaded", () => {
    setTheme(window.__theme || "dark");
    // UXP scrolls containers that say so, never the page.
    for (const element of [document.documentElement, document.body]) element.style.overflow = "hidden";
    forgetLateControls();
    if (document.querySelector("title")) state.violations.push("a title may be drawn as text");
  });
  defineWidgets();
}

module.exports = { install };
