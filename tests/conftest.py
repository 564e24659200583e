"""Fixtures that more than one folder of tests uses."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
sys.path.insert(0, str(TESTS))

from tiny_model import write_tiny_model  # noqa: E402  (found by the line above)


@pytest.fixture(scope="session")
def photographs() -> Path:
    """Return the folder of real sample photographs."""
    return TESTS / "photographs"


@pytest.fixture(scope="session")
def tiny_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model of a few hundred bytes that keeps the model contract."""
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


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
