"""``colorize-server model``: which models there are, and which one is used where none is named."""

import argparse
from pathlib import Path
from typing import Any, Final

from ..backends.try_out import try_out
from ..errors import ColorizeError, ModelError
from ..installation.probe import find_daemon
from ..installation.state import StateFolder
from ..model import SHIPPED_MODEL, load_model, own_models_folder, shipped_model_path
from .model_option import model_path
from .own_models import choose, chosen_name, keep, own_models

_DESCRIPTION: Final = """\
Models of your own: those that colorize-train finetune made, and .onnx files that you were given.
The default is used by colorize and by the server, and so in GIMP and Photoshop.
"""


def add_parser(subparsers: Any) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser("model", help="choose the model that is used", description=_DESCRIPTION)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="say which models there are").set_defaults(act=_list)
    use = actions.add_parser("use", help="make a model the default; a file is copied to your models")
    use.add_argument("model", type=model_path, metavar="NAME|FILE", help=f"{SHIPPED_MODEL} is the one that is included")
    use.set_defaults(act=_use)
    remove = actions.add_parser("remove", help="delete a model of your own")
    remove.add_argument("name", metavar="NAME")
    remove.set_defaults(act=_remove)


def run(args: argparse.Namespace) -> int:
    """List, choose or remove; returns the exit code."""
    return int(args.act(args))


def _list(_: argparse.Namespace) -> int:
    default = chosen_name() or SHIPPED_MODEL
    models = {SHIPPED_MODEL: shipped_model_path(), **own_models()}
    for name in sorted({*models, default}):
        mark = "*" if name == default else " "
        print(f"{mark} {name}: {_described(models.get(name))}")
    print(f"\n* is the default.  Your own are in {own_models_folder()}")
    return 0


def _described(path: Path | None) -> str:
    if path is None:
        return "it is not there any more; choose another one"
    try:
        model = load_model(path)
    except ModelError as error:
        return str(error)
    sizes = ", ".join(map(str, model.card.sizes))
    return f"{model.card.name} {model.card.version} ({model.sha256[:12]}), network sizes {sizes}"


def _use(args: argparse.Namespace) -> int:
    model = load_model(args.model)
    trial = try_out("onnxruntime", args.model, 0)
    if not trial.works:
        raise ModelError(trial.message, trial.mend)
    name = keep(model)
    choose(name)
    print(f"{name} is the default now.")
    _tell_of_running(model.sha256)
    return 0


def _remove(args: argparse.Namespace) -> int:
    if args.name == SHIPPED_MODEL:
        raise ColorizeError(f"{SHIPPED_MODEL} comes with colorize-server and stays.", "Choose another one with use.")
    path = own_models().get(args.name)
    if path is None:
        there_are = ", ".join(own_models()) or "none"
        raise ColorizeError(f"There is no model of your own named {args.name}.", f"Those that there are: {there_are}.")
    was_default = chosen_name() == args.name
    if was_default:  # first, so that the default is never one that is gone
        choose(SHIPPED_MODEL)
    for file in (path, path.with_suffix(".sha256")):
        file.unlink(missing_ok=True)
    print(f"{args.name} was removed." + (f"  {SHIPPED_MODEL} is the default again." if was_default else ""))
    if was_default:
        _tell_of_running(load_model(shipped_model_path()).sha256)
    return 0


def _tell_of_running(sha256: str) -> None:
    """Say that a server that runs keeps its model, if that is another one."""
    running = find_daemon(StateFolder())
    has = None if running is None else running[1].health.get("model")
    if has and has.get("sha256") != sha256:
        print(f"The server that runs still has {has.get('name')} {has.get('version')}.  To change that:")
        print("    colorize-server start --background --replace")
