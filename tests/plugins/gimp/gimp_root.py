"""A real GIMP 3 in the folder that make_root.sh makes, driven by JSON lines (driver.py)."""

import contextlib
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
SUITE = os.environ.get("COLORIZE_GIMP_SUITE", "trixie")
"""Debian's suite from which GIMP comes: trixie (3.0) or sid (3.2)."""
START_TIMEOUT_S = 120
CALL_TIMEOUT_S = 180


def root_folder() -> Path:
    """Return the folder with GIMP; it need not exist."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "colorize-server-tests" / f"gimp-{SUITE}"


class GimpError(AssertionError):
    """GIMP or the driver failed; the text holds the traceback of the driver."""


class Session:
    """A folder that a GIMP and the tests share, and a GIMP profile with the installed plug-in in it.

    Args:
        root: folder with GIMP.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "srv").mkdir(exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="t", dir=root / "srv"))
        self.profile = self.folder / "profile"
        self.plug_in = self.profile / "plug-ins" / "colorize"
        self.log = self.folder / "gimp.log"

    def inside(self, path: Path) -> str:
        """Return the path that GIMP sees."""
        return "/" + str(path.relative_to(self.root))

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of programs in the folder."""
        return {
            "HOME": self.inside(self.folder),
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "GIMP3_DIRECTORY": self.inside(self.profile),
            "NO_AT_BRIDGE": "1",
            **more,
        }

    def install_plug_in(self) -> None:
        """Install the plug-in as the artist does."""
        argv = [sys.executable, "-P", "-m", "colorize_server.cli.main", "install", "gimp"]
        subprocess.run([*argv, "--folder", str(self.plug_in.parent)], check=True, capture_output=True)

    def record(self, **members: object) -> None:
        """Change what the installer recorded of the server."""
        file = self.plug_in / "server.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **members}))

    def use_state(self, state_file: Path) -> None:
        """Let the plug-in find the server whose state file this is; it must lie in the shared folder."""
        self.record(state_file=self.inside(state_file))

    def remember(self, **values: object) -> None:
        """Change values that GIMP remembers of the last run of Colorize Photograph from its dialog."""
        (file,) = (self.profile / "plug-in-settings").glob("*plug-in-colorize-photograph.last")
        text = file.read_text()
        for name, value in values.items():
            text, found = re.subn(rf"\({name} [^)]*\)", f"({name} {value})", text)
            assert found == 1, f"{name} is not in {file}:\n{text}"
        file.write_text(text)

    def share(self, file: Path) -> str:
        """Copy a file into the shared folder; returns the path that GIMP sees."""
        return self.inside(Path(shutil.copy(file, self.folder)))

    def remove(self) -> None:
        """Remove the shared folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Gimp:
    """A running GIMP.

    Args:
        session: its folder and profile.
        program: ``gimp-console``, or ``gimp`` with a display in the environment.
        environment: more variables.
    """

    def __init__(self, session: Session, program: str = "gimp-console", **environment: str) -> None:
        self.session = session
        shutil.copy(HERE / "driver.py", session.folder / "driver.py")
        for name in ("requests", "answers"):
            with contextlib.suppress(FileNotFoundError):
                (session.folder / name).unlink()
            os.mkfifo(session.folder / name)
        # Opened for both, so that neither side waits for the other to open.
        self._requests = os.open(session.folder / "requests", os.O_RDWR)
        self._answers = os.open(session.folder / "answers", os.O_RDWR)
        self._pending = b""
        folder = session.inside(session.folder)
        batch = f"import sys; sys.path.insert(0, {folder!r}); import driver; driver.serve({folder!r})"
        options = ["-id"] if program == "gimp-console" else ["--new-instance", "--no-splash"]
        argv = ["chroot", str(session.root), program, *options, "--batch-interpreter=python-fu-eval", "-b", batch]
        with session.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*argv, *(["--quit"] if program == "gimp-console" else [])],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=session.environment(**environment) | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                start_new_session=True,
            )
        self.call("process_ids", timeout_s=START_TIMEOUT_S)

    def call(self, function: str, timeout_s: float = CALL_TIMEOUT_S, **arguments: object) -> object:
        """Call a function of driver.py inside GIMP; paths are those that GIMP sees."""
        os.write(self._requests, json.dumps({"call": function, "arguments": arguments}).encode() + b"\n")
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._pending:
            ready, _, _ = select.select([self._answers], [], [], 0.2)
            if ready:
                self._pending += os.read(self._answers, 1 << 20)
            elif self.process.poll() is not None:
                raise GimpError(f"GIMP ended during {function}: {self.tail()}")
            elif time.monotonic() > deadline:
                raise GimpError(f"{function} took longer than {timeout_s} s: {self.tail()}")
        line, self._pending = self._pending.split(b"\n", 1)
        answer = json.loads(line)
        if "error" in answer:
            raise GimpError(f"{function}: {answer['error']}{self.tail()}")
        return answer["value"]

    def plug_in_processes(self) -> list[psutil.Process]:
        """Return the processes of our plug-in that GIMP runs now."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if any("colorize.py" in word for word in _command_line(child))]

    def tail(self) -> str:
        """Return the last lines that GIMP and the plug-in printed."""
        return "\n" + self.session.log.read_text("utf-8", "replace")[-3000:]

    def close(self) -> None:
        """End GIMP."""
        if self.process.poll() is None:
            with contextlib.suppress(GimpError):
                self.call("quit", timeout_s=10)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, 9)
                self.process.wait()
        os.close(self._requests)
        os.close(self._answers)


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
