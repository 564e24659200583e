"""Models of one's own: where they are kept, and which of all is the default."""

import argparse
from pathlib import Path
from typing import Final

from ..errors import ModelError, OutputError
from ..files import write_whole
from ..installation.state import StateFolder
from ..model import SHIPPED_MODEL, Model, load_model, own_models_folder, shipped_model_path

_CHOICE: Final = "default-model"
"""File in the state folder; its text is the name of a model."""


def own_models() -> dict[str, Path]:
    """Return the files of one's own models by their names, sorted."""
    return {path.stem: path for path in sorted(own_models_folder().glob("*.onnx"))}


def chosen_name() -> str | None:
    """Return the name of the model that was chosen as the default, or None if none was."""
    try:
        folder = StateFolder()
    except OutputError:  # nobody knows where the user's folders are, so nothing can have been chosen there
        return None
    name = (folder.read(folder.path / _CHOICE) or b"").decode("utf-8", "replace").strip()
    return name or None


def default_model_path() -> Path | None:
    """Return the path of the model that was chosen as the default; None stands for the one that ships.

    Raises:
        ModelError: it is not there any more.
    """
    name = chosen_name()
    if name is None:
        return None
    path = own_models_folder() / f"{name}.onnx"
    if not path.is_file():
        raise ModelError(
            f"The model {name}, which was chosen as the default, is not in {path.parent} any more.",
            f"Choose another one: colorize-server model use {SHIPPED_MODEL}.",
        )
    return path


def model_of(args: argparse.Namespace) -> Path:
    """Return the path of the model that a command is to use: the one it names, else the default."""
    return args.model or default_model_path() or shipped_model_path()


def choose(name: str) -> None:
    """Make a model the default; the one that ships needs no note."""
    folder = StateFolder()
    folder.prepare()
    if name == SHIPPED_MODEL:
        (folder.path / _CHOICE).unlink(missing_ok=True)
    else:
        folder.write(folder.path / _CHOICE, f"{name}\n".encode())


def keep(model: Model) -> str:
    """Copy a model, and its checksum, to one's own; returns its name.

    Raises:
        ModelError: another one has its name.
        OutputError: it cannot be written.
    """
    name = model.path.stem
    taken = shipped_model_path() if name == SHIPPED_MODEL else own_models_folder() / f"{name}.onnx"
    if taken.is_file():
        if load_model(taken).sha256 == model.sha256:
            return name
        raise ModelError(
            f"There is another model named {name} already.", "Give the file another name, or remove that model first."
        )
    elsewhere = "keep the file where it is and name it with --model"
    write_whole(taken, model.data, elsewhere)
    write_whole(taken.with_suffix(".sha256"), f"{model.sha256}  {taken.name}\n".encode(), elsewhere)
    return name
