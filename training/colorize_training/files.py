"""Files that are written whole or not at all."""

from pathlib import Path

from colorize_server.files import is_full, replacing

from colorize_training.errors import DiskError


def write_atomically(path: Path, data: bytes, when_full: str = "Free some space or choose another --out.") -> None:
    """Write a file under a temporary name, flush it to the disk and rename it.

    Args:
        path: of the file; its folder is made.
        data: of the file.
        when_full: what to do when the disk is full.

    Raises:
        DiskError: if the disk is full or the folder cannot be written; a former file of that name is intact.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(data)
    except OSError as error:
        if is_full(error):
            raise DiskError(
                f"The disk is full: {path} ({len(data) / 1e6:.0f} MB) cannot be written.", when_full
            ) from error
        raise DiskError(f"{path} cannot be written ({error.strerror}).", "Choose another folder with --out.") from error
