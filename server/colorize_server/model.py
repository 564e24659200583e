"""The model file: an ONNX graph with its card inside, checked before anything runs it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from .contract import (
    CARD_KEY,
    CARD_REQUIRED,
    CHANNELS,
    INPUT_HINTS,
    INPUT_LUMINANCE,
    OUTPUT_CHROMA,
    OUTPUT_COLOURS,
    OUTPUT_DOUBT,
)
from .errors import ModelError, SizeNotOfferedError
from .folders import data_folder

MODELS_FOLDER: Final = Path(__file__).parent / "models"
SHIPPED_MODEL: Final = "colorize-base"
"""Name of the model that ships with the package."""
MAX_SIDE_MULTIPLE: Final = 1024
_GRAPH_FIELD: Final = 7
_METADATA_FIELD: Final = 14
_OUTPUT_FIELD: Final = 12
_NAME_FIELD: Final = 1


@dataclass(frozen=True)
class ModelCard:
    """What a model says of itself; see `contract.CARD_KEY`.

    Attributes:
        name: for health, layers and messages.
        version: likewise.
        multiple_of: H and W of every input are multiples of it.
        sizes: network short sides that the model was tested at, ascending.
        default_size: one of `sizes`.
        licence: SPDX identifier of the weights.
        saturation: factor on the model's chroma that its authors chose.
        rest: everything else on the card (training, metrics).
    """

    name: str
    version: str
    multiple_of: int
    sizes: tuple[int, ...]
    default_size: int
    licence: str
    saturation: float = 1.0
    rest: dict[str, Any] = field(default_factory=dict)

    def check_size(self, size: int | None) -> int:
        """Return `size`, or the default for None.

        Raises:
            SizeNotOfferedError: the model was not tested at that size.
        """
        if size is None:
            return self.default_size
        if size not in self.sizes:
            raise SizeNotOfferedError.for_size(size, self.sizes, self.name)
        return size


@dataclass(frozen=True)
class Model:
    """A model file that was read whole and whose card is sound.

    Attributes:
        path: where it was read.
        data: the ONNX file's bytes.
        sha256: of `data`, hexadecimal.
        card: its card.
        suggests_colours: whether its graph has the contract's optional output `colours`.
    """

    path: Path
    data: bytes = field(repr=False)
    sha256: str
    card: ModelCard
    suggests_colours: bool = False


def shipped_model_path() -> Path:
    """Return the path of the model that ships with the package."""
    return MODELS_FOLDER / f"{SHIPPED_MODEL}.onnx"


def own_models_folder() -> Path:
    """Return the folder of a user's own models, found by name: `colorize-train finetune` puts NAME.onnx there."""
    return data_folder() / "models"


def load_model(path: Path) -> Model:
    """Read a model file and check its card and, where a `.sha256` file stands beside it, its checksum.

    The graph itself is checked by the backend that loads it (`check_signature`).

    Raises:
        ModelError: the file is missing, damaged, or has no sound card; the message names it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"The model {path} cannot be read: {error.strerror or error}.",
            "Reinstall colorize-server, or name another with --model.",
        ) from error
    sha256 = hashlib.sha256(data).hexdigest()
    beside = path.with_suffix(".sha256")
    if beside.is_file():
        expected = beside.read_text(encoding="ascii", errors="replace").split()
        if not expected or expected[0] != sha256:
            raise ModelError(
                f"The model {path} is damaged: its checksum is not the one in {beside.name}.",
                "Reinstall colorize-server, or copy the model again.",
            )
    try:
        texts, outputs = _metadata_and_outputs(data)
    except (ValueError, IndexError) as error:
        raise ModelError(
            f"The model {path} is damaged or is not an ONNX file.", "Copy or export the model again."
        ) from error
    return Model(path, data, sha256, _card(path, texts), OUTPUT_COLOURS in outputs)


def _card(path: Path, texts: dict[str, str]) -> ModelCard:
    try:
        raw = json.loads(texts[CARD_KEY])
        missing = [k for k in CARD_REQUIRED if k not in raw]
        if missing:
            raise ModelError(
                f"The card of the model {path} lacks {', '.join(missing)}.",
                "Export the model again with colorize-train export.",
            )
        sizes = tuple(sorted(int(s) for s in raw["sizes"]))
        card = ModelCard(
            name=str(raw["name"]),
            version=str(raw["version"]),
            multiple_of=int(raw["multiple_of"]),
            sizes=sizes,
            default_size=int(raw["default_size"]),
            licence=str(raw["licence"]),
            saturation=float(raw.get("saturation", 1.0)),
            rest={k: v for k, v in raw.items() if k not in CARD_REQUIRED},
        )
    except KeyError as error:
        raise ModelError(
            f"The model {path} has no card ({CARD_KEY}).", "Only models from colorize-train export can be used."
        ) from error
    except (ValueError, TypeError) as error:
        raise ModelError(f"The card of the model {path} cannot be read: {error}.", "Export the model again.") from error
    sound = (
        card.sizes
        and card.default_size in card.sizes
        and 1 <= card.multiple_of <= MAX_SIDE_MULTIPLE
        and 16 <= card.sizes[0] <= card.sizes[-1] <= 4096
    )
    if not sound:
        raise ModelError(f"The card of the model {path} contradicts itself.", "Export the model again.")
    return card


def _metadata_and_outputs(data: bytes) -> tuple[dict[str, str], set[str]]:
    """Return the metadata of an ONNX file and the names of its outputs, without the 70 ms that importing onnx takes.

    Reads the outermost fields of the file and of its graph (Protocol Buffers encoding; `ModelProto` of onnx.proto: 7 is
    the graph, 14 a metadata entry with key 1 and value 2; `GraphProto`: 12 is an output with name 1).

    Raises:
        ValueError, IndexError: it is no ONNX file, or is cut off.
    """
    texts = {}
    outputs: set[str] | None = None
    for number, value in _fields(memoryview(data)):
        if number == _GRAPH_FIELD:
            found = [dict(_fields(part)) for inner, part in _fields(value) if inner == _OUTPUT_FIELD]
            outputs = {bytes(output.get(_NAME_FIELD, b"")).decode() for output in found}
        elif number == _METADATA_FIELD:
            entry = dict(_fields(value))
            texts[bytes(entry.get(1, b"")).decode()] = bytes(entry.get(2, b"")).decode()
    if outputs is None:
        raise ValueError("there is no graph")
    return texts, outputs


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the number and the bytes of each length-delimited field of a message; others are passed over."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            _, at = _varint(data, at)
        elif kind == 2:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise ValueError("a field is cut off")
            yield tag >> 3, data[at : at + length]
            at += length
        else:
            raise ValueError("ModelProto has no fields of that kind")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("a number is too long")


def check_signature(
    model: Model, inputs: dict[str, tuple[str, list[object]]], outputs: dict[str, tuple[str, list[object]]]
) -> None:
    """Check names, types and channels of a loaded graph against the model contract.

    Args:
        model: for the message.
        inputs: name to (element type as ONNX Runtime or TensorRT spells float32, shape).
        outputs: likewise.

    Raises:
        ModelError: the model breaks the contract; the message names the tensor.
    """
    none: set[str] = set()
    sides = (
        (inputs, {INPUT_LUMINANCE, INPUT_HINTS}, none, "inputs"),
        (outputs, {OUTPUT_CHROMA, OUTPUT_DOUBT}, {OUTPUT_COLOURS}, "outputs"),
    )
    for found, names, optional, kind in sides:
        if set(found) - optional != names:
            raise ModelError(
                f"The model {model.path} has the {kind} {sorted(found)}, not {sorted(names)}.",
                "Only models from colorize-train export can be used.",
            )
        for name, (element, shape) in found.items():
            axes = "3, h, w" if name == OUTPUT_COLOURS else "H, W"
            rank = 5 if name == OUTPUT_COLOURS else 4
            if element != "float32" or len(shape) != rank or shape[1] != CHANNELS[name]:
                raise ModelError(
                    f"The model {model.path} has {name} as {element} {shape}, "
                    f"not float32 (N, {CHANNELS[name]}, {axes}).",
                    "Only models from colorize-train export can be used.",
                )
