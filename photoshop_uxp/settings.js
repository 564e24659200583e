// @ts-check
/**
 * What the panel remembers: choices in local storage, the token in the host's encrypted storage.
 */

const { storage } = require("uxp");

/**
 * @typedef {import("./colorize.js").Settings} Settings
 * @typedef {Omit<Settings, "token"> & {language: string}} Choices
 */

const CHOICES_KEY = "colorize.choices";
const TOKEN_KEY = "colorize.token";

/** @type {Choices} */
const DEFAULTS = {
  address: "",
  source: "layer",
  size: 0,
  saturation: 1,
  useHints: false,
  useTouchUps: true,
  addDoubt: false,
  blend: "color",
  clip: false,
  maskFromSelection: true,
  language: "",
};

/**
 * @returns {Choices} as remembered, defaults for what is missing or damaged
 */
function loadChoices() {
  const choices = { ...DEFAULTS };
  try {
    const stored = JSON.parse(localStorage.getItem(CHOICES_KEY) || "{}");
    for (const name of /** @type {(keyof Choices)[]} */ (Object.keys(DEFAULTS))) {
      if (typeof stored[name] === typeof DEFAULTS[name]) Object.assign(choices, { [name]: stored[name] });
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return choices;
}

/**
 * @param {Choices} choices
 */
function saveChoices(choices) {
  localStorage.setItem(CHOICES_KEY, JSON.stringify(choices));
}

/**
 * @returns {Promise<string>} "" if the panel was never paired, or if the host lost it
 */
async function loadToken() {
  try {
    const bytes = await storage.secureStorage.getItem(TOKEN_KEY);
    return bytes ? String.fromCharCode(...bytes) : "";
  } catch {
    // The host's documentation calls this storage a cache that may be lost: then the artist pairs again.
    return "";
  }
}

/**
 * @param {string} token
 */
async function saveToken(token) {
  if (token) await storage.secureStorage.setItem(TOKEN_KEY, token);
  // Photoshop 25.2 to 26.9 rejects the removal of what is not there.
  else if (await loadToken()) await storage.secureStorage.removeItem(TOKEN_KEY);
}

/**
 * @param {string} text what the artist pasted, perhaps with blanks or a line break around it
 * @returns {string | null} the token, or null if it cannot be one
 */
function parseToken(text) {
  const token = text.trim();
  return token === "" || /^[!-~]{16,256}$/.test(token) ? token : null;
}

module.exports = { loadChoices, loadToken, parseToken, saveChoices, saveToken };
