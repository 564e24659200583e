"""Which backend is taken, what is said of the others, and what happens when a GPU is required."""

import json
import logging
import os
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
from colorize_server import backends
from colorize_server.backends import (
    AUTO_ORDER,
    BACKENDS,
    GPU_BACKENDS,
    Refusal,
    in_words,
    open_backend,
)
from colorize_server.backends.gpu import Gpu, choose_gpu, find_gpus
from colorize_server.backends.onnxruntime_backend import CPU_PLAN, OnnxRuntimeBackend, SessionPlan
from colorize_server.errors import BackendError
from colorize_server.installation import packages
from colorize_server.model import Model
from colorize_server.tensorrt import classic_library, flavours, rtx_library, rtx_provider
from nvidia_smi import write_nvidia_smi

posix = pytest.mark.skipif(os.name != "posix", reason="the nvidia-smi of the test is a shell script")


@pytest.mark.usefixtures("no_gpu")
def test_auto_takes_the_processor_and_says_why_not_a_gpu(tiny: Model, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "colorize_server.backends"):
        backend = open_backend("auto", tiny)
    assert backend.name == "onnxruntime"
    assert backend.providers == ("CPUExecutionProvider",)
    assert backend.reason == (
        "ONNX Runtime on the CPU works everywhere."
        " Not taken: tensorrt-rtx, tensorrt, cuda: No NVIDIA graphics card was found."
    )
    assert backend.reason in caplog.text
    backend.close()


@pytest.mark.usefixtures("no_gpu")
def test_require_gpu_fails_with_the_reason(tiny: Model) -> None:
    with pytest.raises(BackendError) as caught:
        open_backend("auto", tiny, require_gpu=True)
    assert "tensorrt-rtx, tensorrt, cuda: No NVIDIA graphics card was found." in caught.value.message
    assert "--require-gpu" in caught.value.hint


@pytest.mark.parametrize("name", GPU_BACKENDS)
@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_backend_that_was_asked_for_never_falls_back(name: str, tiny: Model) -> None:
    with pytest.raises(BackendError, match="No NVIDIA graphics card was found"):
        open_backend(name, tiny)


def test_an_unknown_backend_names_those_there_are(tiny: Model) -> None:
    with pytest.raises(BackendError, match=r"no backend opencl. Use one of auto, onnxruntime, tensorrt-rtx"):
        open_backend("opencl", tiny)


@posix
@pytest.mark.usefixtures("fake_gpu")
def test_with_a_gpu_each_refusal_is_listed_with_its_own_reason(tiny: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtx_library, "BINDINGS_MODULE", "tensorrt_rtx_that_is_not_installed")
    rtx_library.load.cache_clear()
    backend = open_backend("auto", tiny)
    rtx_library.load.cache_clear()
    assert backend.name == "onnxruntime"
    for words in (
        "tensorrt-rtx: TensorRT for RTX is not installed.",
        "tensorrt: TensorRT is not installed.",
        "cuda: This ONNX Runtime was built without CUDA.",
    ):
        assert words in backend.reason
    backend.close()


def test_auto_takes_the_first_that_opens(tiny: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, int, bool]] = []

    def fake_open(name: str, model: Model, device: int, *, require_gpu: bool, threads: int | None) -> Any:
        opened.append((name, device, require_gpu))
        if name == "tensorrt-rtx":
            raise BackendError("It is too old.", "Buy another.")
        return OnnxRuntimeBackend(model)

    monkeypatch.setattr(backends, "_open", fake_open)
    monkeypatch.setattr(backends, "find_gpus", lambda: type("Report", (), {"gpus": (object(),)}))
    backend = open_backend("auto", tiny, device=2, require_gpu=True)
    assert opened == [("tensorrt-rtx", 2, True), ("tensorrt", 2, True)]
    assert backend.reason.endswith("Not taken: tensorrt-rtx: It is too old.")


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_nothing_of_a_gpu_is_imported(tiny_model_path: Path) -> None:
    import subprocess

    program = (
        "import sys; from pathlib import Path; from colorize_server.model import load_model;"
        "from colorize_server.backends import open_backend;"
        f"open_backend('auto', load_model(Path({str(tiny_model_path)!r})));"
        "print([m for m in sys.modules if 'tensorrt' in m or 'pycuda' in m or m.endswith('engine.build')])"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"


def test_every_name_leads_to_a_function() -> None:
    import importlib

    assert set(AUTO_ORDER) <= set(BACKENDS)
    for target in BACKENDS.values():
        module, function = target.split(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_refusals_of_one_reason_stand_together() -> None:
    refusals = [Refusal("a", "No card.", ""), Refusal("b", "Too old.", ""), Refusal("c", "No card.", "")]
    assert in_words(refusals) == "a, c: No card. b: Too old."


def test_a_provider_that_onnx_runtime_did_not_take_is_reported(tiny: Model) -> None:
    plan = SessionPlan("cuda", "GPU", "Because.", "CUDAExecutionProvider", CPU_PLAN.providers)
    with pytest.raises(BackendError, match="asked for CUDAExecutionProvider and took CPUExecutionProvider instead"):
        OnnxRuntimeBackend(tiny, plan)


@posix
@pytest.mark.usefixtures("fake_gpu")
def test_cuda_asks_for_the_device_and_reports_what_it_got(tiny: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    real = onnxruntime.InferenceSession

    class Session:
        def __init__(self, data: bytes, options: Any, providers: Any) -> None:
            asked.append(providers)
            self.real = real(data, options, providers=["CPUExecutionProvider"])

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

        def get_providers(self) -> list[str]:
            return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    backend = open_backend("cuda", tiny, device=1)
    assert asked == [[("CUDAExecutionProvider", {"device_id": "1"}), "CPUExecutionProvider"]]
    assert (backend.name, backend.device) == ("cuda", "Tesla B")
    assert backend.providers == ("CUDAExecutionProvider", "CPUExecutionProvider")
    chroma, doubt = backend.run(np.zeros((1, 1, 64, 64), np.float32), np.zeros((1, 3, 64, 64), np.float32))
    assert (chroma.shape, doubt.shape) == ((1, 2, 64, 64), (1, 1, 64, 64))


def test_the_plug_in_provider_says_what_it_lacks_or_offers_devices(rtx: Any) -> None:
    # The real library: it needs the driver's, which is there exactly where a GPU is.
    if find_gpus().gpus:
        assert rtx_provider.rtx_devices()
    else:
        with pytest.raises(BackendError, match=r"cannot be loaded: libcuda.so.1.*NVIDIA driver"):
            rtx_provider.rtx_devices()


def test_the_plug_in_provider_works_without_a_folder_for_its_kernels(cache: Path) -> None:
    assert rtx_provider.kernel_cache_options() == {"nv_runtime_cache_path": str(cache / "rtx-provider")}
    (cache / "rtx-provider").rmdir()
    cache.rmdir()
    cache.write_text("a file where the folder should be")
    assert rtx_provider.kernel_cache_options() == {}


@posix
def test_the_driver_is_asked_for_its_cards(fake_gpu: Path) -> None:
    assert find_gpus().gpus == (
        Gpu(0, "GeForce A", "8.6", "580.10", 8192, 7000),
        Gpu(1, "Tesla B", "9.0", "580.10", 0, 0),
    )
    assert choose_gpu(1).name == "Tesla B"
    with pytest.raises(BackendError, match=r"no graphics card number 2. Use --device with one of 0 \(GeForce A\), 1"):
        choose_gpu(2)


@posix
def test_a_driver_that_does_not_work_is_told_from_no_card(fake_gpu: Path) -> None:
    write_nvidia_smi(fake_gpu, "NVIDIA-SMI has failed", code=9)
    report = find_gpus()
    assert report.why_none == "The NVIDIA driver does not work: NVIDIA-SMI has failed."
    assert "nvidia.com/drivers" in report.hint
    write_nvidia_smi(fake_gpu, "No devices were found")
    assert find_gpus().why_none == "The NVIDIA driver is installed but finds no graphics card."


@pytest.mark.parametrize("version", ["8.6.1", "10.0.1", "10.11.0.33"])
def test_a_tensorrt_that_is_too_old_is_refused(version: str) -> None:
    with pytest.raises(BackendError, match=rf"TensorRT {version} is too old: 10.12 and later, and 11 are supported"):
        classic_library.check_version(version)


@pytest.mark.parametrize("version", ["10.12.0.36", "10.16.1", "11.0.0.114", "11.4.0.106"])
def test_supported_versions_of_tensorrt_are_taken(version: str) -> None:
    classic_library.check_version(version)


def test_type_stubs_alone_are_no_tensorrt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tensorrt").mkdir()
    (tmp_path / "tensorrt" / "__init__.pyi").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    classic_library.load.cache_clear()
    with pytest.raises(BackendError, match="TensorRT is not installed"):
        flavours.CLASSIC.load()
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)


def test_libraries_and_bindings_of_different_versions_are_refused(rtx: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtx_library, "_bundled_versions", lambda: ["0.9.9"])
    rtx_library.load.cache_clear()
    with pytest.raises(BackendError, match=r"The bindings of TensorRT for RTX are 1\.\d.*, its libraries 0.9.9"):
        rtx_library.load()
    rtx_library.load.cache_clear()


@pytest.mark.parametrize(
    ("prefix", "what", "command"),
    [
        ("/home/a/.local/share/pipx/venvs/colorize-server", "colorize-server[rtx]", "pipx install --force "),
        ("/home/a/.local/pipx/venvs/colorize-server", "pycuda", "pipx inject colorize-server pycuda"),
        ("/home/a/.local/share/uv/tools/colorize-server", "colorize-server[rtx]", "uv tool install --force "),
        ("/home/a/.local/share/uv/tools/colorize-server", "pycuda", "uv tool install --force --with pycuda "),
        ("/home/a/venv", "colorize-server", " -m pip install "),
        ("/home/a/venv", "pycuda", " -m pip install pycuda"),
    ],
)
def test_the_command_that_installs_fits_this_installation(
    prefix: str, what: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", prefix)
    assert command in packages.install_command(what)


@pytest.mark.parametrize(
    ("record", "source"),
    [
        ({"url": "https://a.example/c.whl", "archive_info": {}}, "colorize-server[rtx] @ https://a.example/c.whl"),
        (
            {"url": "https://a.example/c", "vcs_info": {"vcs": "git", "commit_id": "1f"}},
            "colorize-server[rtx] @ git+https://a.example/c@1f",
        ),
        ({"url": "file:///gone.whl", "archive_info": {}}, "colorize-server[rtx]"),
        (None, "colorize-server[rtx]"),
    ],
)
def test_an_extra_of_what_was_fetched_is_fetched_from_there(
    record: dict[str, Any] | None, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution = SimpleNamespace(read_text=lambda _: record and json.dumps(record))
    monkeypatch.setattr(packages.importlib.metadata, "distribution", lambda _: distribution)
    monkeypatch.setattr(sys, "prefix", "/home/a/.local/share/pipx/venvs/colorize-server")
    assert packages.install_command("colorize-server[rtx]") == f"pipx install --force {shlex.quote(source)}"


@pytest.mark.parametrize("is_there", [True, False])
def test_an_extra_comes_from_where_the_program_came_from(
    is_there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the wheel that was handed over, not from whoever has the name on the index."""
    wheel = tmp_path / "of mine" / "colorize_server-0.1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    if is_there:
        wheel.touch()
    record = json.dumps({"url": wheel.as_uri(), "archive_info": {}})
    distribution = SimpleNamespace(read_text=lambda name: record if name == "direct_url.json" else None)
    monkeypatch.setattr(packages.importlib.metadata, "distribution", lambda _: distribution)
    monkeypatch.setattr(sys, "prefix", "/home/a/.local/share/pipx/venvs/colorize-server")
    source = str(wheel) if is_there else "colorize-server"
    assert packages.install_command("colorize-server[rtx]") == f"pipx install --force {shlex.quote(source + '[rtx]')}"
    assert packages.install_command("pycuda") == "pipx inject colorize-server pycuda"
