"""Open one backend, do one forward pass, and say how it went: in a process of its own, which may crash or hang.

``python -m colorize_server.backends.try_out NAME``: drivers bring programs down, and ``doctor`` must live to tell.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ..errors import BackendError, ColorizeError
from ..model import load_model
from . import open_backend

_TIMEOUT_S: Final = 300


@dataclass(frozen=True)
class Trial:
    """How one backend did.

    Attributes:
        name: as in `--backend`.
        works: whether it did a forward pass.
        message: what was taken, or why it does not work; one sentence.
        mend: what to do about it; empty if it works.
    """

    name: str
    works: bool
    message: str
    mend: str = ""


def demand_gpu(name: str, model: Path, device: int) -> None:
    """Make sure that a backend can compute on a GPU, for ``start --require-gpu``: before anything is started.

    Raises:
        BackendError: it cannot; the message says why.
    """
    trial = try_out(name, model, device, require_gpu=True)
    if not trial.works:
        raise BackendError(trial.message, trial.mend)


def try_out(name: str, model: Path, device: int, timeout_s: float = _TIMEOUT_S, *, require_gpu: bool = False) -> Trial:
    """Try a backend ("auto" is one, too) in a process of its own."""
    ours = [sys.executable, "-P", "-m", "colorize_server.backends.try_out"]
    command = [*ours, name, str(model), "--device", str(device)]
    if require_gpu:
        command.append("--require-gpu")
    try:
        done = subprocess.run(  # noqa: S603 - our own program, no shell
            command, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        return Trial(name, works=False, message=f"It hangs: nothing came back within {timeout_s:.0f} s.", mend=_UPDATE)
    try:
        return Trial(**json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError, TypeError):
        lines = done.stderr.strip().splitlines()
        said = f" Its last words: {lines[-1]}" if lines else ""
        return Trial(name, works=False, message=f"It crashed (exit code {done.returncode}).{said}", mend=_UPDATE)


_UPDATE: Final = "Update the graphics driver, or use --backend onnxruntime."


def _try_here(name: str, model_path: Path, device: int, *, require_gpu: bool) -> Trial:
    try:
        model = load_model(model_path)
        backend = open_backend(name, model, device=device, require_gpu=require_gpu)
        side = -(-model.card.sizes[0] // model.card.multiple_of) * model.card.multiple_of
        backend.run(np.zeros((1, 1, side, side), np.float32), np.zeros((1, 3, side, side), np.float32))
        backend.close()
    except ColorizeError as error:
        return Trial(name, works=False, message=error.message, mend=error.hint)
    return Trial(name, works=True, message=backend.reason)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("model", type=Path)
    parser.add_argument("--device", type=int, default=0)
    parser.add_argument("--require-gpu", action="store_true")
    args = parser.parse_args()
    trial = _try_here(args.name, args.model, args.device, require_gpu=args.require_gpu)
    sys.stdout.write(json.dumps(asdict(trial)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
