"""In what the two TensorRTs differ; with the real TensorRT for RTX where names and refusals are its own."""

from pathlib import Path
from typing import Any

import pytest
from colorize_server.backends.gpu import Gpu, find_gpus
from colorize_server.errors import BackendError
from colorize_server.model import Model
from colorize_server.tensorrt.build import BuildRequest, build_engine, recipe_for
from colorize_server.tensorrt.flavours import CLASSIC, RTX, KernelCache
from colorize_server.tensorrt.graph import Precision
from colorize_server.tensorrt.library import Library, version_of
from colorize_server.tensorrt.runner import EngineRunner
from fake_tensorrt import FakeDriver


def card(capability: str) -> Gpu:
    return Gpu(0, "Some card", capability, "580.10", 8192, 7000)


def test_the_real_library_has_every_name_that_the_runner_uses(rtx: Library) -> None:
    """Nothing of it can be called without a GPU; that it is there, and what it takes, can be seen."""
    module: Any = rtx
    wanted = {
        "ICudaEngine": "create_runtime_config num_io_tensors get_tensor_name get_tensor_mode get_tensor_dtype"
        " get_tensor_shape get_tensor_profile_shape num_optimization_profiles create_execution_context",
        "IRuntimeConfig": "set_execution_context_allocation_strategy cuda_graph_strategy"
        " dynamic_shapes_kernel_specialization_strategy create_runtime_cache set_runtime_cache",
        "IRuntimeCache": "serialize deserialize",
        "IExecutionContext": "set_optimization_profile_async set_input_shape update_device_memory_size_for_shapes"
        " set_device_memory set_tensor_address execute_async_v3",
        "ExecutionContextAllocationStrategy": "USER_MANAGED",
        "CudaGraphStrategy": "WHOLE_GRAPH_CAPTURE",
        "DynamicShapesKernelSpecializationStrategy": "LAZY",
        "TensorIOMode": "INPUT OUTPUT",
        "DataType": "FLOAT",
        "Runtime": "deserialize_cuda_engine",
    }
    missing = [f"{c}.{n}" for c, names in wanted.items() for n in names.split() if not hasattr(getattr(module, c), n)]
    assert missing == []
    assert "runtime_config: " in module.ICudaEngine.create_execution_context.__doc__
    assert "shape: tuple" in module.IExecutionContext.set_input_shape.__doc__


@pytest.mark.skipif(bool(find_gpus().gpus), reason="there is a GPU here")
def test_a_real_engine_that_cannot_be_loaded_tells_nvidias_reason(rtx: Library, tiny: Model) -> None:
    recipe = recipe_for(tiny, RTX, rtx, BuildRequest(Precision.FP32, sizes=(64,)), None)
    engine, _ = build_engine(tiny, RTX, rtx, recipe)
    with pytest.raises(BackendError, match=r"cannot load the engine on Fake GPU: .*(CUDA|cuda)"):
        EngineRunner(tiny, RTX, rtx, engine, FakeDriver(), KernelCache(None))


@pytest.mark.parametrize(("capability", "targets"), [("7.5", ("7.5",)), ("8.6", ()), ("12.0", ()), ("13.0", ())])
def test_a_turing_card_is_built_for_by_name(capability: str, targets: tuple[str, ...], rtx: Library) -> None:
    assert RTX.targets_for(rtx, card(capability)) == targets
    assert CLASSIC.targets_for(rtx, card(capability)) == ()


@pytest.mark.parametrize("capability", ["6.1", "9.0", "10.0"])
def test_a_card_that_rtx_does_not_support_is_said(capability: str, rtx: Library) -> None:
    with pytest.raises(BackendError, match=rf"does not support Some card \(compute capability {capability}\)"):
        RTX.targets_for(rtx, card(capability))


def test_the_version_is_the_librarys_own(rtx: Library) -> None:
    assert version_of(rtx).count(".") == 3


class FakeCache:
    """The library's cache of compiled kernels."""

    def __init__(self, *, takes: bool = True) -> None:
        self.content = b""
        self.takes = takes

    def deserialize(self, blob: bytes) -> bool:
        if self.takes:
            self.content = blob
        return self.takes

    def serialize(self) -> bytes:
        return self.content


class FakeConfig:
    """A runtime configuration."""

    def __init__(self, *, takes: bool = True) -> None:
        self.made: list[FakeCache] = []
        self.takes = takes
        self.attached: FakeCache | None = None

    def create_runtime_cache(self) -> FakeCache:
        self.made.append(FakeCache(takes=self.takes))
        return self.made[-1]

    def set_runtime_cache(self, cache: FakeCache) -> None:
        self.attached = cache


def test_compiled_kernels_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "engine.kernels"
    first, config = KernelCache(path), FakeConfig()
    first.attach(config)
    assert config.attached is not None
    config.attached.content = b"compiled"
    first.save()
    again = FakeConfig()
    KernelCache(path).attach(again)
    assert again.attached is not None
    assert again.attached.content == b"compiled"
    assert [p.name for p in tmp_path.iterdir()] == ["engine.kernels"]


def test_contexts_share_one_cache_of_kernels(tmp_path: Path) -> None:
    kernels, first, second = KernelCache(tmp_path / "k"), FakeConfig(), FakeConfig()
    kernels.attach(first)
    kernels.attach(second)
    assert second.attached is first.attached


def test_kernels_of_another_version_are_compiled_again_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "k"
    path.write_bytes(b"of another version")
    kernels, config = KernelCache(path), FakeConfig(takes=False)
    kernels.attach(config)
    assert config.attached is not None
    config.attached.content = b"new"
    kernels.save()
    assert path.read_bytes() == b"new"


def test_unchanged_kernels_are_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "k"
    path.write_bytes(b"compiled")
    kernels = KernelCache(path)
    kernels.attach(FakeConfig())
    path.unlink()
    kernels.save()
    assert not path.exists()


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path) -> None:
    kernels, config = KernelCache(tmp_path / "nowhere" / "k"), FakeConfig()
    kernels.attach(config)
    assert config.attached is not None
    config.attached.content = b"compiled"
    kernels.save()
    assert not (tmp_path / "nowhere").exists()
