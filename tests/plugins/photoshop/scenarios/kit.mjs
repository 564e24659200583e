/**
 * What a scenario works with: a panel to press, a document to look at, and a place for evidence.
 */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { base64 } from "../documents.mjs";
import { openPanel } from "../host/page.mjs";
import { writePsd } from "./psd.mjs";

const RUN_TIMEOUT_MS = 60000;
const FIRST_LOOK_MS = 15;
const SELDOM_LOOK_MS = 120;

export class Kit {
  /**
   * @param {object} options
   * @param {import("../host/page.mjs").Pages} options.pages
   * @param {import("./server.mjs").Server} options.server
   * @param {Record<string, {width: number, height: number, data: Uint8Array}>} options.photographs
   * @param {string} options.folder for this scenario's evidence
   * @param {object[]} options.patches
   */
  constructor(options) {
    Object.assign(this, options);
    this.panels = [];
    mkdirSync(this.folder, { recursive: true });
  }

  /** A panel, paired with the main server unless told otherwise. */
  async panel(options = {}) {
    const settings = {
      ports: { 47811: this.server.port },
      token: this.server.token,
      patches: this.patches,
      ...options,
    };
    const panel = new PanelDriver(await openPanel(this.pages, settings));
    this.panels.push(panel);
    await panel.untilSettled();
    return panel;
  }

  /** A paired panel that has found its server. */
  async readyPanel(options = {}) {
    const panel = await this.panel(options);
    await panel.untilServerSays(/px|onnx|tensorrt/i);
    return panel;
  }

  async close() {
    for (const panel of this.panels.splice(0)) await panel.close();
  }

  /** Keep a document as PSD and as raw samples, with what the check needs to know. */
  savePsd(name, document, facts) {
    writeFileSync(join(this.folder, `${name}.psd`), writePsd(document));
    writeFileSync(join(this.folder, `${name}.json`), JSON.stringify({ ...facts, document }));
  }

  saveRaw(name, bytes) {
    writeFileSync(join(this.folder, name), bytes);
  }
}

export class PanelDriver {
  constructor(opened) {
    Object.assign(this, opened);
  }

  /** Wait until the dropdowns have taken their items in: nobody picks earlier. */
  async untilSettled() {
    const isSettled = () =>
      [...document.querySelectorAll("sp-dropdown")].every((dropdown) => dropdown.isSettled && dropdown.selectedIndex >= 0);
    await this.until(() => this.page.evaluate(isSettled), "the choices in the dropdowns", 15000);
  }

  open(spec) {
    return this.page.evaluate((what) => window.__host.open(what), spec);
  }

  /** Call one of the artist's hands (`host/artist.js`). */
  artist(name, ...args) {
    return this.page.evaluate(([hand, values]) => window.__host[hand](...values), [name, args]);
  }

  /** Set choices as the artist does. */
  async choose(choices) {
    for (const [id, value] of Object.entries(choices)) {
      await this.page.evaluate(
        ([name, wanted]) => {
          const widget = document.getElementById(name);
          if (typeof wanted === "boolean") {
            if (widget.checked !== wanted) widget.click();
          } else if (widget.drag) widget.drag(wanted);
          else widget.pick(String(wanted));
        },
        [id, value],
      );
    }
  }

  press(id) {
    return this.page.evaluate((name) => document.getElementById(name).click(), id);
  }

  text(id) {
    return this.page.evaluate((name) => document.getElementById(name).textContent, id);
  }

  isShown(id) {
    return this.page.evaluate((name) => document.getElementById(name).offsetParent !== null, id);
  }

  /** Wait until a condition in this process holds; a broken rule ends the waiting. */
  async until(condition, what, milliseconds = RUN_TIMEOUT_MS) {
    const end = Date.now() + milliseconds;
    // Looking costs the processor that others wait for: the longer it takes, the seldomer.
    for (let wait = FIRST_LOOK_MS; !(await condition()); wait = Math.min(wait * 1.4, SELDOM_LOOK_MS)) {
      const { violations } = await this.report(false);
      if (violations.length) throw new assert.AssertionError({ message: `rules broken: ${violations.join("; ")}` });
      if (Date.now() > end)
        throw new assert.AssertionError({
          message: `waited in vain for ${what}; status: ${await this.text("status")}`,
        });
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  /** Wait for something that a run shows while it is under way. */
  async untilShown(condition, what) {
    let isOver = false;
    await this.until(async () => (await condition()) || (isOver = !(await this.isShown("running"))), what);
    if (isOver && !(await condition()))
      throw new assert.AssertionError({
        message: `the run ended without ${what}; status: ${await this.text("status")}`,
      });
  }

  untilAsked() {
    return this.untilShown(() => this.isShown("question"), "the question");
  }

  async untilServerSays(pattern, milliseconds = 12000) {
    await this.until(async () => pattern.test(await this.text("server")), `the server line ${pattern}`, milliseconds);
  }

  async untilIdle() {
    await this.until(async () => !(await this.isShown("running")), "the run's end");
  }

  /** Press Colorize and wait for the end; returns the status line. */
  async colorize(choices = {}) {
    await this.choose(choices);
    await this.press("colorize");
    await this.untilIdle();
    return this.text("status");
  }

  report(hasDocuments = true) {
    return this.page.evaluate((isWhole) => window.__host.report(isWhole), hasDocuments);
  }

  /** The report of a host in good order: nothing broken, held, undisposed, or reached that must not be. */
  async orderlyReport() {
    const report = await this.report();
    assert.deepEqual(report.violations, [], "rules broken");
    assert.deepEqual(this.strays, [], "requests past the manifest");
    assert.equal(report.isCrashed, false, "Photoshop crashed");
    assert.equal(report.isModal, false, "left modal");
    assert.equal(report.undisposed, 0, "undisposed image data");
    for (const document of report.documents) assert.equal(document.isSuspended, false, "left suspended");
    return report;
  }
}

/** Assert that the run succeeded and made one history step; returns the document. */
export async function assertDone(panel, status, documentID) {
  assert.match(status, /^Done in /);
  const report = await panel.orderlyReport();
  const document = report.documents.find((each) => each.id === documentID);
  assert.equal(document.history.at(-1), "Colorize", "the history step");
  assert.equal(document.history.filter((step) => step === "Colorize").length, 1, "one history step");
  return document;
}

/** Assert that a run ended with a sentence and left every document as it was. */
export async function assertRefused(panel, before, status, pattern) {
  assert.match(status, pattern);
  assert.match(status, /[.!]$/, "a sentence");
  const report = await panel.orderlyReport();
  assert.deepEqual(report.documents, before.documents, "the documents are as before");
  assert.equal(report.activeID, before.activeID, "the same document is in front");
  assert.equal(await panel.isShown("running"), false, "the panel is usable");
}

const withHints = (query, hints) => (hints ? { ...query, hints: "rgba8" } : query);

/** The finished picture that the server itself makes, in 16 bits: its own rounding must not count as our error. */
export async function saveReference(kit, picture, hints = null) {
  const { bytes, ...query } = picture;
  const deep = picture.depth === 16 ? bytes : Buffer.from(Uint16Array.from(bytes, (value) => value * 257).buffer);
  const body = hints ? Buffer.concat([deep, hints]) : deep;
  kit.saveRaw(
    "composite.raw",
    await kit.server.ask(withHints({ ...query, depth: 16, output: "composite" }, hints), body),
  );
}

/** The same document with layers that must not pass for the right one: grey, and not made for Photoshop's Color mode. */
export async function saveWrong(kit, document, picture, hints = null) {
  const { bytes, ...query } = picture;
  const body = hints ? Buffer.concat([bytes, hints]) : bytes;
  const unadjusted = await kit.server.ask(withHints({ ...query, output: "layer", host: "none" }, hints), body);
  kit.savePsd("unadjusted", withColours(document, unadjusted, picture.channels), {});
  const grey = Buffer.alloc(unadjusted.length, 128);
  if (picture.channels === 4) for (let i = 3; i < grey.length; i += 4) grey[i] = unadjusted[i];
  kit.savePsd("grey", withColours(document, grey, picture.channels), {});
}

/** A document whose colour layer holds other colours. */
function withColours(document, bytes, channels) {
  const copy = JSON.parse(JSON.stringify(document));
  const colour = findLayer(copy.layers, (layer) => layer.name.startsWith("Colorize ("));
  const { width, height } = colour.pixels;
  const rgba = new Uint8Array(width * height * 4).fill(255);
  for (let i = 0; i < width * height; i++) rgba.set(bytes.subarray(i * channels, i * channels + channels), i * 4);
  colour.pixels.data = base64(rgba);
  return copy;
}

export function findLayer(layers, isWanted) {
  for (const layer of layers) {
    if (isWanted(layer)) return layer;
    const inside = layer.children && findLayer(layer.children, isWanted);
    if (inside) return inside;
  }
  return undefined;
}

export const layerNamed = (document, name) => findLayer(document.layers, (layer) => layer.name === name);
export const colourLayer = (document) => findLayer(document.layers, (layer) => layer.name.startsWith("Colorize ("));
