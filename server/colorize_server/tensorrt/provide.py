"""The engine that the server runs: from the cache, or built there, or the command that builds it."""

import logging
import shlex
from dataclasses import dataclass
from pathlib import Path

from ..backends.gpu import Gpu
from ..errors import BackendError, OutputError
from ..model import Model, shipped_model_path
from .build import BuildRequest, build_engine, recipe_for
from .cache import find_engine, save_engine
from .flavours import Flavour
from .library import Library

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProvidedEngine:
    """An engine that is ready to be loaded.

    Attributes:
        path: its file.
        engine: its bytes.
        note: in words, whether it was there or why it was built.
    """

    path: Path
    engine: bytes
    note: str


def provide_engine(model: Model, flavour: Flavour, library: Library, gpu: Gpu) -> ProvidedEngine:
    """Return the engine of `model` for `gpu`.

    What takes a second is simply done (TensorRT for RTX); what takes minutes and the whole GPU is left to the user,
    with the exact command (TensorRT).

    Raises:
        BackendError: there is none and it must be built by hand, or it cannot be built.
        ModelError: the model breaks the contract.
    """
    request = BuildRequest(capabilities=flavour.targets_for(library, gpu))
    recipe = recipe_for(model, flavour, library, request, gpu)
    found = find_engine(recipe)
    if found.engine is not None:
        return ProvidedEngine(found.path, found.engine, "")
    if flavour.needs_gpu_to_build:
        raise BackendError(found.why_not, f"Build it, which takes minutes: {build_command(model, flavour, gpu)}")
    _LOG.warning("%s It is built now.", found.why_not)
    engine, card = build_engine(model, flavour, library, recipe)
    note = f"{found.why_not} It was built in {card.build_s:.1f} s."
    try:
        save_engine(found.path, engine, card)
    except OutputError as error:  # it works all the same; only the next start has to build it again
        _LOG.warning("%s", error)
        note = f"{note} {error.message}"
    return ProvidedEngine(found.path, engine, note)


def build_command(model: Model, flavour: Flavour, gpu: Gpu | None) -> str:
    """Return the command line that builds the engine which the server looks for."""
    words = ["trt-build"]
    if model.path.absolute() != shipped_model_path().absolute():
        words.append(str(model.path))
    words += ["--flavour", flavour.name]
    if gpu is not None and gpu.index:
        words += ["--device", str(gpu.index)]
    return shlex.join(words)
