"""The option ``--model``: a file, or the name of a model of one's own."""

import argparse
from pathlib import Path

from ..model import SHIPPED_MODEL, shipped_model_path
from .own_models import own_models


def model_path(text: str) -> Path:
    """Return the path of the model that a command line names.

    Args:
        text: an .onnx file, the name of a model in `own_models_folder`, or that of the model that ships.

    Raises:
        argparse.ArgumentTypeError: there is no model of that name; the message lists those that there are.
    """
    path = Path(text)
    if path.suffix == ".onnx" or path.name != text or path.is_file():
        return path  # whether it can be read is said by whoever reads it
    own = own_models().get(text)
    if own is not None:
        return own
    if text == SHIPPED_MODEL:
        return shipped_model_path()
    names = ", ".join([SHIPPED_MODEL, *own_models()])
    raise argparse.ArgumentTypeError(f"there is no model named {text}: choose {names}, or give an .onnx file")


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--model`` to a command; None stands for the default, see `own_models.model_of`."""
    parser.add_argument(
        "--model",
        type=model_path,
        metavar="NAME|FILE",
        help="a model of your own, by its name, or an .onnx file "
        "(default: what 'colorize-server model use' chose, or the model that is included)",
    )
