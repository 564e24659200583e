"""``make pictures``: the page as an artist sees it, for the README."""

from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from benchmarks.daemon import running_daemon
from benchmarks.page import CHROMIUM, FLAGS, STATUS, code_of, until

PHOTOGRAPH = Path(__file__).parents[2] / "photographs" / "girl-1870.jpg"
TARGET = Path(__file__).parents[3] / "server" / "pictures" / "page.jpg"
STROKES = [("#6f86b8", (0.46, 0.47), (0.5, 0.62))]
"""A colour and a line each: the girl's dress."""


def main() -> None:
    """Paint a few strokes, ask for colours, and take the picture."""
    with running_daemon() as daemon, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = chromium.new_page(viewport={"width": 1180, "height": 860}, locale="en-GB")
        tab.goto(f"http://127.0.0.1:{daemon.port}/#code={code_of(daemon)}")
        until(tab, "document.documentElement.dataset.ready")
        tab.set_input_files("#file", PHOTOGRAPH)
        until(tab, "!document.getElementById('paper').hidden")
        box = tab.locator("#view").bounding_box()
        for number, (colour, *line) in enumerate(STROKES, 1):
            tab.evaluate("colour => { document.getElementById('colour').value = colour }", colour)
            points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in line]
            tab.mouse.move(*points[0])
            tab.mouse.down()
            tab.mouse.move(*points[1], steps=4)
            tab.mouse.up()
            until(tab, f"{STATUS}.answers == {number}")
        tab.check("[name=tool][value=ask]")
        tab.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.33 * box["height"])
        until(tab, "!document.getElementById('suggested').hidden")
        tab.evaluate("document.activeElement.blur()")
        shot = TARGET.with_suffix(".png")
        tab.screenshot(path=shot)
        with Image.open(shot) as picture:
            picture.convert("RGB").save(TARGET, quality=85, optimize=True)
        shot.unlink()
        chromium.close()


if __name__ == "__main__":
    main()
