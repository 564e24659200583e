"""Engines on disk: under the user's cache folder, named by what they were made from, written whole or not at all."""

import contextlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .. import folders
from ..errors import BackendError
from ..files import refusal, replacing
from .card import EngineCard, EngineRecipe, card_path, read_card, read_engine

CACHE_DIR_VARIABLE: Final = "COLORIZE_CACHE_DIR"
"""Environment variable that names another folder, for tests or for a disk with more room."""
ENGINE_SUFFIX: Final = ".engine"
KERNELS_SUFFIX: Final = ".kernels"


def cache_folder() -> Path:
    """Return the folder of this user's engines; it need not exist."""
    named = os.environ.get(CACHE_DIR_VARIABLE)
    base = Path(named) if named else folders.cache_folder()
    return base / "engines"


def cached_path(recipe: EngineRecipe) -> Path:
    """Return where an engine of that recipe stands, whether or not it is there."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", recipe.model_name)
    return cache_folder() / f"{name}-{recipe.flavour}-{recipe.precision}-{recipe.key}{ENGINE_SUFFIX}"


def kernels_path(engine_path: Path) -> Path:
    """Return where the kernels that were compiled for an engine are kept."""
    return engine_path.with_name(engine_path.name + KERNELS_SUFFIX)


@dataclass(frozen=True)
class Found:
    """What the cache says of a recipe.

    Attributes:
        path: where the engine stands or will stand.
        engine: its bytes, None if it is not there or is damaged.
        card: its card, likewise.
        why_not: in words, why there is none that can be used; empty if there is.
    """

    path: Path
    engine: bytes | None
    card: EngineCard | None
    why_not: str = ""


def find_engine(recipe: EngineRecipe) -> Found:
    """Look for an engine of exactly that recipe."""
    path = cached_path(recipe)
    if path.exists():
        try:
            engine, card = read_engine(path)
        except BackendError as error:
            return Found(path, None, None, error.message)
        if card.recipe == recipe:
            return Found(path, engine, card)
        return Found(path, None, None, f"The engine {path} has the card of another engine.")
    others = _others(recipe)
    if not others:
        return Found(path, None, None, "No engine was built for this model yet.")
    differences = min((recipe.differences(other) for other in others), key=len)
    return Found(path, None, None, f"The engine that was built differs in {', '.join(differences)}.")


def _others(recipe: EngineRecipe) -> list[EngineRecipe]:
    """Return the recipes of engines of the same model name and flavour."""
    found = []
    for path in sorted(cache_folder().glob(f"*{ENGINE_SUFFIX}")):
        with contextlib.suppress(BackendError):
            other = read_card(path).recipe
            if (other.model_name, other.flavour) == (recipe.model_name, recipe.flavour):
                found.append(other)
    return found


def save_engine(path: Path, engine: bytes, card: EngineCard) -> None:
    """Write an engine and its card; whatever happens, no half of either is left.

    Kernels that were compiled for an earlier engine of that name are removed.

    Raises:
        OutputError: the disk is full, or the folder cannot be written.
    """
    content = json.dumps(card.as_members(), indent=1).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(card_path(path)) as card_file, replacing(path) as engine_file:
            for file, data in ((engine_file, engine), (card_file, content)):
                file.write(data)
                file.flush()
                os.fsync(file.fileno())  # both are on the disk before either has its name
            kernels_path(path).unlink(missing_ok=True)
            # The old card goes first: an engine without its own card is never used.
            card_path(path).unlink(missing_ok=True)
    except OSError as error:
        raise refusal(path, error, "name another file with -o") from error
