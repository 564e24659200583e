"""The page in a real Chromium: from a stroke to its colours, whatever the photograph's size."""

import http.client
import io
import json
import os
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.daemon import Daemon, running_daemon

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PHOTOGRAPH = Path(__file__).parents[2] / "photographs" / "migrant-mother-1936.jpg"
SIZES = {"1 MP": (876, 1140), "24 MP": (4296, 5588)}
STROKES = 40
_FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
_STATUS = "document.getElementById('status').dataset"


def run() -> dict[str, Any]:
    """Paint strokes on a small and a large photograph, and time what a painter waits for."""
    if shutil.which(CHROMIUM) is None:
        return {"skipped": "no Chromium"}
    from playwright.sync_api import sync_playwright

    result: dict[str, Any] = {"strokes": STROKES, "webgl": "by software"}
    medians = {}
    with running_daemon() as daemon, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        for name, size in SIZES.items():
            opened_ms, waits = _painted(chromium, daemon, size)
            medians[name] = statistics.median(waits)
            result[f"{name}: milliseconds from file to first colours"] = round(opened_ms)
            result[f"{name}: milliseconds from stroke to colours, median"] = medians[name]
            result[f"{name}: the same, 95th percentile"] = sorted(waits)[int(0.95 * len(waits))]
        chromium.close()
    result["bars"] = {
        "stroke to colours, median, ms": [medians["24 MP"], "<=", 200],
        "the same, 95th percentile, ms": [result["24 MP: the same, 95th percentile"], "<=", 400],
        "24 MP / 1 MP": [medians["24 MP"] / medians["1 MP"], "<=", 1.2],
    }
    return result


def _painted(chromium: Any, daemon: Daemon, size: tuple[int, int]) -> tuple[float, list[float]]:
    """Open a photograph of a size and paint; return both waits in milliseconds."""
    stream = io.BytesIO()
    with Image.open(PHOTOGRAPH) as picture:
        picture.convert("L").resize(size, Image.Resampling.BICUBIC).save(stream, "JPEG", quality=95)
    tab = chromium.new_page(viewport={"width": 1200, "height": 900})
    tab.goto(f"http://127.0.0.1:{daemon.port}/#code={_code(daemon)}")
    _until(tab, "document.documentElement.dataset.ready")
    began = time.perf_counter()
    tab.set_input_files("#file", {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": stream.getvalue()})
    _until(tab, "!document.getElementById('paper').hidden")
    opened_ms = 1e3 * (time.perf_counter() - began)
    box = tab.locator("#view").bounding_box()
    waits = []
    for k in range(STROKES):
        x = box["x"] + box["width"] * (0.1 + 0.8 * (k % 8) / 8)
        y = box["y"] + box["height"] * (0.1 + 0.8 * (k // 8) / 5)
        tab.mouse.move(x, y)
        tab.mouse.down()
        tab.mouse.move(x + 25, y + 10, steps=3)
        tab.mouse.up()
        _until(tab, f"{_STATUS}.answers == {k + 1}")
        waits.append(float(tab.evaluate(f"{_STATUS}.ms")))
    tab.close()
    return opened_ms, waits


def _code(daemon: Daemon) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=30)
    connection.request("POST", "/v1/pages", headers={"X-Colorize-Token": daemon.token})
    code = str(json.loads(connection.getresponse().read())["code"])
    connection.close()
    return code


def _until(tab: Any, condition: str) -> None:
    end = time.monotonic() + 120
    while not tab.evaluate(condition):
        if time.monotonic() > end:
            raise TimeoutError(f"{condition}: {tab.inner_text('#status')}")
        time.sleep(0.01)
