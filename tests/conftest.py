"""Fixtures that more than one folder of tests uses."""

import contextlib
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from colorize_server.model import Model, load_model, shipped_model_path
from colorize_server.tensorrt.cache import CACHE_DIR_VARIABLE
from colorize_server.tensorrt.flavours import RTX
from colorize_server.tensorrt.library import Library
from nvidia_smi import write_nvidia_smi
from tiny_model import write_tiny_model

TESTS = Path(__file__).parent


@pytest.fixture(scope="session")
def photographs() -> Path:
    """Return the folder of real sample photographs."""
    return TESTS / "photographs"


@pytest.fixture(scope="session")
def tiny_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model of a few hundred bytes that keeps the model contract."""
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture(scope="session")
def tiny(tiny_model_path: Path) -> Model:
    return load_model(tiny_model_path)


@pytest.fixture(scope="session")
def shipped_model() -> Model:
    return load_model(shipped_model_path())


@pytest.fixture
def run(tiny_model_path: Path) -> Callable[..., int]:
    """Return the command ``colorize`` with the tiny model."""
    from colorize_server.cli.colorize import main

    def call(*arguments: object) -> int:
        return main([str(a) for a in arguments] + ["--model", str(tiny_model_path)])

    return call


@pytest.fixture
def blockbuster() -> Iterator[BlockBuster]:
    """Fail a test in which the event loop waits for anything but its sockets."""
    with blockbuster_ctx("colorize_server") as buster:
        yield buster


@pytest.fixture
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A private folder of the test's own."""
    folder = tmp_path / "state"
    monkeypatch.setenv("COLORIZE_STATE_DIR", str(folder))
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a test a cache of its own, and return its folder of engines."""
    monkeypatch.setenv(CACHE_DIR_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "engines"


@pytest.fixture(scope="session")
def rtx() -> Library:
    """Return the real TensorRT for RTX; on Linux x86-64 its absence is a failure, not a reason to skip."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("TensorRT for RTX is tested on Linux x86-64")
    return RTX.load()


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide any NVIDIA driver: nvidia-smi is not found."""
    (tmp_path / "no-programs").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "no-programs"))


@pytest.fixture
def fake_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Put an nvidia-smi on the path that tells of two cards; returns the program, to be rewritten."""
    folder = tmp_path / "programs"
    folder.mkdir()
    program = folder / "nvidia-smi"
    write_nvidia_smi(program, "0, GeForce A, 8.6, 580.10, 8192, 7000", "1, Tesla B, 9.0, 580.10, [N/A], [N/A]")
    monkeypatch.setenv("PATH", str(folder))
    return program


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """Return the folder of a disk that really is full; only an administrator may mount one."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a small disk here")
    try:
        with (folder / "other files").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        assert shutil.disk_usage(folder).free == 0
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
