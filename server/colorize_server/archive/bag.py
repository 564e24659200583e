"""Bags: results packed for a repository, with their checksums (BagIt 1.0, RFC 8693)."""

import hashlib
import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from .. import __version__
from ..errors import OutputError
from .entry import State
from .journal import Recorded, entries_in


def make_bag(recorded: Recorded, journal: Path, bag: Path) -> int:
    """Copy the results of a journal into a new bag, wholly or not at all, and the journal beside them.

    Args:
        recorded: what the journal says.
        journal: its file; results keep their place below its folder.
        bag: a folder that does not exist yet.

    Returns:
        How many results are in it.

    Raises:
        OutputError: the folder is there, a result is not as it was written, or the disk is full.
    """
    if os.path.lexists(bag):
        raise OutputError(f"{bag} exists already.", "Name a new folder for the bag.", code="output_exists")
    done = [entry for entry in entries_in(recorded) if entry.state is State.DONE]
    if not done:
        raise OutputError("The journal knows no result to put into a bag.", code="bad_parameter")
    bag.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".colorize-bag-", dir=bag.parent))
    try:
        octets = 0
        payload = []
        for entry in done:
            target = Path(entry.target)
            below = target.relative_to(journal.parent) if target.is_relative_to(journal.parent) else Path(target.name)
            name = f"data/{_plain(below.as_posix())}"
            if (building / name).exists():
                raise OutputError(f"Two results would be {name} in the bag.", "Keep them below the journal's folder.")
            found, size = _copy(target, building / name)
            if found != entry.target_sha256:
                raise OutputError(
                    f"{target} is not as it was written, so no bag was made.",
                    "Colour it again with --overwrite.",
                    code="changed",
                )
            payload.append((found, name))
            octets += size
        _copy(journal, building / "metadata" / journal.name)
        _write_tags(building, payload, octets)
        building.chmod(0o777 & ~_umask())
        building.rename(bag)
    except OSError as error:
        raise OutputError(f"The bag {bag} was not made: {error.strerror or error}.", "Free some space.") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return len(done)


def _write_tags(bag: Path, payload: list[tuple[str, str]], octets: int) -> None:
    tags = {
        "bagit.txt": "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": (
            f"Bag-Software-Agent: colorize {__version__}\n"
            f"Bagging-Date: {datetime.now(UTC).date().isoformat()}\n"
            f"Payload-Oxum: {octets}.{len(payload)}\n"
            "External-Description: Photographs whose colours are inferred; not the originals\n"
        ),
        "manifest-sha256.txt": "".join(f"{sha256}  {name}\n" for sha256, name in payload),
    }
    for name, text in tags.items():
        (bag / name).write_text(text, encoding="utf-8", newline="\n")
    names = [*tags, *(path.relative_to(bag).as_posix() for path in sorted((bag / "metadata").iterdir()))]
    sums = "".join(f"{hashlib.sha256((bag / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    (bag / "tagmanifest-sha256.txt").write_text(sums, encoding="utf-8", newline="\n")


def _plain(name: str) -> str:
    """Return a name without what manifests would have to spell as %25, %0A or %0D (RFC 8693, 2.1.3).

    Readers differ there: bagit-python takes %25 for these three characters.  A name without them is read by all alike.
    """
    return name.translate(str.maketrans("%\n\r", "___"))


def _copy(source: Path, target: Path) -> tuple[str, int]:
    """Copy a file; return the SHA-256 and the length of what was copied."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with source.open("rb") as reading, target.open("xb") as writing:
        while block := reading.read(1 << 20):
            digest.update(block)
            writing.write(block)
        writing.flush()
        os.fsync(writing.fileno())
    return digest.hexdigest(), target.stat().st_size


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
