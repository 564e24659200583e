"""The curves and pictures of a run, for TensorBoard."""

import sys
from collections.abc import Callable
from pathlib import Path

from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from colorize_training.errors import DiskError


class Board:
    """Writes what TensorBoard shows.  A disk that becomes full costs the curves, never the run or its last checkpoint.

    Args:
        folder: for the event files.

    Raises:
        DiskError: if the folder cannot be written to begin with.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._writer: SummaryWriter | None = SummaryWriter(str(folder))
        except OSError as error:
            raise DiskError(f"{folder} cannot be written ({error}).", "Choose another folder with --out.") from error

    def scalar(self, name: str, value: float, pictures: int) -> None:
        """Note one value of a curve."""
        self._attempt(lambda writer: writer.add_scalar(name, value, pictures))

    def picture(self, name: str, rgb: Tensor, pictures: int) -> None:
        """Note a picture, (3, H, W) uint8."""
        self._attempt(lambda writer: writer.add_image(name, rgb, pictures))

    def close(self) -> None:
        """Write what is still waiting."""
        self._attempt(lambda writer: writer.close())

    def _attempt(self, write: Callable[[SummaryWriter], object]) -> None:
        if self._writer is None:
            return
        try:
            write(self._writer)
        except OSError as error:
            self._writer = None
            tqdm.write(f"{self._folder} cannot be written any more ({error}): no curves from here on.", file=sys.stderr)
