"""The card beside an engine: everything that it was made from, as JSON."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from .. import __version__
from ..errors import BackendError
from .profile import Profile, Shape

CARD_SUFFIX: Final = ".json"
_KEY_DIGITS: Final = 16


@dataclass(frozen=True)
class EngineRecipe:
    """What decides the bytes of an engine; two engines of one recipe are interchangeable.

    Attributes:
        model_name: the model card's.
        model_version: the model card's.
        model_sha256: of the ONNX file.
        flavour: ``rtx`` or ``tensorrt``.
        library_version: of TensorRT or TensorRT for RTX.
        precision: ``fp16`` or ``fp32``.
        graph_recipe: `graph.GRAPH_RECIPE`.
        profiles: optimisation profiles.
        targets: compute capabilities asked for; empty means the library's own choice.
        workspace_mb: most scratch memory that a layer may use; None leaves it to the library.
        gpu: name and compute capability of the GPU, for an engine that fits no other; else None.
        driver: version of the driver, likewise.
    """

    model_name: str
    model_version: str
    model_sha256: str
    flavour: str
    library_version: str
    precision: str
    graph_recipe: int
    profiles: tuple[Profile, ...]
    targets: tuple[str, ...] = ()
    workspace_mb: int | None = None
    gpu: str | None = None
    driver: str | None = None

    @property
    def key(self) -> str:
        """A short digest of it all."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:_KEY_DIGITS]

    def differences(self, other: "EngineRecipe") -> list[str]:
        """Say in words in what an engine of the recipe `other` is not what this one asks for."""
        words = {
            "model_sha256": "the model",
            "library_version": "the library's version",
            "precision": "the precision",
            "graph_recipe": "the way the graph is converted",
            "profiles": "the sizes",
            "targets": "the target GPUs",
            "workspace_mb": "the workspace",
            "gpu": "the GPU",
            "driver": "the driver",
        }
        found = []
        for name, word in words.items():
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                shown = name in ("library_version", "precision", "gpu", "driver")
                found.append(f"{word} ({theirs}, now {mine})" if shown else word)
        return found


@dataclass(frozen=True)
class EngineCard:
    """What is known of one engine file.

    Attributes:
        recipe: what it was made from.
        engine_sha256: of the engine file, hexadecimal.
        engine_bytes: its length.
        build_s: seconds that the build took.
        built_by: version of colorize-server.
        chroma_difference: of the graph in its precision to float32, on sample photographs; empty for fp32.
    """

    recipe: EngineRecipe
    engine_sha256: str
    engine_bytes: int
    build_s: float
    built_by: str
    chroma_difference: dict[str, float]

    def as_members(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"kind": "colorize engine card", **asdict(self)}


def card_path(engine_path: Path) -> Path:
    """Return where the card of an engine stands."""
    return engine_path.with_name(engine_path.name + CARD_SUFFIX)


def make_card(recipe: EngineRecipe, engine: bytes, build_s: float, difference: dict[str, float]) -> EngineCard:
    """Describe an engine that was just built."""
    return EngineCard(
        recipe=recipe,
        engine_sha256=hashlib.sha256(engine).hexdigest(),
        engine_bytes=len(engine),
        build_s=round(build_s, 3),
        built_by=__version__,
        chroma_difference=difference,
    )


def read_card(engine_path: Path) -> EngineCard:
    """Read the card of an engine.

    Raises:
        BackendError: there is none, or it cannot be understood.
    """
    path = card_path(engine_path)
    try:
        members = json.loads(path.read_bytes())
        recipe = dict(members["recipe"])
        recipe["profiles"] = tuple(
            Profile(*(Shape(**profile[part]) for part in ("smallest", "usual", "largest")))
            for profile in recipe["profiles"]
        )
        recipe["targets"] = tuple(recipe["targets"])
        return EngineCard(
            recipe=EngineRecipe(**recipe),
            engine_sha256=str(members["engine_sha256"]),
            engine_bytes=int(members["engine_bytes"]),
            build_s=float(members["build_s"]),
            built_by=str(members["built_by"]),
            chroma_difference=dict(members["chroma_difference"]),
        )
    except OSError as error:
        raise BackendError(f"The engine {engine_path} has no card {path.name}.", "Build it again.") from error
    except (ValueError, TypeError, KeyError) as error:
        raise BackendError(f"The engine card {path} cannot be understood.", "Build the engine again.") from error


def read_engine(engine_path: Path) -> tuple[bytes, EngineCard]:
    """Read an engine whole and check it against its card.

    Raises:
        BackendError: it is missing or damaged; the message names it.
    """
    card = read_card(engine_path)
    try:
        engine = engine_path.read_bytes()
    except OSError as error:
        raise BackendError(
            f"The engine {engine_path} cannot be read: {error.strerror or error}.", "Build it again."
        ) from error
    if len(engine) != card.engine_bytes or hashlib.sha256(engine).hexdigest() != card.engine_sha256:
        raise BackendError(f"The engine {engine_path} is damaged: its checksum is not its card's.", "Build it again.")
    return engine, card
