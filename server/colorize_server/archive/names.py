"""Names of results: patterns such as ``{stem}.{suffix}``, and names that stay within their folder."""

import string
import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

from ..errors import OutputError
from ..formats.encode import ENCODED_TYPES

FIELDS: Final = ("stem", "name", "suffix")
"""What a pattern may hold: the photograph's name without and with its ending, and the ending of the result."""


def check_pattern(pattern: str) -> None:
    """Refuse a pattern that gives no name of a picture.

    Raises:
        OutputError: it has other fields, names a folder, or has no ending that can be written.
    """
    hint = "Use a pattern such as '{stem}.{suffix}'; its fields are {stem}, {name} and {suffix}."
    try:
        fields = {field for _, field, _, _ in string.Formatter().parse(pattern) if field is not None}
    except ValueError as error:
        raise OutputError(f"--name {pattern}: its braces do not match.", hint, code="bad_parameter") from error
    if strange := sorted(fields - set(FIELDS)):
        raise OutputError(f"--name {pattern}: there is no field {{{strange[0]}}}.", hint, code="bad_parameter")
    made = named(pattern, Path("stem.jpg"), "png")
    if set(made) & set("/\\:\0") or made.startswith("."):
        raise OutputError(f"--name {pattern} is not the name of one file.", hint, code="bad_parameter")
    if not fields & {"stem", "name"} or PurePosixPath(made).suffix.lower() not in ENCODED_TYPES:
        raise OutputError(f"--name {pattern} does not name a picture for each photograph.", hint, code="bad_parameter")


def named(pattern: str, source: Path, suffix: str) -> str:
    """Return the name of a photograph's result; `suffix` is without its dot."""
    return pattern.format(stem=source.stem, name=source.name, suffix=suffix)


def leaves_folder(name: str, folder: Path | None) -> str:
    """Return why a relative name does not stay within a folder; empty where it does.

    Args:
        name: with forward slashes.
        folder: whose links are followed; None for a store that has none.
    """
    parts = PurePosixPath(name).parts
    if PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive or PureWindowsPath(name).root:
        return "is absolute"
    if ".." in parts or ".." in PureWindowsPath(name).parts:
        return "leaves the folder by '..'"
    if folder is not None and not (folder / name).resolve().is_relative_to(folder.resolve()):
        return "leaves the folder by a link"
    return ""


def alike(path: Path | str) -> str:
    """Return what two names have in common that some file system takes for one: case, and accents' spelling."""
    return unicodedata.normalize("NFC", str(path)).casefold()
