"""The page in a real Chromium, with a real daemon: what an artist does, and what another page tries."""

import asyncio
import base64
import contextlib
import functools
import http.server
import io
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from axe_playwright_python.base import AXE_FILE_PATH
from colorize_server.daemon.keys import MEMORY, PAGE_KEYS
from colorize_server.picture.strokes import draw, strokes_from_members
from daemon_rig import Rig, until
from page_client import new_code
from PIL import Image
from psd_tools import PSDImage

AXE = AXE_FILE_PATH.read_text()
PHOTOGRAPH = Path(__file__).parents[2] / "photographs" / "girl-1870.jpg"
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


OTHER = PHOTOGRAPH.with_name("walt-whitman-1880s.jpg")
WITHOUT_WEBGL = """
const real = HTMLCanvasElement.prototype.getContext
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  return kind === 'webgl2' ? null : real.call(this, kind, ...rest)
}
"""


@functools.cache
def small(photograph: Path) -> Any:
    """Return a photograph of a size that WebGL by software paints in moments, as an artist's file."""
    stream = io.BytesIO()
    with Image.open(photograph) as picture:
        picture.thumbnail((160, 160))
        picture.save(stream, "PNG")
    return {"name": f"{photograph.stem}.png", "mimeType": "image/png", "buffer": stream.getvalue()}


def pixels_of(photograph: Any) -> Image.Image:
    """Return the picture in such a file."""
    return Image.open(io.BytesIO(photograph["buffer"]))


class Page:
    """The page in one tab, as an artist uses it."""

    def __init__(self, tab: Any, rig: Rig) -> None:
        self.tab = tab
        self.rig = rig
        self.errors: list[str] = []
        tab.on("console", self._hear)
        tab.on("pageerror", lambda error: self.errors.append(str(error)))

    def _hear(self, message: Any) -> None:
        # Chromium reports refusals, too, which the page tells of in its own words.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.errors.append(message.text)

    async def open(self, code: str | None = None) -> None:
        code = code or await new_code(self.rig)
        await self.tab.goto(f"http://127.0.0.1:{self.rig.port}/#code={code}")
        await self.until("document.documentElement.dataset.ready")

    async def until(self, condition: str, timeout_s: float = 60) -> None:
        """Wait for a condition; by asking, because the page forbids what Playwright's own waiting needs."""
        end = time.monotonic() + timeout_s
        while not await self.tab.evaluate(condition):
            assert time.monotonic() < end, f"{condition}: {await self.status()} {self.errors}"
            await asyncio.sleep(0.02)

    async def status(self) -> str:
        return str(await self.tab.inner_text("#status"))

    async def until_status(self, text: str) -> None:
        await self.until(f"document.getElementById('status').textContent.includes({json.dumps(text)})")

    async def load(self, photograph: Any = None) -> None:
        photograph = photograph or small(PHOTOGRAPH)
        await self.tab.set_input_files("#file", photograph)
        await self.until(
            "!document.getElementById('paper').hidden && !document.getElementById('status').textContent.endsWith('…')"
        )

    async def answers(self) -> int:
        return int(await self.tab.evaluate("document.getElementById('status').dataset.answers ?? 0"))

    async def set(self, name: str, value: float | str) -> None:
        await self.tab.evaluate(
            "([name, value]) => { const e = document.getElementById(name); e.value = value;"
            " e.dispatchEvent(new Event('input')); e.dispatchEvent(new Event('change')) }",
            [name, str(value)],
        )

    async def stroke(self, *places: tuple[float, float], follows: bool = True) -> None:
        """Paint through places of the picture, in shares of its width and height, and wait for the colours."""
        box = await self.tab.locator("#view").bounding_box()
        before = await self.answers()
        mouse = self.tab.mouse
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
        await mouse.move(*points[0])
        await mouse.down()
        for point in points[1:]:
            await mouse.move(*point, steps=4)
        await mouse.up()
        if follows:
            await self.until(f"(document.getElementById('status').dataset.answers ?? 0) > {before}")

    async def shown(self) -> np.ndarray:
        """Return what the canvas shows, (h, w, 3)."""
        await self.tab.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        url = await self.tab.evaluate("document.getElementById('view').toDataURL()")
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB"))

    async def saved(self, button: str) -> bytes:
        async with self.tab.expect_download() as waiting:
            await self.tab.get_by_role("button", name=button).click()
        file: Path = await (await waiting.value).path()
        return await asyncio.to_thread(file.read_bytes)


@pytest_asyncio.fixture(loop_scope="module")
async def page(page_rig: Rig, browser: Any) -> AsyncIterator[Page]:
    context = await browser.new_context(viewport={"width": 1200, "height": 800}, locale="en-GB")
    opened = Page(await context.new_page(), page_rig)
    await opened.open()
    yield opened
    await context.close()
    assert not opened.errors


async def test_from_open_to_a_saved_picture(page: Page) -> None:
    assert await page.tab.evaluate("location.href") == f"http://127.0.0.1:{page.rig.port}/"
    await page.load()
    assert "pixels" in await page.status()
    grey = await page.shown()
    await page.set("colour", "#c02020")
    await page.stroke((0.3, 0.3), (0.4, 0.35))
    coloured = await page.shown()
    assert np.abs(coloured.astype(int) - grey).max() > 40
    with Image.open(io.BytesIO(await page.saved("PNG"))) as picture:
        assert picture.size == pixels_of(small(PHOTOGRAPH)).size
        assert picture.mode == "RGB"
    with Image.open(io.BytesIO(await page.saved("TIFF"))) as picture:
        assert picture.format == "TIFF"
    layers = [layer.name for layer in PSDImage.open(io.BytesIO(await page.saved("PSD"))).descendants()]
    assert {"Photograph", "Colour", "Touch-ups", "Where the model guesses", "Colour hints"} <= set(layers)


async def test_the_screen_shows_what_the_file_will_hold(page: Page) -> None:
    await page.load(PHOTOGRAPH)
    for k, colour in enumerate(("#c02020", "#2040c0", "#808040", "#b08060")):
        await page.set("colour", colour)
        await page.stroke((0.2 + 0.15 * k, 0.2), (0.3 + 0.15 * k, 0.3 + 0.1 * k))
    await page.set("saturation", 140)
    shown = (await page.shown()).astype(int)
    with Image.open(io.BytesIO(await page.saved("PNG"))) as picture:
        height, width = shown.shape[:2]
        saved = np.asarray(picture.convert("RGB").resize((width, height), Image.Resampling.BOX)).astype(int)
    assert np.percentile(np.abs(shown - saved).max(axis=-1), 99) <= 2


async def test_without_webgl_the_same_is_shown(page_rig: Rig, browser: Any) -> None:
    shown = []
    for script in (
        "",
        "HTMLCanvasElement.prototype.getContext = new Proxy(HTMLCanvasElement.prototype.getContext,"
        " { apply: (f, self, [kind, ...rest]) => kind === 'webgl2' ? null : Reflect.apply(f, self, [kind, ...rest]) })",
    ):
        context = await browser.new_context(viewport={"width": 1000, "height": 800}, locale="en-GB")
        page = Page(await context.new_page(), page_rig)
        await page.tab.add_init_script(script)
        await page.open()
        assert ("WebGL" in await page.status()) == bool(script)
        await page.load()
        await page.stroke((0.3, 0.3), (0.5, 0.4))
        shown.append((await page.shown()).astype(int))
        await context.close()
    assert np.percentile(np.abs(shown[0] - shown[1]).max(axis=-1), 99.5) <= 1


async def test_the_browser_draws_strokes_as_the_server_does(page: Page) -> None:
    members = [
        {"colour": [200, 30, 20], "radius": 0.05, "softness": 0.5, "points": [[0.2, 0.3], [0.5, 0.6], [0.9, 0.1]]},
        {"colour": [20, 40, 190], "radius": 0.02, "softness": 0, "points": [[0.1, 0.9]]},
        {"colour": None, "radius": 0.03, "softness": 1, "points": [[0.3, 0.2], [0.6, 0.7]]},
    ]
    drawn = await page.tab.evaluate(
        "async strokes => { const { Layer } = await import('/page/strokes.js'); const layer = new Layer(90, 70);"
        " layer.redraw(strokes); return Array.from(layer.pixels) }",
        members,
    )
    ours = draw(strokes_from_members(members), 70, 90).astype(int)
    theirs = np.array(drawn).reshape(70, 90, 4)
    assert np.abs(theirs[..., 3] - ours[..., 3]).max() <= 1
    solid = ours[..., 3] > 20
    assert np.abs(theirs[solid] - ours[solid]).max() <= 3


async def test_undo_and_redo_bring_back_the_same_colours(page: Page) -> None:
    await page.load()
    await page.stroke((0.3, 0.3), (0.4, 0.4))
    one = await page.shown()
    await page.set("colour", "#2040c0")
    await page.stroke((0.6, 0.6), (0.7, 0.7))
    two = await page.shown()
    for key, expected in (("Control+z", one), ("Control+Shift+z", two)):
        before = await page.answers()
        await page.tab.keyboard.press(key)
        await page.until(f"(document.getElementById('status').dataset.answers ?? 0) > {before}")
        assert np.array_equal(await page.shown(), expected)


async def test_the_eyedropper_takes_the_mean_of_nine_pixels(page: Page) -> None:
    await page.load()
    await page.set("saturation", 200)
    shown = await page.shown()
    await page.tab.check("[name=tool][value=pick]")
    await page.stroke((0.5, 0.4), follows=False)
    height, width = shown.shape[:2]
    x, y = int(0.5 * width), int(0.4 * height)
    mean = shown[y - 1 : y + 2, x - 1 : x + 2].reshape(9, 3).mean(axis=0)
    picked = await page.tab.input_value("#colour")
    assert np.abs(np.array([int(picked[k : k + 2], 16) for k in (1, 3, 5)]) - mean).max() <= 12
    assert await page.tab.is_checked("[name=tool][value=brush]")


async def test_suggested_colours_are_there_to_be_taken(page: Page) -> None:
    await page.load()
    await page.tab.check("[name=tool][value=ask]")
    await page.stroke((0.5, 0.4), follows=False)
    await page.until("document.querySelectorAll('#suggested .swatch').length > 1")
    first = page.tab.locator("#suggested .swatch").first
    colour = await first.get_attribute("aria-label")
    await first.click()
    assert await page.tab.input_value("#colour") == colour
    assert await page.tab.is_checked("[name=tool][value=brush]")


async def test_all_of_it_by_keyboard(page: Page) -> None:
    await page.load()
    await page.tab.focus("#stage")
    for key in ("ArrowRight", "ArrowDown", "Shift+ArrowDown"):
        await page.tab.keyboard.press(key)
    before = await page.answers()
    await page.tab.keyboard.press("Space")
    await page.until(f"(document.getElementById('status').dataset.answers ?? 0) > {before}")
    assert await page.tab.locator("#list li").count() == 1
    await page.tab.keyboard.press("n")
    before = await page.answers()
    await page.tab.keyboard.press("Enter")
    await page.until(f"(document.getElementById('status').dataset.answers ?? 0) > {before}")
    assert await page.tab.locator("#list li").count() == 2
    radius = await page.tab.input_value("#radius")
    await page.tab.keyboard.press("]")
    assert int(await page.tab.input_value("#radius")) > int(radius)
    await page.tab.keyboard.press("d")
    assert await page.tab.is_checked("#doubt")
    await page.tab.keyboard.press("x")
    assert await page.tab.input_value("#compare") == "100"


async def test_before_is_the_photograph(page: Page) -> None:
    await page.load()
    await page.set("saturation", 200)
    await page.set("compare", 100)
    shown = await page.shown()
    assert np.ptp(shown.astype(int), axis=-1).max() <= 1
    grey = np.asarray(pixels_of(small(PHOTOGRAPH)).convert("L")).astype(int)
    assert np.percentile(np.abs(shown[..., 0] - grey), 95) <= 4


async def test_a_project_brings_the_strokes_back(page: Page) -> None:
    await page.load()
    await page.stroke((0.3, 0.3), (0.5, 0.5))
    await page.set("saturation", 80)
    shown = await page.shown()
    project = await page.saved("Project, to go on later")
    await page.tab.evaluate("sessionStorage.removeItem('colorize.project')")
    await page.tab.reload()
    await page.until("document.documentElement.dataset.ready")
    file = {"name": "a.colorize.json", "mimeType": "application/json", "buffer": project}
    await page.tab.set_input_files("#file", file)
    await page.until_status("another photograph")
    await page.load()
    await page.until_status("strokes are back")
    await page.until("Number(document.getElementById('status').dataset.answers ?? 0) > 0")
    assert np.array_equal(await page.shown(), shown)


async def test_strokes_outlive_a_reload(page: Page) -> None:
    await page.load()
    await page.stroke((0.3, 0.3), (0.5, 0.5))
    await page.tab.reload()
    await page.until("document.documentElement.dataset.ready")
    assert "Open it again" in await page.status()
    await page.load()
    await page.until("document.querySelectorAll('#list li').length === 1")


async def test_a_closed_tab_leaves_nothing_behind(page: Page) -> None:
    await page.load()
    assert page.rig.app[MEMORY].held_bytes > 0
    await page.tab.goto("about:blank")
    await until(lambda: not page.rig.app[MEMORY].held_bytes)


async def test_a_daemon_that_forgot_the_photograph_gets_it_again(page: Page) -> None:
    await page.load()
    for session in page.rig.app[PAGE_KEYS].holders():
        session.let_go()
    await page.stroke((0.3, 0.3), (0.5, 0.5))
    assert page.rig.app[MEMORY].held_bytes > 0


async def test_a_daemon_that_forgot_the_key_takes_a_new_tabs(page: Page) -> None:
    await page.load()
    page.rig.app[PAGE_KEYS].close()
    await page.stroke((0.3, 0.3), (0.5, 0.5), follows=False)
    await page.until_status("colorize-server open")
    other = Page(await page.tab.context.new_page(), page.rig)
    await other.open()
    await other.until_status("go on there")
    await page.until("Number(document.getElementById('status').dataset.answers ?? 0) > 0")


@pytest.mark.parametrize("contents", [b"no picture at all", b""], ids=["text", "empty"])
async def test_what_is_no_photograph_gets_a_sentence(page: Page, contents: bytes) -> None:
    await page.tab.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": contents})
    await page.until("/picture/.test(document.getElementById('status').textContent)")
    assert not await page.tab.is_hidden("#drop")


async def test_a_second_photograph_keeps_the_colours_at_hand(page: Page) -> None:
    await page.load()
    await page.set("colour", "#c02020")
    await page.stroke((0.3, 0.3), (0.5, 0.5))
    await page.load(small(OTHER))
    assert await page.tab.locator("#used .swatch").count() == 1
    assert await page.tab.locator("#list li").count() == 0


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
async def test_it_can_be_used_by_everyone(page_rig: Rig, browser: Any, language: str, theme: str, width: int) -> None:
    context = await browser.new_context(viewport={"width": width, "height": 740}, color_scheme=theme, locale=language)
    page = Page(await context.new_page(), page_rig)
    await page.open()
    await page.load()
    await page.stroke((0.4, 0.3), (0.5, 0.35))
    assert await page.tab.evaluate("document.documentElement.scrollWidth") <= width
    assert await page.tab.evaluate("document.documentElement.lang") == language
    await page.tab.evaluate(AXE)
    found = await page.tab.evaluate("axe.run()")
    assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found["violations"]] == []
    assert not page.errors
    await context.close()


@contextlib.contextmanager
def stranger() -> Iterator[tuple[int, list[str]]]:
    """Another server of this computer, and what it gets to see."""
    heard: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(str(self.headers))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>another server</title>")

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1], heard
    finally:
        server.shutdown()
        server.server_close()


async def test_a_page_of_another_port_gets_nothing(page: Page) -> None:
    await page.load()
    own = f"http://127.0.0.1:{page.rig.port}"
    with stranger() as (port, heard):
        tab = await page.tab.context.new_page()
        await tab.goto(f"http://127.0.0.1:{port}/")
        for options in ("{method: 'POST', body: '{}'}", "{method: 'POST', headers: {'X-Colorize-Page': 'x'}}"):
            for route in ("key", "proof", "about", "colours"):
                result = await tab.evaluate(
                    f"fetch('{own}/v1/page/{route}', {options}).then(r => 'read ' + r.status, () => 'blocked')"
                )
                assert result == "blocked"
        framed = await tab.evaluate(
            "url => new Promise(done => { const f = document.createElement('iframe'); f.src = url;"
            " f.onload = () => { let t; try { t = f.contentDocument?.title ?? '' } catch { t = '' } done(t) };"
            " document.body.append(f) })",
            own,
        )
        assert framed == ""
        opened = await tab.evaluate(
            "url => { const w = open(url);"
            " return new Promise(done => setTimeout(() => done(w === null || w.closed), 800)) }",
            own,
        )
        assert opened
        assert "Cookie" not in "".join(heard)


async def test_a_long_session_does_not_grow(page: Page) -> None:
    await page.load()
    held = page.rig.app[MEMORY].held_bytes
    for k in range(40):
        await page.stroke((0.2 + 0.01 * k, 0.3), (0.25 + 0.01 * k, 0.4), follows=k % 8 == 7)
    await page.until("document.querySelectorAll('#list li').length === 40")
    for k in range(4):
        await page.load(small(PHOTOGRAPH if k % 2 else OTHER))
    await page.load()
    await until(lambda: page.rig.app[MEMORY].held_bytes == held)
