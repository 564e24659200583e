/**
 * Makes the README's pictures of the panel at its docked size, one in each of Photoshop's four themes:
 * node screenshots.mjs FOLDER [LOCALE].
 *
 * Widgets are the test host's stand-ins (host/widgets.js): text and layout are the panel's, the buttons' look is not
 * Photoshop's own.
 */

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { plain, roundSelection, simpleDocument } from "./documents.mjs";
import { MANIFEST, Pages, launchBrowser } from "./host/page.mjs";
import { Kit } from "./scenarios/kit.mjs";
import { Server } from "./scenarios/server.mjs";

const [folder, locale = "en_US"] = process.argv.slice(2);
const work = mkdtempSync(join(tmpdir(), "colorize-"));
const viewport = MANIFEST.entrypoints[0].preferredDockedSize;
const server = await Server.start(join(work, "server"), process.env.COLORIZE_MODEL);
const browser = await launchBrowser();
const kit = new Kit({ pages: new Pages(browser), server, folder: work, patches: [] });

/** What each picture shows, by theme. */
const states = {
  async darkest() {},
  async dark(panel) {
    await panel.page.evaluate((isGerman) => {
      document.getElementById("status").textContent = isGerman ? "Kolorieren …" : "Colorizing …";
      document.getElementById("progress").value = 45;
      document.getElementById("running").classList.remove("hidden");
    }, locale.startsWith("de"));
  },
  async light(panel) {
    const grey = plain(200, 160, [120, 120, 120, 255]);
    for (let i = 0; i < grey.data.length; i += 4) grey.data.fill(60 + ((i >> 2) % 140), i, i + 3);
    const id = await panel.open(simpleDocument(grey));
    await panel.colorize();
    await panel.artist("select", id, ["Photograph"]);
    await panel.colorize({ saturation: 130 });
    if (!(await panel.isShown("suggest"))) return;
    await panel.artist("setSelection", id, roundSelection(60, 50, 60));
    await panel.press("suggest");
    await panel.untilIdle();
  },
  async lightest(panel) {
    // As after pairing; the token itself is nobody's business.
    await panel.page.evaluate(() => {
      document.getElementById("token").value = "";
      document.getElementById("open-settings").click();
      document.getElementById("scroller").scrollTop = 10000;
    });
  },
};

for (const [theme, show] of Object.entries(states)) {
  const panel = await kit.readyPanel({ theme, locale, viewport });
  await show(panel);
  await panel.untilSettled();
  await panel.page.screenshot({ path: join(folder, `panel-${theme}.png`) });
  await panel.close();
}
await browser.close();
await server.stop();
