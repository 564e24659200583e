"""TensorRT for RTX.  The only module that imports its bindings, and that loads its libraries.

The bindings come without the libraries; ONNX Runtime's plug-in execution provider for TensorRT for RTX bundles them.
Together they are the whole of it, from PyPI alone.
"""

import contextlib
import ctypes
import importlib.util
import os
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, cast

from ..errors import BackendError
from ..installation.packages import install_command
from .library import Library

BINDINGS_MODULE: Final = "tensorrt_rtx_bindings"
LIBRARIES_MODULE: Final = "onnxruntime_ep_nv_tensorrt_rtx"
EXTRA: Final = "colorize-server[rtx]"

_PRELOADED: Final = (
    ("libcudart.so.*", "libtensorrt_rtx.so.*", "libtensorrt_onnxparser_rtx.so.*")
    if sys.platform != "win32"
    else ("cudart64_*.dll", "tensorrt_rtx_*.dll", "tensorrt_onnxparser_rtx_*.dll")
)
"""In this order: each needs the ones before it."""


def libraries_folder() -> Path:
    """Return the folder of the bundled libraries.

    Raises:
        BackendError: they are not installed.
    """
    spec = importlib.util.find_spec(LIBRARIES_MODULE)
    if spec is None or spec.origin is None:
        raise _not_installed()
    return Path(spec.origin).parent


@lru_cache(maxsize=1)
def preload() -> Path:
    """Load the libraries so that the bindings, and the execution provider, find them; returns their folder.

    Raises:
        BackendError: they are not installed or cannot be loaded here.
    """
    folder = libraries_folder()
    # Windows has no RTLD_GLOBAL: a library that is loaded already is found by its name.
    mode = getattr(ctypes, "RTLD_GLOBAL", 0)
    for pattern in _PRELOADED:
        found = sorted(folder.glob(pattern))
        if not found:
            raise BackendError(
                f"TensorRT for RTX lacks {pattern} in {folder}.", f"Install it anew: {install_command(EXTRA)}."
            )
        try:
            ctypes.CDLL(str(found[-1]), mode=mode)
        except OSError as error:
            raise BackendError(
                f"{found[-1].name} of TensorRT for RTX cannot be loaded: {error}.",
                f"Install it anew: {install_command(EXTRA)}.",
            ) from error
    return folder


@lru_cache(maxsize=1)
def load() -> Library:
    """Import the bindings.

    Raises:
        BackendError: a package is missing, or the two are of different versions.
    """
    if importlib.util.find_spec(BINDINGS_MODULE) is None:
        raise _not_installed()
    folder = preload()
    try:
        with _on_search_path(folder):
            import tensorrt_rtx_bindings
    except (ImportError, OSError) as error:
        raise BackendError(
            f"TensorRT for RTX cannot be loaded: {error}.", f"Install it anew: {install_command(EXTRA)}."
        ) from error
    bindings: Any = tensorrt_rtx_bindings
    bundled = [name for name in _bundled_versions() if not bindings.__version__.startswith(name)]
    if bundled:
        raise BackendError(
            f"The bindings of TensorRT for RTX are {bindings.__version__}, its libraries {bundled[0]}.",
            f"Install both anew: {install_command(EXTRA)}.",
        )
    return cast(Library, bindings)


@contextlib.contextmanager
def _on_search_path(folder: Path) -> Iterator[None]:
    """Put a folder on PATH for a while: on Windows the bindings look for the libraries there, loaded or not."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([str(folder), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before


def _bundled_versions() -> list[str]:
    """Return the version in the file name of the library; empty where file names carry none that can be compared."""
    prefix = "libtensorrt_rtx.so."
    return [path.name.removeprefix(prefix) for path in libraries_folder().glob(prefix + "*.*")]


def _not_installed() -> BackendError:
    import platform

    machine = platform.machine().lower()
    if sys.platform not in ("linux", "win32") or machine not in ("x86_64", "amd64"):
        return BackendError(
            "TensorRT for RTX exists for Linux and Windows on x86-64 only.", "Use --backend onnxruntime here."
        )
    return BackendError("TensorRT for RTX is not installed.", f"Install it: {install_command(EXTRA)}.")
