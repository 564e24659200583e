/**
 * Makes the README's pictures of the panel, dark and light: node screenshots.mjs FOLDER.
 *
 * Widgets are the test host's stand-ins (host/widgets.js): text and layout are the panel's, the buttons' look is not
 * Photoshop's own.
 */

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launchBrowser, openPanel } from "./host/page.mjs";
import { Server } from "./scenarios/server.mjs";

const [folder] = process.argv.slice(2);
const server = await Server.start(mkdtempSync(join(tmpdir(), "colorize-")));
const browser = await launchBrowser();
for (const theme of ["dark", "light"]) {
  const { page, close } = await openPanel(browser, { ports: { 47811: server.port }, token: server.token, theme });
  await page.waitForFunction(() => /onnx|tensorrt/i.test(document.getElementById("server").textContent));
  await page.evaluate((isRunning) => {
    if (!isRunning) {
      // With the settings open, as after pairing; the token itself is nobody's business.
      document.getElementById("token").value = "";
      document.getElementById("open-settings").click();
      return;
    }
    document.getElementById("status").textContent = "Colorizing …";
    document.getElementById("progress").value = 45;
    document.getElementById("running").classList.remove("hidden");
  }, theme === "dark");
  const height = await page.evaluate(() => document.getElementById("panel").offsetHeight);
  await page.setViewportSize({ width: 290, height });
  await page.screenshot({ path: join(folder, `panel-${theme}.png`) });
  await close();
}
await browser.close();
await server.stop();
