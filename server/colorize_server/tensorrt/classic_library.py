"""TensorRT.  The only module that imports ``tensorrt``."""

import importlib.util
import re
from functools import lru_cache
from typing import Final

from ..errors import BackendError
from ..installation.packages import install_command
from .library import Library

OLDEST: Final = (10, 12)
"""The first version that offers strongly typed networks as we use them; 11 has nothing else."""
SUPPORTED: Final = "10.12 and later, and 11"
EXTRA: Final = "colorize-server[tensorrt]"


@lru_cache(maxsize=1)
def load() -> Library:
    """Import TensorRT.

    Raises:
        BackendError: it is missing, cannot be loaded, or is too old.
    """
    not_installed = BackendError("TensorRT is not installed.", f"Install it: {install_command(EXTRA)}.")
    if importlib.util.find_spec("tensorrt") is None:
        raise not_installed
    try:
        import tensorrt
    except (ImportError, OSError) as error:
        raise BackendError(
            f"TensorRT cannot be loaded: {error}.", f"Install it anew: {install_command(EXTRA)}."
        ) from error
    if not hasattr(tensorrt, "Builder"):  # a folder of type stubs, or what an uninstalled package left behind
        raise not_installed
    check_version(tensorrt.__version__)
    return tensorrt


def check_version(version: str) -> None:
    """Refuse a version that is too old.

    Raises:
        BackendError: it is.
    """
    numbers = tuple(map(int, re.findall(r"\d+", version)[:2]))
    if numbers < OLDEST:
        raise BackendError(
            f"TensorRT {version} is too old: {SUPPORTED} are supported.", f"Update it: {install_command(EXTRA)}."
        )
