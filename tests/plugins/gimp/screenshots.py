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
from real_daemon import Daemon  # noqa: E402

LOCALES = {"en": "C.UTF-8", "de": "de_DE.UTF-8"}
TITLES = {"en": "^Colorize Photograph$", "de": "^Foto einfärben$"}
STROKES = [([300, 205, 330, 240], 26, [196, 140, 112]), ([250, 420, 380, 520], 60, [120, 150, 190])]
"""Points, width, colour: her face, her dress."""


DIALOG_BOX = (380, 150, 900, 700)
LAYERS_BOX = (400, 150, 1280, 860)
"""What matters on the screen: the dialog; the picture and the Layers dock."""


def take(window: Window, folder: Path, language: str, whole: bool) -> None:
    """Go the five-minute way, and keep a picture of each step."""

    def keep(name: str, box: tuple[int, int, int, int]) -> None:
        window.screenshot(folder / f"{name}.png", None if whole else box)

    opened = window.gimp.call(
        "open_image", path=window.session.share(REPOSITORY / "tests/photographs" / GIRL), with_display=True
    )
    image = opened["image"]
    window.gimp.call("convert", image=image, base="RGB")
    window.main_window()
    window.key("ctrl+F9")
    window.wait_for(TITLES[language])
    window.tool("mousemove", "1000", "700")  # a tooltip would cover the dialog
    time.sleep(3)  # the sizes arrive from the server
    keep("1-dialog", DIALOG_BOX)
    window.key("Return")
    layers = wait_for_layers(window, image, 3)
    window.main_window()
    time.sleep(2)
    keep("2-colour", LAYERS_BOX)
    touch_ups = layers[0]["id"]
    for points, width, rgb in STROKES:
        window.gimp.call("brush_line", layer=touch_ups, rgb=rgb, points=points, width=width, opacity=70.0)
    window.gimp.call("flush")
    time.sleep(2)
    keep("3-touch-ups", LAYERS_BOX)
    window.key("ctrl+F10")
    wait_for_layers(window, image, 4)
    time.sleep(2)
    keep("4-again", LAYERS_BOX)


def wait_for_layers(window: Window, image: int, count: int) -> list[dict]:
    def layers() -> list[dict]:
        found = window.gimp.call("describe", image=image)["layers"]
        return found if len(found) == count and not window.gimp.plug_in_processes() else []

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
            take(window, args.folder, args.language, args.whole)
        finally:
            window.close()
    finally:
        daemon.close()
        session.remove()


if __name__ == "__main__":
    os.environ.setdefault("COLORIZE_REQUIRE_GIMP", "1")
    main()
