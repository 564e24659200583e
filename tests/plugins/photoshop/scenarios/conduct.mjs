/**
 * The panel itself: self-test, languages, keyboard, what it remembers.
 */

import assert from "node:assert/strict";
import { layerOf, plain, simpleDocument } from "../documents.mjs";
import { assertRefused } from "./kit.mjs";

async function selfTested(panel) {
  await panel.press("selftest");
  await panel.untilIdle();
  return panel.text("status");
}

export const conduct = {
  async "self-test"(kit) {
    const panel = await kit.readyPanel();
    assert.match(await selfTested(panel), /^No document is open/);
    for (const bits of [8, 16]) {
      await panel.open({
        width: 40,
        height: 12,
        bits,
        layers: [layerOf("Layer", plain(40, 12, [70, 90, 110, 255]), { bits })],
      });
      const before = await panel.report();
      await assertRefused(panel, before, await selfTested(panel), /^Self-test passed/);
      const { calls } = await panel.report();
      assert.ok(
        ["createPixelLayer", "putPixels", "make", "getLayerMask", "resumeHistory"].every((call) => calls.includes(call)),
        "it did write",
      );
    }
  },
  async "self-test finds a host that does not undo"(kit) {
    // A host that commits what was to be rolled back.
    kit.patches = [
      ...kit.patches,
      {
        file: "modal.js",
        find: "await context.hostControl.resumeHistory(suspension, false);\n    }\n  }",
        replace: "await context.hostControl.resumeHistory(suspension, true);\n    }\n  }",
      },
    ];
    const panel = await kit.readyPanel();
    await panel.open({ width: 40, height: 12, layers: [layerOf("Layer", plain(40, 12, [70, 90, 110, 255]))] });
    assert.match(await selfTested(panel), /^Self-test failed: Photoshop did not take the test layer back/);
  },
  async "self-test finds what masks and metadata lack"(kit) {
    for (const [rule, pattern] of [
      ["masksHideNothing", /^(Self-test failed: a mask from a selection does not hide|Photoshop made another mask)/],
      ["metadataFails", /^Self-test failed: Photoshop did not keep a recipe/],
    ]) {
      const panel = await kit.readyPanel();
      await panel.artist("setRule", rule, true);
      // Small enough that no block of the picture lies outside the mask: the self-test itself must look.
      await panel.open({ width: 14, height: 12, layers: [layerOf("Layer", plain(14, 12, [70, 90, 110, 255]))] });
      const before = await panel.report();
      await assertRefused(panel, before, await selfTested(panel), pattern);
    }
  },
  async "self-test, greyscale"(kit) {
    const panel = await kit.readyPanel();
    await panel.open({
      width: 40,
      height: 12,
      mode: "grayscaleMode",
      profile: "Gray Gamma 2.2",
      layers: [layerOf("Layer", plain(40, 12, [70, 70, 70, 255]), { isGrey: true })],
    });
    const before = await panel.report();
    await assertRefused(panel, before, await selfTested(panel), /writes into an RGB document/);
  },
  async German(kit) {
    const panel = await kit.readyPanel({ locale: "de_DE" });
    assert.equal(await panel.text("colorize"), "Kolorieren");
    await panel.open(simpleDocument(kit.photographs.girl));
    assert.match(await panel.colorize(), /^Fertig in [\d.]+ s mit /);
    assert.equal((await panel.report()).documents[0].history.at(-1), "Kolorieren");
    // English by choice; the choice outlives the panel.
    await panel.page.evaluate(() => document.getElementById("language").pick("en"));
    await panel.press("save");
    await panel.until(async () => (await panel.text("colorize")) === "Colorize", "English");
    await panel.page.reload();
    assert.equal(await panel.text("colorize"), "Colorize");
  },
  async "choices are remembered"(kit) {
    const panel = await kit.readyPanel();
    const sizes = (await kit.server.health()).model.sizes;
    const choices = {
      source: "visible",
      blend: "multiply",
      size: sizes[0],
      saturation: 140,
      useHints: true,
      useTouchUps: false,
      addDoubt: true,
      clip: true,
      maskFromSelection: false,
    };
    await panel.choose(choices);
    await panel.page.reload();
    await panel.untilServerSays(/onnxruntime/);
    await panel.untilSettled();
    const remembered = await panel.page.evaluate(() => {
      const value = (id) => document.getElementById(id);
      const picked = (id) =>
        value(id).querySelectorAll("sp-menu-item")[value(id).selectedIndex].getAttribute("data-value");
      const boxes = ["useHints", "useTouchUps", "addDoubt", "clip", "maskFromSelection"].map((id) => [id, value(id).checked]);
      return {
        source: picked("source"),
        blend: picked("blend"),
        size: Number(picked("size")),
        saturation: value("saturation").value,
        ...Object.fromEntries(boxes),
      };
    });
    assert.deepEqual(remembered, choices);
  },
  async "dropdowns that take their items in late"(kit) {
    const panel = await kit.readyPanel();
    const chosen = () =>
      panel.page.evaluate(() =>
        ["source", "blend", "size", "language"].map((id) => {
          const dropdown = document.getElementById(id);
          const item = dropdown.querySelectorAll("sp-menu-item")[dropdown.selectedIndex];
          return item ? item.getAttribute("data-value") : null;
        }),
      );
    assert.deepEqual(await chosen(), ["layer", "color", "0", ""]);
    // What is picked and not saved yet stays, whatever is looked at again.
    await panel.page.evaluate(() => document.getElementById("language").pick("de"));
    await panel.press("selftest");
    await panel.untilIdle();
    await new Promise((resolve) => setTimeout(resolve, 2000));
    assert.deepEqual(await chosen(), ["layer", "color", "0", "de"]);
    await panel.choose({ source: "visible", blend: "multiply" });
    // While they do not say what is chosen, what was remembered holds.
    await panel.page.evaluate(() => (document.getElementById("source").selectedIndex = -1));
    await panel.page.evaluate(() => (document.getElementById("blend").selectedIndex = -1));
    await panel.choose({ addDoubt: true });
    await panel.page.reload();
    await panel.untilSettled();
    assert.deepEqual(await chosen(), ["visible", "multiply", "0", ""]);
  },
  async "choices are sent"(kit) {
    const panel = await kit.readyPanel();
    const sizes = (await kit.server.health()).model.sizes;
    await panel.open(simpleDocument(kit.photographs.girl));
    const status = await panel.colorize({ size: sizes.at(-1), saturation: 150, addDoubt: true });
    assert.match(status, /^Done/);
    const { query } = panel.requests.find((request) => request.method === "POST");
    const { width, height } = kit.photographs.girl;
    const expected = {
      width,
      height,
      channels: 4,
      depth: 8,
      profile: "srgb",
      output: "layer",
      host: "photoshop",
      blend: "color",
      size: sizes.at(-1),
      saturation: 1.5,
      include: "doubt,recipe",
    };
    assert.deepEqual(query, Object.fromEntries(Object.entries(expected).map(([name, value]) => [name, String(value)])));
    const [document] = (await panel.report()).documents;
    assert.match(document.layers[2].name, new RegExp(`, ${sizes.at(-1)} px, 150 %\\)$`));
  },
  async "at the docked sizes everything can be reached"(kit) {
    for (const locale of ["en_US", "de_DE"]) {
      for (const viewport of [
        { width: 230, height: 320 },
        { width: 270, height: 560 },
      ]) {
        const panel = await kit.readyPanel({ locale, viewport });
        await panel.press("open-settings");
        const reached = await panel.page.evaluate(() => {
          const scroller = document.getElementById("scroller");
          const controls = [...document.querySelectorAll("sp-button, sp-action-button, sp-dropdown, sp-textfield, sp-checkbox")];
          return controls
            .filter((control) => control.offsetParent)
            .map((control) => {
              scroller.scrollTop = 0;
              scroller.scrollTop = control.getBoundingClientRect().bottom - 100;
              const { left, right, top, bottom } = control.getBoundingClientRect();
              const fits = left >= 0 && right <= window.innerWidth && top >= 0 && bottom <= window.innerHeight - 14;
              return [control.id, fits];
            });
        });
        const hidden = reached.filter(([, fits]) => !fits).map(([id]) => id);
        assert.deepEqual(hidden, [], `cut off at ${viewport.width} x ${viewport.height}, ${locale}`);
        const ids = reached.map(([id]) => id);
        assert.ok(ids.includes("save") && ids.includes("selftest"));
        await panel.close();
      }
    }
    kit.panels = [];
  },
  async "Save without a token"(kit) {
    // Both kinds of host: removing what is not there is rejected, or not.
    for (const isRejected of [true, false]) {
      const panel = await kit.panel({ token: undefined });
      await panel.artist("setRule", "removalNeedsItem", isRejected);
      await panel.page.evaluate(() => document.getElementById("language").pick("de"));
      await panel.press("save");
      await panel.until(async () => (await panel.text("colorize")) === "Kolorieren", "German", 3000);
      assert.equal(await panel.text("status"), "Einstellungen gesichert.");
      // A token that is there is taken away.
      await panel.artist("storeToken", kit.server.token);
      await panel.press("save");
      await panel.until(async () => (await panel.artist("storedToken")) === null, "no token", 3000);
    }
  },
  async "a host without AbortController"(kit) {
    const panel = await kit.readyPanel({ withoutAbort: true });
    await panel.open(simpleDocument(kit.photographs.girl));
    assert.match(await panel.colorize(), /^Done/);
    await panel.orderlyReport();
  },
  async "nothing ends the look-out"(kit) {
    // One look fails in a way that nobody foresaw; the next one finds the server.
    kit.patches = [
      ...kit.patches,
      {
        file: "server.js",
        find: "function findServer(addresses, token) {",
        replace:
          'let looks = 0;\nfunction findServer(addresses, token) {\n  if (looks++ === 0) return Promise.reject(new Error("unforeseen"));',
      },
    ];
    const panel = await kit.panel();
    await panel.untilServerSays(/unforeseen/);
    await panel.untilServerSays(/onnxruntime/);
    await panel.orderlyReport();
  },
  async themes(kit) {
    const panel = await kit.readyPanel({ theme: "darkest" });
    const colours = () =>
      panel.page.evaluate(() =>
        ["body", "#status", "#server", "sp-label", "#reason"].map((selector) => {
          const { color, backgroundColor } = window.getComputedStyle(document.querySelector(selector));
          return selector === "body" ? backgroundColor : color;
        }),
      );
    const brightness = (colour) => Number(/\d+/.exec(colour)[0]);
    // The artist changes Photoshop's theme; the panel follows while it is open.
    for (const theme of ["darkest", "dark", "light", "lightest"]) {
      await panel.artist("setTheme", theme);
      const [ground, ...texts] = (await colours()).map(brightness);
      const isReadable = theme.startsWith("dark") ? (text) => text > ground + 80 : (text) => text < ground - 80;
      assert.ok(texts.every(isReadable), `${theme}: ${await colours()}`);
    }
  },
  async keyboard(kit) {
    const panel = await kit.readyPanel();
    const id = await panel.open(simpleDocument(kit.photographs.girl));
    const reachable = async () => {
      const ids = [];
      for (;;) {
        await panel.page.keyboard.press("Tab");
        const focused = await panel.page.evaluate(() => document.activeElement.id);
        if (ids.includes(focused)) break;
        ids.push(focused);
      }
      // Once round, the browser's own stop between last and first left out; told from the top.
      const start = Math.max(ids.indexOf("colorize"), 0);
      return [...ids.slice(start), ...ids.slice(0, start)].filter(Boolean);
    };
    const expected = [
      "colorize",
      "source",
      "blend",
      "size",
      "saturation",
      "useHints",
      "new-hints",
      "useTouchUps",
      "addDoubt",
      "clip",
      "maskFromSelection",
      "open-settings",
    ];
    assert.deepEqual(await reachable(), expected);
    await panel.page.evaluate(() => document.getElementById("open-settings").focus());
    await panel.page.keyboard.press("Space");
    assert.deepEqual(await reachable(), expected, "what is shown later the Tab key does not reach: README says so");
    await panel.page.evaluate(() => document.getElementById("colorize").focus());
    await panel.page.keyboard.press("Enter");
    await panel.until(() => panel.isShown("cancel"), "the Cancel button");
    await panel.untilIdle();
    assert.match(await panel.text("status"), /^Done/);
    assert.equal((await panel.report()).documents.find((document) => document.id === id).history.length, 2);
    assert.deepEqual(await reachable(), expected, "everything is reachable after a run");
  },
};
