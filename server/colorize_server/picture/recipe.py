"""Recipes: what the network said about one photograph, packed, so that its layer can be laid again without the network.

Bytes: ``CLZR`` and a version digit, a line of JSON (sizes, lengths), then two zlib streams: chroma at network size as
differences along rows of little-endian int16 (in 1 / `CHROMA_STEPS` a*b*), and the strokes that were given as hints.
"""

import json
import math
import zlib
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import ColorizeError
from .hints import Rgba

Chroma: TypeAlias = NDArray[np.float32]

MAGIC: Final = b"CLZR1"
CHROMA_STEPS: Final = 64
"""Steps of one unit of a* or b*; what is laid is rounded to them, too, so that laying again gives the same pixels."""
_LEVEL: Final = 6
"""zlib's; 9 takes four times as long for 1 % less."""
_MAX_HEAD_BYTES: Final = 1024
_MAX_NETWORK_PIXELS: Final = 1 << 24
_MEMBERS: Final = {"width", "height", "size", "network_width", "network_height", "chroma_bytes", "hints_bytes"}


class RecipeError(ColorizeError):
    """The bytes are no recipe, or not one of this photograph."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the network said about one photograph, before saturation.

    Attributes:
        width: of the photograph, in pixels.
        height: of the photograph, in pixels.
        size: the network's short side.
        chroma: (2, h, w) float32, a*b* at network size, in whole steps of 1 / `CHROMA_STEPS`.
        hints: (height, width, 4) uint8, the strokes that were given; None for none.
    """

    width: int
    height: int
    size: int
    chroma: Chroma
    hints: Rgba | None

    def pack(self) -> bytes:
        """Return the recipe as bytes."""
        steps = np.rint(self.chroma * CHROMA_STEPS).astype(np.int16)
        differences = np.diff(steps, axis=-1, prepend=np.int16(0)).astype("<i2")
        chroma = zlib.compress(differences.tobytes(), _LEVEL)
        hints = b"" if self.hints is None else zlib.compress(np.ascontiguousarray(self.hints).data, _LEVEL)
        head = {
            "width": self.width,
            "height": self.height,
            "size": self.size,
            "network_width": self.chroma.shape[2],
            "network_height": self.chroma.shape[1],
            "chroma_bytes": len(chroma),
            "hints_bytes": len(hints),
        }
        return MAGIC + json.dumps(head).encode() + b"\n" + chroma + hints


def quantized(chroma: Chroma) -> Chroma:
    """Return chroma in the whole steps that a recipe keeps."""
    limit = np.float32(32767 / CHROMA_STEPS / 2)  # so that differences fit, too
    rounded: Chroma = np.rint(np.clip(chroma, -limit, limit) * CHROMA_STEPS).astype(np.float32)
    return rounded / np.float32(CHROMA_STEPS)


def unpack(data: bytes | memoryview, width: int, height: int) -> Recipe:
    """Read the recipe of a photograph of `width` by `height` pixels.

    Raises:
        RecipeError: if it is none, or one of a photograph of another size.
    """
    body = bytes(data)
    try:
        head = _head(body)
        # Before anything is inflated: what a stranger sends makes no more memory than its own photograph has pixels.
        if (head["width"], head["height"]) != (width, height):
            raise RecipeError(
                f"The colours were made for a picture of {head['width']} by {head['height']} pixels, "
                f"this one has {width} by {height}.",
                "Colorize it anew.",
                code="recipe_mismatch",
                status=409,
            )
        start = body.index(b"\n") + 1
        middle = start + head["chroma_bytes"]
        if middle + head["hints_bytes"] != len(body):
            raise ValueError
        shape = (2, head["network_height"], head["network_width"])
        differences = np.frombuffer(_inflated(body[start:middle], 2 * math.prod(shape)), "<i2")
        steps = np.cumsum(differences.reshape(shape), axis=-1, dtype=np.int16)
        hints = None
        if middle < len(body):
            hints = np.frombuffer(_inflated(body[middle:], 4 * width * height), np.uint8).reshape(height, width, 4)
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise RecipeError(
            "What should be the recipe of a colour layer is none, or was damaged.",
            "Colorize the photograph anew.",
            code="bad_recipe",
            status=400,
        ) from error
    chroma = steps.astype(np.float32) / np.float32(CHROMA_STEPS)
    return Recipe(width, height, head["size"], chroma, hints)


def _head(body: bytes) -> dict[str, int]:
    """Return the line of JSON, whose members are all whole numbers in their ranges.

    Raises:
        ValueError, TypeError: if it is not so.
    """
    end = body.index(b"\n", 0, _MAX_HEAD_BYTES)
    if not body.startswith(MAGIC):
        raise ValueError
    head = json.loads(body[len(MAGIC) : end])
    if set(head) != _MEMBERS or not all(type(value) is int and value >= 0 for value in head.values()):
        raise ValueError
    if not 0 < head["network_width"] * head["network_height"] <= _MAX_NETWORK_PIXELS or not head["size"]:
        raise ValueError
    return head


def _inflated(data: bytes, expected_bytes: int) -> bytes:
    """Inflate exactly so many bytes, and never more."""
    inflater = zlib.decompressobj()
    plain = inflater.decompress(data, expected_bytes + 1)
    if len(plain) != expected_bytes or not inflater.eof:
        raise ValueError
    return plain
