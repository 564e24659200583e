"""Follow the documents word by word, as a newcomer does: ``make check-readme``.

Every console block of the documents below is marked by a comment that does not show when it is rendered::

    <!-- run -->                    it is run, and has to succeed
    <!-- run; makes FILE FILE -->   so, and the files have to be there afterwards
    <!-- not run: REASON -->        it is not: it installs, or takes hours

The blocks of one document are run one after the other by one shell, in a clean clone of the checkout's last commit,
with a new home folder and, where the system allows it, with a network of its own that reaches nobody: so no server of
this computer is in the way, and nothing can be fetched.  In the clone lie the photographs that the documents speak of.

Nothing is installed: the clone's environment takes its packages from the one that runs this script, but the clone's own
code comes first.  That the documented installing works is shown by ``.ci/run`` (the README's first command, in a new
environment) and by ``tests/packaging`` (the wheel).
"""

import argparse
import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(CHECKOUT / "tests" / "fixtures"))  # the model of a few hundred bytes
DOCUMENTS: Final = ("README.md", "training/README.md", "server/PROTOCOL.md")
_BLOCK: Final = re.compile(r"^```console\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK: Final = re.compile(r"<!-- (?:(?P<run>run)(?:; makes (?P<makes>[^>]+?))?|not run: (?P<reason>[^>]+?)) -->\n\Z")
_TIMEOUT_S: Final = 600
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1


class BrokenDocumentError(Exception):
    """A document whose words cannot be followed."""


@dataclass(frozen=True)
class Block:
    """A console block.

    Attributes:
        document: where it stands.
        line: its first line there.
        text: its commands.
        runs: whether it is to be run.
        makes: files that must be there afterwards.
    """

    document: str
    line: int
    text: str
    runs: bool
    makes: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Name it."""
        return f"{self.document}, line {self.line}"


def blocks_of(document: str, markdown: str) -> list[Block]:
    """Return the console blocks of a document.

    Raises:
        BrokenDocumentError: one is not marked.
    """
    blocks = []
    for found in _BLOCK.finditer(markdown):
        line = markdown.count("\n", 0, found.start()) + 2
        mark = _MARK.search(markdown[: found.start()])
        if mark is None:
            raise BrokenDocumentError(f"{document}, line {line}: the block is not marked (see tests/check_readme.py).")
        makes = tuple((mark["makes"] or "").split())
        blocks.append(Block(document, line, found["text"], mark["run"] is not None, makes))
    return blocks


def follow(blocks: Sequence[Block], place: Path, environment: dict[str, str]) -> None:
    """Run blocks in one shell, so that later ones find what earlier ones have set.

    Raises:
        BrokenDocumentError: a command failed, or a file is missing; the message ends with what was printed.
    """
    script = ["set -euo pipefail"]
    for number, block in enumerate(blocks):
        script += [f"echo {number} >&9", block.text]
        script += [f"test -s {file} || {{ echo '{file} was not made.'; exit 1; }}" for file in block.makes]
    reached_file = place.parent / "reached"
    reached_file.touch()
    with tempfile.TemporaryFile() as printed, reached_file.open("r+b") as reached:
        shell = subprocess.Popen(
            ["bash", "-c", "exec 9>>" + str(reached_file) + "\n" + "\n".join(script)],
            cwd=place,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code: int | str = shell.wait(_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
            code = f"nothing within {_TIMEOUT_S} s"
        printed.seek(0)
        said = printed.read().decode("utf-8", "replace")
        numbers = reached.read().split()
    if code != 0:
        block = blocks[int(numbers[-1])]
        raise BrokenDocumentError(f"{block.place}: it ended with {code}.\n\n{block.text}\n{said[-4000:]}")


def clone(folder: Path) -> Path:
    """Return a clean clone with an environment that has its packages from ours."""
    place = folder / "colorize-server"
    source = CHECKOUT.as_uri()
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", source, str(place)], check=True)
    venv.create(place / ".venv", symlinks=True)
    programs = place / ".venv" / "bin"
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(place / ".venv")}))
    # The clone's code, then what is installed here; an editable install of this checkout would come after both.
    lines = [str(place / "server"), str(place / "training"), *(path for path in sys.path if "site-packages" in path)]
    (packages / "shared.pth").write_text("\n".join(lines) + "\n")
    scripts = tomllib.loads((place / "pyproject.toml").read_text())["project"]["scripts"]
    for name, target in scripts.items():
        module, function = target.split(":")
        script = programs / name
        lines = [
            f"#!{programs / 'python'}",
            "import sys",
            f"from {module} import {function}",
            f"sys.exit({function}())",
        ]
        script.write_text("\n".join(lines) + "\n")
        script.chmod(0o755)
    for stamp in ("main.stamp", "test.stamp"):  # make installs nothing
        (place / ".venv" / stamp).touch()
    return place


def lay_out(place: Path, home: Path) -> None:
    """Put down what the documents speak of: photographs by their names, a model, and a GIMP that was started once."""
    import numpy as np
    from PIL import Image
    from tiny_model import write_tiny_model

    photographs = CHECKOUT / "tests" / "photographs"
    for name in ("path/to/photo.jpg", "grandmother.jpg", "scans/a.jpg", "scans/1920/b.jpg"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photographs / "girl-1870.jpg", place / name)
    scan = Image.open(photographs / "abraham-lincoln-1860s.jpg").convert("L")
    scan.save(place / "scan.tif")
    scan.save(place / "scan.png")
    strokes = np.zeros((scan.height, scan.width, 4), np.uint8)
    strokes[100:140, 80:140] = (30, 90, 200, 255)
    Image.fromarray(strokes).save(place / "strokes.png")
    write_tiny_model(place / "my-model.onnx", suggests=True)
    (home / ".config" / "GIMP" / "3.0").mkdir(parents=True)


def lay_out_photographs_to_learn_from(place: Path) -> None:
    """Put down a folder of colour photographs; these are drawn."""
    from colorize_training.samples.drawn import make_photo

    (place / "photos").mkdir()
    for seed in range(24):
        make_photo(seed, side=100).save(place / "photos" / f"p{seed:02d}.png")


def leave_the_network() -> bool:
    """Move this process, and what it starts, into a network that holds its own loopback alone; False if it may not."""
    if sys.platform != "linux":
        return False
    import fcntl
    import socket
    import struct

    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    flags = _CLONE_NEWNET if uid == 0 else _CLONE_NEWUSER | _CLONE_NEWNET
    if libc.unshare(flags):
        return False
    if uid:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))
    return True


def environment_of(place: Path, home: Path) -> dict[str, str]:
    """Return the environment of a newcomer: nothing of ours but the search path."""
    programs = place / ".venv" / "bin"
    return {
        "HOME": str(home),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "TMPDIR": str(home.parent / "tmp"),
    }


def check(document: str) -> int:
    """Follow a document; returns how many blocks were run."""
    with tempfile.TemporaryDirectory(prefix="check-readme-") as name:
        folder = Path(name)
        home = folder / "home"
        home.mkdir()
        (folder / "tmp").mkdir()
        place = clone(folder)
        blocks = [block for block in blocks_of(document, (place / document).read_text("utf-8")) if block.runs]
        lay_out(place, home)
        environment = environment_of(place, home)
        if document == "training/README.md":
            lay_out_photographs_to_learn_from(place)
        if document == "server/PROTOCOL.md":  # a model that does all that the protocol knows
            use = [place / ".venv/bin/colorize-server", "model", "use", "my-model.onnx"]
            subprocess.run(use, cwd=place, env=environment, check=True, stdout=subprocess.DEVNULL)
        try:
            follow(blocks, place, environment)
        finally:  # a server that a document has started ends in any case
            subprocess.run(
                [place / ".venv/bin/colorize-server", "stop"], env=environment, check=False, capture_output=True
            )
        return len(blocks)


def main() -> int:
    """Follow all documents, or those that are named; the value is the exit code."""
    parser = argparse.ArgumentParser(description="Follow the documents word by word.")
    parser.add_argument("documents", nargs="*", default=DOCUMENTS, metavar="DOCUMENT")
    args = parser.parse_args()
    is_alone = leave_the_network()
    print("In a network of its own." if is_alone else "No network of its own may be made: ports are this computer's.")
    for document in args.documents:
        try:
            count = check(document)
        except BrokenDocumentError as error:
            print(error)
            return 1
        print(f"{document}: {count} blocks were followed.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
