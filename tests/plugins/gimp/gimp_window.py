"""GIMP's real window on a virtual screen, driven by keys and mouse (xdotool)."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from gimp_root import Gimp, Session
from PIL import Image

SCREEN = (1280, 860)
TITLE_BAR_PX = 30
SHORTCUTS = {
    "plug-in-colorize-start-server": "<Primary>F8",
    "plug-in-colorize-photograph": "<Primary>F9",
    "plug-in-colorize-again": "<Primary>F10",
    "plug-in-colorize-doctor": "<Primary>F11",
    "dialogs-palettes": "<Primary>F12",
}
PALETTE_FILE, CHOOSE_FILE, IMPORT = ("38", "188"), ("276", "188"), ("598", "436")
"""Places in the window “Import a New Palette”."""
WAIT_S = 30
T = TypeVar("T")


class Window:
    """A screen, a window manager, and GIMP in it.

    Args:
        session: its profile.
        scheme: GIMP's colours, ``dark`` or ``light``.
        more: variables of the environment, such as the language.
    """

    def __init__(self, session: Session, scheme: str = "dark", **more: str) -> None:
        self.session = session
        self._started: list[subprocess.Popen[bytes]] = []
        session.profile.mkdir(exist_ok=True)
        (session.profile / "gimprc").write_text(f"(show-welcome-dialog no)\n(theme-color-scheme {scheme})\n")
        lines = [f'(action "{action}" "{keys}")' for action, keys in SHORTCUTS.items()]
        (session.profile / "shortcutsrc").write_text("\n".join(["(file-version 1)", *lines, ""]))
        reader, writer = os.pipe()
        size = "x".join(map(str, SCREEN))
        self._start("Xvfb", "-displayfd", str(writer), "-screen", "0", f"{size}x24", pass_fds=[writer])
        os.close(writer)
        with os.fdopen(reader) as stream:
            self.display = f":{stream.readline().strip()}"
        self._start("openbox")
        self.gimp = Gimp(session, "gimp", DISPLAY=self.display, **more)
        # The welcome of a new profile lies above everything, whatever gimprc says.
        for window in self.find("Welcome"):
            self.tool("windowactivate", "--sync", window, "key", "Escape")

    def _start(self, *argv: str, **options: object) -> None:
        with self.session.log.open("ab") as log:
            self._started.append(
                subprocess.Popen(
                    ["chroot", str(self.session.root), *argv],
                    env=self._environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    **options,
                )
            )

    def _environment(self) -> dict[str, str]:
        display = {"DISPLAY": self.display} if hasattr(self, "display") else {}
        return self.session.environment(**display) | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

    def tool(self, *words: str) -> list[str]:
        """Run xdotool; returns the lines that it prints."""
        output = subprocess.run(
            ["chroot", str(self.session.root), "xdotool", *words],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=WAIT_S,
        )
        return output.stdout.split()

    def find(self, name: str) -> list[str]:
        """Return the visible windows whose title matches."""
        return self.tool("search", "--onlyvisible", "--name", name)

    def wait_for(self, name: str) -> str:
        """Wait for a window and put it to the front."""
        window = wait_until(lambda: self.find(name), f"no window {name}")[-1]
        self.tool("windowactivate", "--sync", window)
        return window

    def main_window(self) -> str:
        """Put GIMP's image window to the front, over the whole screen."""
        window = self.wait_for("GIMP$")
        width, height = SCREEN
        self.tool(
            "windowmove", window, "0", "0", "windowsize", "--sync", window, str(width), str(height - TITLE_BAR_PX)
        )
        return window

    def click_cancel(self) -> None:
        """Click the Cancel button of the progress bar, at the foot of the image window."""
        width, height = SCREEN
        self.tool("mousemove", str(width - 280), str(height - TITLE_BAR_PX + 2), "click", "1")

    def key(self, *keys: str) -> None:
        """Press keys, one after the other."""
        self.tool("key", "--delay", "60", *keys)

    def import_palette(self, file: Path) -> list[list]:
        """Import a palette as the artist does, with the Palettes dock's own menu; returns names and R'G'B'."""
        before = set(self.gimp.call("palettes"))
        self.main_window()
        self.key("ctrl+F12")
        time.sleep(1)
        width, _height = SCREEN
        self.tool("mousemove", str(width - 150), "180", "click", "3")
        time.sleep(1)
        self.key("i")
        dialog = self.wait_for("Import a New Palette")
        time.sleep(1)
        self.tool("mousemove", "--window", dialog, *PALETTE_FILE, "click", "1")
        time.sleep(1)
        self.tool("mousemove", "--window", dialog, *CHOOSE_FILE, "click", "1")
        self.wait_for("Select Palette File")
        self.key("ctrl+l")
        time.sleep(1)
        self.key("ctrl+a")
        self.tool("type", "--delay", "40", self.session.inside(file))
        time.sleep(1)
        self.key("Return")
        wait_until(lambda: not self.find("Select Palette File"), "the file was not taken")
        dialog = self.wait_for("Import a New Palette")
        time.sleep(1)
        self.tool("mousemove", "--window", dialog, *IMPORT, "click", "1")
        new = wait_until(lambda: set(self.gimp.call("palettes")) - before, f"GIMP did not import {file.name}")
        return self.gimp.call("palette", name=new.pop())

    def screenshot(self, file: Path, box: tuple[int, int, int, int] | None = None) -> None:
        """Save what is on the screen, or in a part of it (left, top, right, bottom)."""
        shot = self.session.folder / "screen.png"
        subprocess.run(
            [
                "chroot",
                str(self.session.root),
                "import",
                "-window",
                "root",
                "-colors",
                "128",
                self.session.inside(shot),
            ],
            env=self._environment(),
            check=True,
            timeout=WAIT_S,
        )
        # Few colours keep the picture small in the repository.
        shown = Image.open(shot).convert("RGB").crop(box or (0, 0, *SCREEN))
        shown.quantize(96, dither=Image.Dither.NONE).save(file, optimize=True)

    def progress_bar(self) -> Image.Image:
        """Return the foot of the window, where progress is told, in shades of grey."""
        file = self.session.folder / "progress.png"
        width, height = SCREEN
        self.screenshot(file, (width // 4, height - TITLE_BAR_PX - 15, width - 220, height - 10))
        return Image.open(file).convert("L")

    def close(self) -> None:
        """End everything."""
        self.gimp.process.kill()
        self.gimp.close()
        for process in reversed(self._started):
            process.kill()
            process.wait()


def wait_until(condition: Callable[[], T], otherwise: str, timeout_s: float = WAIT_S) -> T:
    """Wait until a condition holds, and return its value."""
    end = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < end, otherwise
        time.sleep(0.1)
    return value
