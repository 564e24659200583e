"""Compare what GIMP shows with the composite that the server itself makes of the same pixels."""

from pathlib import Path

import numpy as np
from gimp_root import Gimp, Session
from real_daemon import Daemon

LEVELS = 2.0
"""Largest difference, in levels of 255, at PERCENTILE."""
PERCENTILE = 99.9


def read_raw(file: Path, width: int, height: int, channels: int, depth: int = 8) -> np.ndarray:
    """Return a raw file as (height, width, channels)."""
    return np.fromfile(file, f"<u{depth // 8}").reshape(height, width, channels)


def dump(gimp: Gimp, session: Session, drawable: int, size: list[int], channels: int, depth: int = 8) -> np.ndarray:
    """Return a drawable's pixels: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA, in sRGB."""
    file = session.folder / "pixels.raw"
    gimp.call("dump", drawable=drawable, path=session.inside(file), pixel_format=_format(channels, depth))
    return read_raw(file, *size, channels, depth)


def dump_source(
    gimp: Gimp, session: Session, drawable: int, size: list[int], depth: int = 8, has_alpha: bool = False
) -> np.ndarray:
    """Return a photograph as exactly as the server can be sent it: in bytes its RGB, which of a grey one are equal."""
    return dump(gimp, session, drawable, size, (3 if depth == 8 else 1) + has_alpha, depth)


def dump_visible(
    gimp: Gimp, session: Session, image: int, size: list[int], channels: int, depth: int = 8
) -> np.ndarray:
    """Return what an image shows."""
    file = session.folder / "pixels.raw"
    gimp.call("dump_visible", image=image, path=session.inside(file), pixel_format=_format(channels, depth))
    return read_raw(file, *size, channels, depth)


def _format(channels: int, depth: int) -> str:
    return {1: "Y'", 2: "Y'A", 3: "R'G'B'", 4: "R'G'B'A"}[channels] + f" u{depth}"


def server_composite(
    daemon: Daemon, picture: np.ndarray, depth: int = 8, hints: np.ndarray | None = None, **query: object
) -> np.ndarray:
    """Return the server's own composite of a picture (1 to 4 channels), in levels of 255."""
    height, width, channels = picture.shape
    values = {"width": width, "height": height, "channels": channels, "depth": depth, "host": "gimp", **query}
    body = picture.tobytes()
    if hints is not None:
        values["hints"] = "rgba8"
        body += hints.tobytes()
    answer = daemon.ask("&".join(f"{k}={v}" for k, v in {**values, "output": "composite"}.items()), body)
    composite = np.frombuffer(answer, f"<u{depth // 8}").reshape(height, width, -1)
    return composite[..., :3].astype(float) * (255 / (2**depth - 1))


def worst(shown: np.ndarray, expected: np.ndarray) -> float:
    """Return the difference at PERCENTILE, in the levels of the arguments."""
    return float(np.percentile(np.abs(shown.astype(float) - expected), PERCENTILE))
