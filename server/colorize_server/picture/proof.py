"""A photograph as the page shows it: small enough for a screen, with all that a browser needs to colour it itself."""

import json
import math
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .recipe import CHROMA_STEPS

Plane: TypeAlias = NDArray[np.float32]

PROOF_SIDE: Final = 1024
"""Pixels of the proof's short side, or the photograph's where that is smaller."""
MAX_PROOF_PIXELS: Final = 3 << 20
"""A panorama gets a shorter side, so that no screen has more to draw than three megapixels."""
LIGHTNESS_STEPS: Final = 655.0
"""Steps of one L* in the proof's 16-bit numbers."""
DOUBT_STEPS: Final = 6.0
"""Steps of one C* of doubt in 8 bits; what is above 42 is as good as a guess."""


def proof_shape(height: int, width: int) -> tuple[int, int]:
    """Return the rows and columns of the proof of a photograph of `height` by `width` pixels."""
    scale = min(1.0, PROOF_SIDE / min(height, width), (MAX_PROOF_PIXELS / (height * width)) ** 0.5)
    return max(1, round(height * scale)), max(1, round(width * scale))


def packed(head: dict[str, Any], planes: dict[str, NDArray[Any]]) -> bytes:
    """Pack planes for a browser.

    Returns:
        A little-endian uint32 (the length of what follows it up to the planes), JSON of `head` with a member `planes`
        (name, dtype as numpy writes it, shape, of each), padded by spaces to whole words; then the planes' samples one
        after the other, each padded by zeros to whole words.
    """
    listed = [{"name": name, "dtype": plane.dtype.str, "shape": plane.shape} for name, plane in planes.items()]
    text = json.dumps({**head, "planes": listed}).encode()
    text += b" " * (-len(text) % 4)
    pieces = [len(text).to_bytes(4, "little"), text]
    for plane in planes.values():
        samples = np.ascontiguousarray(plane).tobytes()
        pieces.append(samples + bytes(-len(samples) % 4))
    return b"".join(pieces)


def unpacked(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the head and the planes of what `packed` made."""
    start = 4 + int.from_bytes(data[:4], "little")
    head = json.loads(data[4:start])
    planes = {}
    for listed in head.pop("planes"):
        dtype, shape = np.dtype(listed["dtype"]), listed["shape"]
        count = math.prod(shape)
        planes[listed["name"]] = np.frombuffer(data, dtype, count, start).reshape(shape)
        start += -(-count * dtype.itemsize // 4) * 4
    return head, planes


def lightness_from(samples: NDArray[np.uint16]) -> Plane:
    """Return L* as float32 of what `lightness_samples` made."""
    return samples.astype(np.float32) / np.float32(LIGHTNESS_STEPS)


def lightness_samples(lightness: Plane) -> NDArray[np.uint16]:
    """Return L* in `LIGHTNESS_STEPS`."""
    return np.rint(np.clip(lightness, 0, 100) * np.float32(LIGHTNESS_STEPS)).astype("<u2")


def chroma_samples(chroma: Plane) -> NDArray[np.int16]:
    """Return a*b* in `CHROMA_STEPS`, a* and b* of a pixel side by side: (h, w, 2) of (2, h, w)."""
    limit = 32767 / CHROMA_STEPS
    return np.rint(np.clip(np.moveaxis(chroma, 0, -1), -limit, limit) * np.float32(CHROMA_STEPS)).astype("<i2")


def doubt_samples(doubt: Plane) -> NDArray[np.uint8]:
    """Return doubt in `DOUBT_STEPS`, clipped."""
    return np.rint(np.clip(doubt * np.float32(DOUBT_STEPS), 0, 255)).astype(np.uint8)
