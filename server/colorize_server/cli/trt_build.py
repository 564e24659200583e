"""``trt-build``: build the TensorRT engine of a model."""

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from ..errors import BackendError, BadRequestError, CancelledError, ColorizeError
from ..tensorrt.flavours import FLAVOURS, RTX
from ..tensorrt.graph import Precision
from .model_option import model_path
from .own_models import model_of

_DESCRIPTION: Final = """\
Builds the TensorRT engine of a model, so that colorize-server computes on an NVIDIA graphics card.

--flavour rtx (TensorRT for RTX) is for GeForce RTX and RTX PRO cards; it takes seconds, needs no graphics card to
build, and colorize-server does it by itself when an engine is missing.
--flavour tensorrt (TensorRT) is for data-centre cards; it takes minutes and must be done on the card in question.

Without -o the engine goes where colorize-server looks for it.  Beside each engine stands a card (.json) that tells what
it was made from; if it is there already and nothing has changed, nothing is built.
"""

_INTERRUPTED: Final = 130
"""Exit code of a program that Ctrl+C has ended."""


def parser() -> argparse.ArgumentParser:
    """Describe the arguments."""
    described = argparse.ArgumentParser(
        prog="trt-build", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    described.add_argument(
        "model", nargs="?", type=model_path, metavar="MODEL", help="name or .onnx file (default: the included model)"
    )
    described.add_argument("-o", "--output", type=Path, metavar="ENGINE", help="file to write (default: in the cache)")
    described.add_argument("--flavour", choices=sorted(FLAVOURS), default=RTX.name, help="default: %(default)s")
    described.add_argument(
        "--precision",
        choices=[precision.value for precision in Precision],
        default=Precision.FP16.value,
        help="of the arithmetic; fp16 is faster, and is compared with fp32 first (default: %(default)s)",
    )
    described.add_argument(
        "--sizes", type=_sizes, default=(), metavar="256,384,...", help="network short sides (default: the model's)"
    )
    described.add_argument(
        "--batch", type=_batch, default=1, metavar="N", help="pictures at a time, up to N (default: %(default)s)"
    )
    described.add_argument(
        "--compute-capability",
        nargs="+",
        default=(),
        metavar="8.6",
        help="build for these cards only (rtx; default: 8.0, 8.6, 8.9, 12.0 and later; 7.5 only if asked for)",
    )
    described.add_argument("--workspace", type=_megabytes, metavar="MB", help="most scratch memory of a layer")
    described.add_argument("--device", type=int, default=0, metavar="N", help="graphics card to build on (tensorrt)")
    described.add_argument("--force", action="store_true", help="build even if nothing has changed")
    described.add_argument("--json", action="store_true", help="print the engine's card, for programs")
    return described


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the value is the process's exit code."""
    args = parser().parse_args(arguments)
    with _ctrl_c() as cancelled:
        try:
            return run(args, cancelled)
        except (ColorizeError, KeyboardInterrupt) as error:
            if isinstance(error, ColorizeError) and not cancelled.is_set():
                print(f"trt-build: {error}", file=sys.stderr)
                return 1
            print("\ntrt-build: stopped; nothing was written.", file=sys.stderr, flush=True)
            # Threads of the library go on for a while after a build was stopped: they log through the interpreter, and
            # an orderly end of it under them is a crash.
            os._exit(_INTERRUPTED)


@contextlib.contextmanager
def _ctrl_c() -> Iterator[threading.Event]:
    """Note that Ctrl+C was pressed, beside raising KeyboardInterrupt.

    Native code that calls back, as a library does while it is being imported, makes another error of the exception, or
    none.
    """
    cancelled = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        cancelled.set()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # where there are no signals
        yield cancelled
        return
    former = signal.signal(signal.SIGINT, stop)
    try:
        yield cancelled
    finally:
        signal.signal(signal.SIGINT, former)


def run(args: argparse.Namespace, cancelled: threading.Event) -> int:
    """Build; the value is the exit code.

    Args:
        args: see `parser`.
        cancelled: ends the build when it is set; nothing is written then.
    """
    # Here, so that --help answers at once.
    from ..backends.gpu import choose_gpu
    from ..model import load_model
    from ..tensorrt.build import BuildRequest, build_engine, recipe_for
    from ..tensorrt.cache import cached_path, save_engine
    from ..tensorrt.card import EngineCard, read_engine

    flavour = FLAVOURS[args.flavour]
    model = load_model(model_of(args))
    gpu = None
    if flavour.needs_gpu_to_build:
        gpu = choose_gpu(args.device)
        # The builder takes the first card that it sees; it has to be told before its library is loaded.
        os.environ["CUDA_VISIBLE_DEVICES"] = str(args.device)
    library = flavour.load()
    request = BuildRequest(
        Precision(args.precision), args.sizes, args.batch, tuple(args.compute_capability), args.workspace
    )
    recipe = recipe_for(model, flavour, library, request, gpu)
    path = args.output or cached_path(recipe)
    if path.is_dir():
        raise BadRequestError(f"{path} is a folder.", "Name a file with -o.")
    card: EngineCard | None = None
    if path.exists() and not args.force:
        try:
            _, card = read_engine(path)
        except BackendError as error:
            print(f"trt-build: {error.message} It is built again.", file=sys.stderr)
        if card is not None and card.recipe != recipe:
            card = None
    was_there = card is not None
    if card is None:
        line = _ProgressLine(is_shown=not args.json and sys.stderr.isatty())
        engine, card = build_engine(model, flavour, library, recipe, progress=line.show, cancelled=cancelled)
        if cancelled.is_set():
            raise CancelledError("The build was cancelled.")
        save_engine(path, engine, card)
        line.end()
    if args.json:
        print(json.dumps({"path": str(path), "built": not was_there, **card.as_members()}, indent=1))
        return 0
    print(f"{'Up to date' if was_there else 'Built'}: {path}")
    print(
        f"{flavour.title} {recipe.library_version}, {recipe.precision}, {card.engine_bytes / 1e6:.1f} MB,"
        f" built in {card.build_s:.1f} s"
    )
    if card.chroma_difference:
        print(
            f"Colours differ from full precision by {card.chroma_difference['mean']:.3f} a*b* units on the average,"
            f" {card.chroma_difference['largest']:.3f} at most."
        )
    return 0


class _ProgressLine:
    """One line on the terminal that is written over."""

    def __init__(self, *, is_shown: bool) -> None:
        self._is_shown = is_shown

    def show(self, step: str, fraction: float) -> None:
        if self._is_shown:
            print(f"\r{100 * fraction:3.0f} %  {step:<32}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._is_shown:
            print("\r" + " " * 40 + "\r", end="", file=sys.stderr, flush=True)


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(sorted({int(word) for word in text.split(",")}))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a list of numbers such as 256,512") from None


def _batch(text: str) -> int:
    number = text.removeprefix("1..")
    if not number.isdigit():
        raise argparse.ArgumentTypeError(f"{text} is not a number of pictures")
    return int(number)


def _megabytes(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of megabytes")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
