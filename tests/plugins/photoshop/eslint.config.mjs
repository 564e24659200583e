import js from "@eslint/js";

/** What UXP documents; anything else of a browser is missing there, or not promised. */
const uxp = {
  require: "readonly",
  module: "writable",
  document: "readonly",
  fetch: "readonly",
  crypto: "readonly",
  localStorage: "readonly",
  AbortController: "readonly",
  setTimeout: "readonly",
  clearTimeout: "readonly",
};
const node = {
  process: "readonly",
  console: "readonly",
  Buffer: "readonly",
  URL: "readonly",
  URLSearchParams: "readonly",
  setTimeout: "readonly",
  clearTimeout: "readonly",
};
const browser = {
  window: "readonly",
  document: "readonly",
  localStorage: "readonly",
  HTMLElement: "readonly",
  MutationObserver: "readonly",
  customElements: "readonly",
  CustomEvent: "readonly",
  btoa: "readonly",
  atob: "readonly",
  CanvasRenderingContext2D: "readonly",
  HTMLCanvasElement: "readonly",
  HTMLLabelElement: "readonly",
};

const strictness = {
  eqeqeq: "error",
  "no-var": "error",
  "prefer-const": "error",
  "no-console": "error",
  "no-eval": "error",
  "no-implied-eval": "error",
  "no-new-func": "error",
  "no-throw-literal": "error",
  "no-shadow": "error",
  "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
  "max-lines": ["error", 420],
};

export default [
  { ignores: ["**/node_modules/**", "**/vendor/**"] },
  js.configs.recommended,
  { files: ["**/photoshop_uxp/*.js"], languageOptions: { sourceType: "commonjs", globals: uxp }, rules: strictness },
  {
    files: ["**/tests/plugins/photoshop/host/*.js"],
    languageOptions: { sourceType: "commonjs", globals: { ...uxp, ...browser } },
    rules: strictness,
  },
  {
    files: ["**/tests/plugins/photoshop/**/*.mjs"],
    languageOptions: { sourceType: "module", globals: { ...node, ...browser, fetch: "readonly" } },
    rules: { ...strictness, "no-console": "off" },
  },
];
