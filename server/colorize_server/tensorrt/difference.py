"""How much the colours of two ways of running one model differ."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..contract import CHROMA_SCALE, INPUT_HINTS, INPUT_LUMINANCE, OUTPUT_CHROMA
from ..errors import BackendError

if TYPE_CHECKING:
    from ..samples import NetworkInput

LARGEST_MEAN: Final = 0.5
"""a*b* units; a converted graph whose colours differ by more, on the average, is not built."""
LARGEST_P999: Final = 2.0
"""a*b* units, 99.9th percentile: a backend that differs by more from ONNX Runtime on the CPU fails its selftest."""


@dataclass(frozen=True)
class ChromaDifference:
    """Distances sqrt(da*^2 + db*^2) of two chroma planes over all pixels, in a*b* units.

    Attributes:
        mean: their mean.
        p999: their 99.9th percentile.
        largest: their maximum.
    """

    mean: float
    p999: float
    largest: float

    def as_members(self) -> dict[str, float]:
        """Return it for JSON."""
        return {name: round(value, 6) for name, value in asdict(self).items()}


def chroma_difference(pairs: list[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> ChromaDifference:
    """Compare pairs of (N, 2, H, W) float32 chroma in network units.

    A chroma that is not finite counts as infinitely far off.
    """
    with np.errstate(invalid="ignore"):
        distances = np.concatenate([np.hypot(*np.moveaxis(a - b, 1, 0)).ravel() for a, b in pairs]) * CHROMA_SCALE
    distances = np.where(np.isfinite(distances), distances, np.inf)
    if not np.isfinite(distances).all():
        return ChromaDifference(np.inf, np.inf, np.inf)
    return ChromaDifference(
        float(distances.mean()), float(np.percentile(distances, 99.9)), float(distances.max(initial=0.0))
    )


def run_onnx(graph: bytes, inputs: "list[NetworkInput]") -> list[NDArray[np.float32]]:
    """Run an ONNX graph on the CPU and return the chroma of each input, (1, 2, H, W) float32.

    Raises:
        BackendError: ONNX Runtime cannot run the graph.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        return [
            session.run([OUTPUT_CHROMA], {INPUT_LUMINANCE: one.luminance, INPUT_HINTS: one.hints})[0] for one in inputs
        ]
    except Exception as error:  # ONNX Runtime's own exceptions share no public base class
        raise BackendError(
            f"ONNX Runtime cannot run the converted graph: {error}", "Build with --precision fp32."
        ) from error
