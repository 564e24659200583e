"""Where the folders of this program's user are; none of them need exist."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import platformdirs

from .errors import OutputError

_NAME: Final = "colorize-server"


def home_folder() -> Path:
    """Return the user's home.

    Raises:
        OutputError: nobody knows where that is; so do all functions of this module.
    """
    return _found(Path.home)


def state_folder() -> Path:
    """Return where what outlives a server is kept."""
    return _found(lambda: platformdirs.user_state_dir(_NAME, appauthor=False))


def data_folder() -> Path:
    """Return where the user's own models are kept."""
    return _found(lambda: platformdirs.user_data_dir(_NAME, appauthor=False))


def cache_folder() -> Path:
    """Return where is kept what can be made again."""
    return _found(lambda: platformdirs.user_cache_dir(_NAME, appauthor=False))


def downloads_folder() -> Path:
    """Return where the user looks for new files."""
    return _found(platformdirs.user_downloads_dir)


def _found(ask: Callable[[], str | Path]) -> Path:
    try:
        return Path(ask())
    except RuntimeError as error:  # no HOME, and a user without an entry, as in some containers
        raise OutputError(
            "There is no telling where your home folder is.",
            "Set the environment variable HOME to a folder of your own.",
            code="not_writable",
        ) from error
