"""Three small photographs that ship with the package: what precision and speed are judged on.

All are in the public domain: "Migrant Mother" (Dorothea Lange, Farm Security Administration, 1936), Walt Whitman
(1880s), and a street of New York in the winter of the blizzard (1899).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..contract import LIGHTNESS_SCALE
from ..formats.decode import decode_picture
from ..media_types import JPEG
from ..picture.control import Control
from ..picture.geometry import pad_by_reflection, plan_network
from ..picture.reduce import reduce_area

FOLDER: Final = Path(__file__).parent
_HINT_BLOCKS: Final = 6
"""Along each side; every second one carries a hint in the half of the inputs that have hints."""


@dataclass(frozen=True)
class NetworkInput:
    """A photograph as the network sees it.

    Attributes:
        name: of the file.
        luminance: (1, 1, H, W) float32, see `contract`.
        hints: (1, 3, H, W) float32.
    """

    name: str
    luminance: NDArray[np.float32]
    hints: NDArray[np.float32]


def sample_paths() -> list[Path]:
    """Return the photographs' files."""
    return sorted(FOLDER.glob("*.jpg"))


def network_inputs(paths: list[Path], size: int, multiple_of: int, *, with_hints: bool = False) -> list[NetworkInput]:
    """Bring photographs to the network's input, as the picture path does.

    Args:
        paths: JPEG files.
        size: network short side in pixels.
        multiple_of: of the model.
        with_hints: put a few strokes of colour on each, so that hints are part of what is judged.

    Raises:
        PictureError: a file is damaged.
    """
    with ThreadPoolExecutor(2, thread_name_prefix="samples") as executor:
        return [_network_input(path, size, multiple_of, executor, with_hints=with_hints) for path in paths]


def _network_input(
    path: Path, size: int, multiple_of: int, executor: ThreadPoolExecutor, *, with_hints: bool
) -> NetworkInput:
    photograph = decode_picture(path.read_bytes(), JPEG)
    plan = plan_network(photograph.height, photograph.width, size, multiple_of)
    lightness = reduce_area(
        lambda start, stop: photograph.lightness(start, stop)[None],
        (plan.height, plan.width),
        (plan.network_height, plan.network_width),
        1,
        executor=executor,
        control=Control(),
    )
    padded = (plan.padded_height, plan.padded_width)
    luminance = pad_by_reflection(lightness / np.float32(LIGHTNESS_SCALE) - 1, *padded)[None]
    hints = np.zeros((1, 3, *padded), np.float32)
    if with_hints:
        side = min(padded) // (4 * _HINT_BLOCKS)
        for i in range(0, _HINT_BLOCKS, 2):
            y, x = (padded[0] * i // _HINT_BLOCKS, padded[1] * i // _HINT_BLOCKS)
            colour = (0.3 - 0.2 * i / 2, 0.1 * i, 1.0)
            hints[0, :, y : y + side, x : x + side] = np.array(colour, np.float32)[:, None, None]
    return NetworkInput(path.name, np.ascontiguousarray(luminance, np.float32), hints)
