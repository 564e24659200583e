"""Fixtures of the backend tests: models, the real TensorRT for RTX, and a cache folder of each test's own."""

import sys
from pathlib import Path

import pytest
from colorize_server import samples
from colorize_server.model import Model, load_model, shipped_model_path
from colorize_server.tensorrt.cache import CACHE_DIR_VARIABLE
from colorize_server.tensorrt.flavours import RTX
from colorize_server.tensorrt.library import Library

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a cache of its own, and return its folder of engines."""
    monkeypatch.setenv(CACHE_DIR_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "engines"


@pytest.fixture(scope="session")
def tiny(tiny_model_path: Path) -> Model:
    return load_model(tiny_model_path)


@pytest.fixture(scope="session")
def shipped() -> Model:
    return load_model(shipped_model_path())


@pytest.fixture(scope="session")
def rtx() -> Library:
    """Return the real TensorRT for RTX; on Linux x86-64 its absence is a failure, not a reason to skip."""
    import platform

    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("TensorRT for RTX is tested on Linux x86-64")
    return RTX.load()


@pytest.fixture
def one_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare precisions on one photograph, where the test is not about precision."""
    first = samples.sample_paths()[:1]
    monkeypatch.setattr(samples, "sample_paths", lambda: first)


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


def write_nvidia_smi(program: Path, *lines: str, code: int = 0) -> None:
    """Write a program that prints `lines`, with nothing but the shell's own commands."""
    echoes = "\n".join(f"echo '{line}'" for line in lines)
    program.write_text(f"#!/bin/sh\n{echoes}\nexit {code}\n")
    program.chmod(0o755)
