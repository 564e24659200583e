/**
 * Opens the panel's real HTML and JavaScript in Chromium, with the fake host around it.
 */

import { readFileSync, readdirSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { dirname, join, extname } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const HERE = dirname(fileURLToPath(import.meta.url));
export const PANEL = process.env.COLORIZE_PANEL || join(HERE, "../../../../photoshop_uxp");
export const MANIFEST = JSON.parse(readFileSync(join(PANEL, "manifest.json"), "utf8"));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
/** As strict as UXP: no code from strings, no inline handlers, nothing from elsewhere. */
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:";
const ORIGIN = "http://panel.invalid";
/** The ports that the manifest names. */
const NAMED_PORTS = [...new Set(MANIFEST.requiredPermissions.network.domains.map((domain) => new URL(domain).port))];

/** @returns {Promise<import("playwright-core").Browser>} */
export function launchBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

function filesOf(folder, prefix = "./") {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return filesOf(join(folder, entry.name), `${prefix}${entry.name}/`);
    return /\.(js|css)$/.test(entry.name) ? [[prefix + entry.name, join(folder, entry.name)]] : [];
  });
}

/**
 * Text of the panel that names its ports, with those in their place that are used in this run.  A server of a test takes
 * any free port, and the proof of a server holds on the port that was asked only; so it is the panel that is moved, its
 * list and its manifest alike, and nothing comes between the panel and the port that it asks.
 * @param {string} text
 * @param {Record<string, number>} ports named port -> port of this run; on the others nobody listens
 */
function moved(text, ports) {
  return text.replace(new RegExp(NAMED_PORTS.join("|"), "g"), (named) =>
    String(ports[named] ?? NAMED_PORTS.indexOf(named) + 1),
  );
}

/** The panel's sources by require name, with a scenario's patches applied. */
export function panelSources(patches = []) {
  const sources = Object.fromEntries(filesOf(PANEL).map(([name, path]) => [name, readFileSync(path, "utf8")]));
  for (const { file, find, replace } of patches) {
    const name = `./${file}`;
    const parts = sources[name].split(find);
    if (parts.length !== 2)
      throw new Error(`patch: ${JSON.stringify(find)} stands ${parts.length - 1} times in ${file}, not once`);
    sources[name] = parts.join(replace);
  }
  return sources;
}

const asModule = (name, source) => `${JSON.stringify(name)}: function (module, exports, require) {\n${source}\n}`;

/** The script that runs before the panel: the host's modules, the panel's modules, and `install`. */
function initScript(sources, ports, locale) {
  const own = filesOf(HERE).map(([name, path]) => asModule(name, readFileSync(path, "utf8")));
  const scripts = Object.entries(sources).filter(([name]) => name.endsWith(".js"));
  const panel = scripts.map(([name, source]) => asModule(name, source));
  const facts = {
    domains: MANIFEST.requiredPermissions.network.domains.map((domain) => moved(domain, ports)),
    panels: MANIFEST.entrypoints.map((entry) => entry.id),
    locale,
  };
  return `(() => {
    const own = { ${own.join(",\n")} };
    const loaded = {};
    const require = (name) => {
      if (!loaded[name]) { loaded[name] = { exports: {} }; own[name](loaded[name], loaded[name].exports, require); }
      return loaded[name].exports;
    };
    require("./install.js").install({ ...${JSON.stringify(facts)}, modules: { ${panel.join(",\n")} } });
  })();`;
}

/**
 * One HTTP exchange through Node: no Origin unless the scenario wants one, no connection to ports that are still shut.
 */
function exchange({ url, method, headers, body }, { shut, origin }) {
  const { host, port, pathname, search } = new URL(url);
  return new Promise((resolve) => {
    if (shut.has(Number(port))) {
      resolve({ error: "connect ECONNREFUSED" });
      return;
    }
    const bytes = Buffer.from(body, "base64");
    const sent = { ...headers, Host: host };
    if (method === "POST") sent["Content-Length"] = bytes.length;
    if (origin !== undefined) sent.Origin = origin;
    const request = httpRequest(
      { host: "127.0.0.1", port, path: pathname + search, method, headers: sent, agent: false },
      (response) => {
        const parts = [];
        response.on("data", (part) => parts.push(part));
        response.on("error", (error) => resolve({ error: error.message }));
        response.on("end", () =>
          resolve({
            status: response.statusCode,
            headers: response.headers,
            body: Buffer.concat(parts).toString("base64"),
          }),
        );
      },
    );
    request.on("error", (error) => resolve({ error: error.message }));
    request.end(bytes);
  });
}

/** Browser pages that panels can be opened in one after the other: to make a page takes longer than most scenarios. */
export class Pages {
  #browser;
  #free = [];

  /** @param {import("playwright-core").Browser} browser */
  constructor(browser) {
    this.#browser = browser;
  }

  /** @returns {Promise<HostPage>} one that no panel is open in */
  async take() {
    return this.#free.pop() || HostPage.make(this.#browser);
  }

  async giveBack(hostPage) {
    await hostPage.leave();
    this.#free.push(hostPage);
  }
}

/** A page whose requests are answered by the panel that is open in it. */
class HostPage {
  /** what answers: {fetch, serve} */
  current = null;

  static async make(browser) {
    const made = new HostPage();
    const context = await browser.newContext({ deviceScaleFactor: 1 });
    made.page = await context.newPage();
    await made.page.exposeFunction("__hostFetch", (request) => made.current.fetch(request));
    await made.page.route("**/*", (route) => made.current.serve(route));
    return made;
  }

  async leave() {
    await this.page.goto("about:blank");
  }
}

let opened = 0;

/**
 * @param {Pages} pages
 * @param {object} options
 * @param {Record<string, number>} options.ports see `moved`
 * @param {number[]} [options.shut] ports that nobody listens on until the scenario takes them out of `connection.shut`
 * @param {string} [options.token] stored as if the panel were paired
 * @param {string} [options.origin]
 * @param {string} [options.locale]
 * @param {"dark" | "light"} [options.theme]
 * @param {{width: number, height: number}} [options.viewport] the docked size; the page does not scroll by itself
 * @param {boolean} [options.withoutAbort] a host without AbortController
 * @param {object[]} [options.patches]
 * @param {(request: object) => Promise<void>} [options.onRequest] before each exchange
 */
export async function openPanel(pages, options) {
  const { ports, shut = [], origin, patches = [] } = options;
  const sources = panelSources(patches);
  sources["./server.js"] = moved(sources["./server.js"], ports);
  const before = firstScript(sources, options);
  const requests = [];
  const strays = [];
  const connection = { shut: new Set(shut), origin };
  const hostPage = await pages.take();
  const { page } = hostPage;
  hostPage.current = {
    async fetch(request) {
      const { pathname, port, searchParams } = new URL(request.url);
      const record = {
        method: request.method,
        url: request.url.replace(/^http:\/\/[^/]+/, ""),
        path: pathname,
        port,
        query: Object.fromEntries(searchParams),
        headers: request.headers,
        bytes: Buffer.byteLength(request.body, "base64"),
      };
      requests.push(record);
      if (options.onRequest) await options.onRequest(record);
      const reply = await exchange(request, connection);
      record.status = reply.status;
      return reply;
    },
    serve(route) {
      const url = new URL(route.request().url());
      if (url.origin !== ORIGIN) {
        strays.push(url.href);
        return route.abort();
      }
      const body = fileOf(url.pathname.slice(1), sources, before);
      if (body === null) return route.fulfill({ status: 404 });
      const headers = { "Content-Security-Policy": POLICY };
      return route.fulfill({ body, contentType: TYPES[extname(url.pathname)], headers });
    },
  };
  await page.setViewportSize(options.viewport || { width: 270, height: 560 });
  await page.goto(`${ORIGIN}/index.html`);
  let isOpen = true;
  const close = async () => {
    if (isOpen) await pages.giveBack(hostPage);
    isOpen = false;
  };
  return { page, requests, strays, connection, close };
}

const FIRST_SCRIPT = "host-before-the-panel.js";

/** What the page is served: the panel's own files, and before them the host. */
function fileOf(name, sources, before) {
  if (name === FIRST_SCRIPT) return before;
  if (sources[`./${name}`] !== undefined) return sources[`./${name}`];
  try {
    const file = readFileSync(join(PANEL, name));
    return name.endsWith(".html") ? String(file).replace("<head>", `<head><script src="${FIRST_SCRIPT}"></script>`) : file;
  } catch {
    return null;
  }
}

/** What an earlier panel of this page remembered is forgotten, but not what this one does when it is loaded anew. */
function firstScript(sources, { ports, token, locale = "en_US", theme = "dark", withoutAbort = false }) {
  opened++;
  return [
    `if (sessionStorage.getItem("panel") !== "${opened}") { localStorage.clear(); sessionStorage.setItem("panel", "${opened}"); }`,
    withoutAbort ? "delete window.AbortController;" : "",
    `window.__theme = ${JSON.stringify(theme)};`,
    initScript(sources, ports, locale),
    token ? `window.__host.storeToken(${JSON.stringify(token)});` : "",
  ].join("\n");
}
