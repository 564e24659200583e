"""Time the plug-in's own share of colouring a 24-megapixel photograph in a real GIMP.

The server here answers at once with a picture that was made before, so that what is left is the plug-in: reading the
pixels, sending them, receiving the colour and inserting the layer.  The same call on a tiny picture gives what does not
depend on pixels (GIMP starting the plug-in's process); it is taken off, and reported.

    python tests/programs/benchmarks/gimp.py        prints the section of ``make bench`` as JSON
"""

import json
import socket
import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "plugins" / "gimp"))

import faults
import numpy as np
from gimp_root import Gimp, Session, root_folder

WIDTH, HEIGHT = 6000, 4000
TINY = 16
ROUNDS = 3
LIMIT = 3.0
"""The plug-in's share, in times of a bare read plus write of the same buffers."""


class InstantServer(faults.FaultyServer):
    """Proves itself as the real server does, and answers every picture with noise that was made before."""

    def __init__(self) -> None:
        noise = np.random.default_rng(4).integers(0, 256, WIDTH * HEIGHT * 3, np.uint8)
        self._colour = memoryview(noise.tobytes())
        self._body = memoryview(bytearray(WIDTH * HEIGHT))
        super().__init__(self._answer)

    def _answer(self, exchange: faults.Exchange) -> None:
        exchange.answer_health()
        width, height = self._receive(exchange.connection)
        exchange.answer_colour_head(width, height)
        exchange.connection.sendall(self._colour[: width * height * 3])

    def _receive(self, connection: socket.socket) -> tuple[int, int]:
        """Read a request into memory that is there already."""
        head = bytearray()
        while b"\r\n\r\n" not in head:
            head += connection.recv(1 << 16)
        text, rest = bytes(head).split(b"\r\n\r\n", 1)
        size, width, height = faults.dimensions(text.decode())
        done = len(rest)
        while done < size:
            done += connection.recv_into(self._body[done:size])
        return width, height


def run() -> dict[str, Any]:
    """Return the section: seconds, and the bar of the plug-in's share."""
    root = root_folder()
    if not any(root.glob(".complete-*")):
        return {"skipped": f"there is no GIMP in {root}; make test-gimp makes it"}
    session = Session(root)
    server = InstantServer()
    try:
        session.install_plug_in()
        session.use_state(server.write_state(session.folder / "state"))
        gimp = Gimp(session)
        try:
            return _measure(gimp, session)
        finally:
            gimp.close()
    finally:
        server.close()
        session.remove()


def _measure(gimp: Gimp, session: Session) -> dict[str, Any]:
    large, tiny = (_photograph(gimp, session, *size) for size in ((WIDTH, HEIGHT), (TINY, TINY)))
    bare, whole, fixed = [], [], []
    _colorize(gimp, *tiny)  # Python compiles the plug-in's modules once
    for _ in range(ROUNDS):
        bare.append(gimp.call("time_bare_read_and_write", layer=large[1]))
        fixed.append(_colorize(gimp, *tiny))
        whole.append(_colorize(gimp, *large))
    reads, writes = (statistics.median(times[i] for times in bare) for i in (0, 1))
    share = statistics.median(whole) - statistics.median(fixed)
    return {
        "megapixels": WIDTH * HEIGHT / 1e6,
        "bare_read_s": round(reads, 3),
        "bare_write_s": round(writes, 3),
        "plug_in_share_s": round(share, 3),
        "plug_in_start_s": round(statistics.median(fixed), 3),
        "bars": {"plug-in's share over bare read plus write": [share / (reads + writes), "<=", LIMIT]},
    }


def _photograph(gimp: Gimp, session: Session, width: int, height: int) -> tuple[int, int]:
    """Make an RGB picture of grain, which no tile cache can shorten."""
    grain = np.random.default_rng(5).integers(0, 256, (height, width), np.uint8)
    (session.folder / "photograph.raw").write_bytes(np.repeat(grain, 3).tobytes())
    image = gimp.call("new_image", width=width, height=height)
    layer = gimp.call(
        "add_layer", image=image, name="photograph", width=width, height=height,
        pixels=session.inside(session.folder / "photograph.raw"), pixel_format="R'G'B' u8",
    )  # fmt: skip
    return image, layer


def _colorize(gimp: Gimp, image: int, layer: int) -> float:
    """Colorize, take the new layer away again, and return how long the call took."""
    seconds, result = gimp.call("timed_colorize", image=image, drawables=[layer])
    assert result["status"] == "success", result["error"]
    gimp.call("delete_layer", layer=result["layer"])
    return seconds


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
