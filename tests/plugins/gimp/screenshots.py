"""Pictures of the plug-in in GIMP's real window, for the README and to be looked at.

    python tests/plugins/gimp/screenshots.py FOLDER [--language de] [--scheme light] [--whole]

Each step of the five-minute way is done and photographed: dialog, new layers, strokes on Touch-ups, the next run.
"""

import argparse
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from actions import GIRL  # noqa: E402 - the path comes first
from gimp_root import REPOSITORY, Session, root_folder  # noqa: E402
from gimp_window import Window, wait_until  # noqa: E402
from PIL import Image  # noqa: E402
from real_daemon import Daemon  # noqa: E402

LOCALES = {"en": "C.UTF-8", "de": "de_DE.UTF-8"}
TITLES = {"en": "^Colorize Photograph$", "de": "^Foto einfärben$"}
STROKES = [([300, 205, 330, 240], 26, [196, 140, 112]), ([250, 420, 380, 520], 60, [120, 150, 190])]
"""Points, width, colour: her face, her dress."""


DIALOG_BOX = (380, 180, 900, 680)
PICTURE_BOX = (545, 230, 765, 570)
LAYERS_BOX = (1050, 520, 1280, 860)
"""What matters on the screen: the dialog; the girl; the Layers dock."""
BOW, HAIR, GRASS = [350, 150, 425, 190], [290, 215, 288, 290], (150, 330, 110, 270)
"""Points of strokes; x, y, width, height of a selection."""


class Steps:
    """The five-minute way, one picture for each of its ten steps."""

    def __init__(self, window: Window, folder: Path, language: str, whole: bool) -> None:
        self._window, self._folder, self._language, self._whole = window, folder, language, whole
        opened = window.gimp.call(
            "open_image", path=window.session.share(REPOSITORY / "tests/photographs" / GIRL), with_display=True
        )
        self._image = opened["image"]
        window.gimp.call("convert", image=self._image, base="RGB")
        window.main_window()

    def _keep(self, name: str, *boxes: tuple[int, int, int, int]) -> None:
        self._window.gimp.call("flush")
        time.sleep(2)
        shot = self._folder / f"{name}.png"
        self._window.screenshot(shot)
        if self._whole:
            return
        shown = Image.open(shot).convert("RGB")
        parts = [shown.crop(box) for box in boxes or (PICTURE_BOX, LAYERS_BOX)]
        joined = Image.new("RGB", (sum(part.width for part in parts), max(part.height for part in parts)))
        left = 0
        for part in parts:
            joined.paste(part, (left, 0))
            left += part.width
        joined.quantize(96, dither=Image.Dither.NONE).save(shot, optimize=True)

    def _layers(self) -> list[dict]:
        return self._window.gimp.call("describe", image=self._image)["layers"]

    def _paint(self, layer: int, points: list[int], width: int, rgb: list[int]) -> None:
        self._window.gimp.call("brush_line", layer=layer, rgb=rgb, points=points, width=width, opacity=70.0)

    def _again(self, count: int) -> None:
        self._window.main_window()
        self._window.key("ctrl+F10")
        wait_until(self._window.gimp.plug_in_processes, "Repeat Colorize did not start")
        wait_for_layers(self._window, self._image, count)

    def take(self) -> None:
        """Go the way."""
        window, gimp = self._window, self._window.gimp
        self._keep("01-scan")
        window.key("ctrl+F9")
        window.wait_for(TITLES[self._language])
        window.tool("mousemove", "1000", "700")  # a tooltip would cover the dialog
        time.sleep(3)  # the sizes arrive from the server
        self._keep("02-dialog", DIALOG_BOX)
        window.key("Return")
        touch_ups, colour, photograph = (layer["id"] for layer in wait_for_layers(window, self._image, 3))
        window.main_window()
        self._keep("02-colour")
        gimp.call("select_layers", image=self._image, layers=[colour])
        gimp.call("change", layer=colour, opacity=60)
        self._keep("03-opacity")
        gimp.call("change", layer=colour, opacity=100)
        gimp.call("select_layers", image=self._image, layers=[touch_ups])
        for points, width, rgb in STROKES:
            self._paint(touch_ups, points, width, rgb)
        self._keep("04-touch-ups")
        self._paint(touch_ups, BOW, 30, [128, 128, 128])
        self._keep("05-grey")
        self._again(4)
        self._keep("06-again")
        newest = next(layer["id"] for layer in self._layers() if layer["id"] not in (touch_ups, colour, photograph))
        self._paint(newest, HAIR, 22, [120, 80, 50])
        self._again(5)
        self._keep("07-lifted")
        gimp.call("select", image=self._image, **dict(zip(("x", "y", "width", "height"), GRASS, strict=True)))
        gimp.call("feather", image=self._image, radius=40)
        gimp.call("colorize", image=self._image, drawables=[photograph], recolour=True, saturation=0.3)
        self._keep("08-recolour")
        gimp.call("select_none", image=self._image)
        new_hints = "plug-in-colorize-new-hints"
        hints = gimp.call("colorize", image=self._image, drawables=[photograph], procedure=new_hints)["layer"]
        gimp.call("draw_line", layer=hints, rgb=[150, 40, 60], points=BOW, width=3)
        self._keep("09-hints")
        saved = window.session.folder / "girl.xcf"
        gimp.call("save", image=self._image, path=window.session.inside(saved))
        gimp.call("open_image", path=window.session.inside(saved), with_display=True)
        self._keep("10-saved", PICTURE_BOX, LAYERS_BOX)


def wait_for_layers(window: Window, image: int, count: int) -> list[dict]:
    def layers() -> list[dict]:
        if (
            window.gimp.plug_in_processes()
        ):  # a layer that is looked at while it is being replaced is an error of GIMP's
            return []
        found = window.gimp.call("describe", image=image)["layers"]
        return found if len(found) == count else []

    return wait_until(layers, "the run made no layers", timeout_s=60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--language", choices=LOCALES, default="en")
    parser.add_argument("--scheme", choices=["dark", "light"], default="dark")
    parser.add_argument("--whole", action="store_true", help="the whole screen, not what matters on it")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    session = Session(root_folder())
    session.install_plug_in()
    daemon = Daemon(session.folder / "state", None)
    session.use_state(daemon.state_file)
    try:
        window = Window(session, LANG=LOCALES[args.language], LANGUAGE=args.language, scheme=args.scheme)
        try:
            Steps(window, args.folder, args.language, args.whole).take()
        finally:
            window.close()
    finally:
        daemon.close()
        session.remove()


if __name__ == "__main__":
    os.environ.setdefault("COLORIZE_REQUIRE_GIMP", "1")
    main()
