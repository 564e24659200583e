"""The real thing: both flavours built and run on a GPU, compared with the processor.  Skipped where there is none."""

import json
from typing import Any

import numpy as np
import pytest
from colorize_server.backends import open_backend
from colorize_server.backends.gpu import choose_gpu, find_gpus
from colorize_server.cli import main as serve
from colorize_server.cli import trt_build
from colorize_server.errors import BackendError
from colorize_server.model import Model
from colorize_server.tensorrt.flavours import CLASSIC, RTX, Flavour
from colorize_server.tensorrt.pycuda_driver import import_pycuda

pytestmark = pytest.mark.gpu

if not find_gpus().gpus:
    pytest.skip("no NVIDIA GPU: what needs one was not tested here", allow_module_level=True)


def can_run(flavour: Flavour) -> None:
    """Skip what is not installed, or was not made for this card."""
    try:
        flavour.targets_for(flavour.load(), choose_gpu(0))
        if flavour is CLASSIC:  # the other one has a second way to the card
            import_pycuda()
    except BackendError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("flavour", [RTX, CLASSIC], ids=lambda flavour: flavour.name)
def test_selftest_passes(flavour: Flavour, capsys: pytest.CaptureFixture[str]) -> None:
    """fp16 against the processor: 99.9th percentile of |chroma difference| <= 2.0 a*b* units."""
    can_run(flavour)
    if flavour.needs_gpu_to_build:
        assert trt_build.main(["--flavour", flavour.name]) == 0
        capsys.readouterr()
    code = serve.main(["selftest", "--backend", flavour.backend, "--json"])
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert all(size["difference"]["p999"] <= 2.0 for size in report["sizes"])
    assert code == 0


@pytest.mark.parametrize("flavour", [RTX, CLASSIC], ids=lambda flavour: flavour.name)
def test_many_shapes_in_turn_stay_right(
    flavour: Flavour, shipped_model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    """Buffers, contexts and recorded graphs of different shapes do not get into each other's way."""
    can_run(flavour)
    if flavour.needs_gpu_to_build:
        assert trt_build.main(["--flavour", flavour.name]) == 0
    gpu, reference = open_backend(flavour.backend, shipped_model), open_backend("onnxruntime", shipped_model)
    side = shipped_model.card.sizes[0]
    rng = np.random.default_rng(0)
    for _ in range(3):
        for height, width in ((side, side), (side, 2 * side), (2 * side, side), (side, 4 * side)):
            luminance = np.repeat(np.repeat(rng.uniform(-1, 1, (1, 1, height // 32, width // 32)), 32, 2), 32, 3)
            inputs = luminance.astype(np.float32), np.zeros((1, 3, height, width), np.float32)
            distance = 110 * np.abs(gpu.run(*inputs)[0] - reference.run(*inputs)[0])
            assert np.percentile(distance, 99.9) <= 2.0
    gpu.close()
    reference.close()
