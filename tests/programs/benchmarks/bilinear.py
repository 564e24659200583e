"""What peers do: the same network and strokes, but chroma enlarged bilinearly.  To compare our enlargement with."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from colorize_server.backends import open_backend
from colorize_server.contract import CHROMA_SCALE, LIGHTNESS_SCALE
from colorize_server.model import Model
from colorize_server.picture.control import Control
from colorize_server.picture.geometry import pad_by_reflection, plan_network
from colorize_server.picture.hints import anchor_at_network_size, network_hints, without_faint_strokes
from colorize_server.picture.photograph import Photograph
from colorize_server.picture.reduce import reduce_area


def bilinear_chroma(photograph: Photograph, strokes: np.ndarray | None, model: Model) -> np.ndarray:
    """Return what the model would give with bilinear enlargement.

    Args:
        photograph: without alpha.
        strokes: (height, width, 4) uint8 hints, or None.
        model: the model.

    Returns:
        (2, height, width) float32 a*b*.
    """
    full = (photograph.height, photograph.width)
    plan = plan_network(*full, model.card.default_size, model.card.multiple_of)
    shape = (plan.network_height, plan.network_width)
    hints = np.zeros((4, *shape), np.float32)
    with ThreadPoolExecutor(2) as executor:
        low = reduce_area(
            lambda a, b: photograph.lightness(a, b)[None], full, shape, 1, executor=executor, control=Control()
        )[0]
        if strokes is not None:
            hints = network_hints(strokes, shape, executor=executor, control=Control())
    padded = (plan.padded_height, plan.padded_width)
    backend = open_backend("onnxruntime", model)
    chroma, _ = backend.run(
        pad_by_reflection(low / np.float32(LIGHTNESS_SCALE) - 1, *padded)[None, None],
        pad_by_reflection(without_faint_strokes(hints), *padded)[None],
    )
    backend.close()
    ours = chroma[0, :, : shape[0], : shape[1]] * np.float32(CHROMA_SCALE * model.card.saturation)
    if strokes is not None:
        ours = anchor_at_network_size(ours, hints, low)
    return np.stack([cv2.resize(c, full[::-1], interpolation=cv2.INTER_LINEAR) for c in ours])
