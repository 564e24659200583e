"""Where the daemon keeps what outlives it: the token, the state file that tells clients where it is, the lock, the log.

All of it lies in one folder that only its user may read.  Files are written beside themselves and renamed, so that
a reader never sees half a file, and no link is ever followed: whoever can place a link in the folder's way
would otherwise choose which file the daemon overwrites, or learn the token.
"""

import contextlib
import json
import os
import secrets
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from .. import files, folders
from ..errors import OutputError

STATE_DIR_VARIABLE: Final = "COLORIZE_STATE_DIR"
"""Environment variable that names another folder, for a second installation or for tests."""

TOKEN_BYTES: Final = 32
ROOM_BYTES: Final = 1 << 20
"""What the files of the folder and a few lines of log need."""
_PID_OFFSET: Final = 1
"""Where the lock's process stands in its file: Windows lets nobody else read the byte that is locked, the first."""
_O_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)  # Windows has neither the flag nor links that users may make
_O_BINARY: Final = getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class DaemonState:
    """Where a running daemon is and how to talk to it; the content of ``state.json``.

    Attributes:
        product: always ``colorize-server``.
        version: the daemon's version.
        protocol: version of the HTTP protocol.
        host: address it listens on.
        port: port it listens on.
        pid: its process.
        token: the token of this installation.
        options: what it was started with, as far as nothing else tells, by the names of `Settings`; empty if unknown.
    """

    product: str
    version: str
    protocol: int
    host: str
    port: int
    pid: int
    token: str
    options: dict[str, Any] = field(default_factory=dict)


def state_dir() -> Path:
    """Return the folder of this user's daemon; it need not exist.

    Raises:
        OutputError: nobody knows where the user's folders are.
    """
    named = os.environ.get(STATE_DIR_VARIABLE)
    return Path(named) if named else folders.state_folder()


class StateFolder:
    """The private folder.

    Args:
        path: the folder; None takes `state_dir()`.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or state_dir()
        self.state_file = self.path / "state.json"
        self.token_file = self.path / "token"
        self.lock_file = self.path / "lock"
        self.log_file = self.path / "server.log"
        self.start_log_file = self.path / "start.log"
        self._held: IO[bytes] | None = None

    def prepare(self) -> None:
        """Create the folder, private to its user.

        Raises:
            OutputError: if it cannot be created or written, is a link, or belongs to someone else.
        """
        hint = f"Make it writable, or name another folder in the environment variable {STATE_DIR_VARIABLE}."
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = self.path.lstat()
        except OSError as error:
            raise OutputError(
                f"The folder {self.path} cannot be created ({error.strerror}).", hint, code="not_writable"
            ) from error
        if not stat.S_ISDIR(status.st_mode):
            raise OutputError(
                f"{self.path} is a link, and the server's folder must be a real one.",
                f"Remove the link, or name another folder in the environment variable {STATE_DIR_VARIABLE}.",
                code="not_writable",
            )
        if sys.platform == "win32":
            _restrict_to_user(self.path)
            return
        if status.st_uid != os.getuid():
            raise OutputError(f"The folder {self.path} belongs to another user.", hint, code="not_writable")
        if stat.S_IMODE(status.st_mode) & 0o077:
            try:
                self.path.chmod(0o700)
            except OSError as error:
                raise OutputError(
                    f"The folder {self.path} cannot be made private.", hint, code="not_writable"
                ) from error

    def write(self, file: Path, content: bytes) -> None:
        """Write a private file atomically.

        Raises:
            OutputError: if the disk is full or the folder cannot be written.
        """
        try:
            with files.replacing(file, mode=0o600) as stream:
                stream.write(content)
        except OSError as error:
            raise refusal(file, error) from error

    def read(self, file: Path, offset: int = 0) -> bytes | None:
        """Return a private file's content from a byte on.

        None if there is no such file, it is a link or a folder, or it is not this user's alone.
        """
        try:
            stream = open(file, "rb", opener=_open_no_link)  # noqa: SIM115 - Path.open takes no opener
        except OSError:
            return None
        with stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                return None
            if sys.platform != "win32" and (status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077):
                return None
            stream.seek(offset)
            return stream.read(1 << 16)

    def known_token(self) -> str | None:
        """Return the token of this installation, or None if there is none yet or others could have read it."""
        content = self.read(self.token_file)
        token = "" if content is None else content.decode("ascii", "replace").strip()
        return token if len(token) >= TOKEN_BYTES and token.isalnum() else None

    def token(self) -> str:
        """Return the token of this installation, made when there is none that is secret."""
        return self.known_token() or self.rotate_token()

    def rotate_token(self) -> str:
        """Make and keep a new token."""
        token = secrets.token_hex(TOKEN_BYTES)
        self.keep_token(token)
        return token

    def keep_token(self, token: str) -> None:
        """Write a token to its file."""
        self.write(self.token_file, token.encode() + b"\n")

    def save(self, state: DaemonState) -> None:
        """Tell clients where the daemon is."""
        self.write(self.state_file, json.dumps(asdict(state), indent=1).encode())

    def load(self) -> DaemonState | None:
        """Return what the last daemon told, or None; it may have ended since without a word."""
        content = self.read(self.state_file)
        if content is None:
            return None
        try:
            members = json.loads(content)
            state = DaemonState(**members)
        except (ValueError, TypeError):
            return None
        strings = (state.product, state.version, state.host, state.token)
        numbers = (state.protocol, state.port, state.pid)
        if (
            not isinstance(state.options, dict)
            or not all(isinstance(value, str) for value in strings)
            or not all(type(value) is int for value in numbers)
        ):
            return None
        return state if 0 < state.port < 65536 else None

    def forget(self, pid: int) -> None:
        """Remove the state file, if it is the one of process `pid`."""
        state = self.load()
        if state is not None and state.pid == pid:
            with contextlib.suppress(OSError):
                self.state_file.unlink()

    @contextlib.contextmanager
    def lock(self) -> Iterator[bool]:
        """Hold the lock of the one daemon in this folder; yields False if another process holds it.

        The operating system drops the lock with its process, however that ends, so that none is ever left behind.
        """
        if not self._take_lock():
            yield False
            return
        try:
            yield True
        finally:
            self._close_lock()

    def regain(self) -> bool:
        """Make sure that we still hold the lock, also where the folder was deleted meanwhile; False if another has it.

        Raises:
            OutputError: the folder cannot be made again.
        """
        if self._held is not None:
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(self._held.fileno()), self.lock_file.stat()):
                    return True
        self.prepare()
        return self._take_lock()

    def _take_lock(self) -> bool:
        try:
            descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | _O_NOFOLLOW, 0o600)
        except OSError as error:
            raise refusal(self.lock_file, error) from error
        stream = os.fdopen(descriptor, "r+b", buffering=0)
        if not try_lock(stream):
            stream.close()
            return False
        self._close_lock()
        self._held = stream
        with contextlib.suppress(OSError):  # it only helps to find us; a full disk is told by who needs it
            stream.truncate(0)
            stream.seek(_PID_OFFSET)
            stream.write(str(os.getpid()).encode())
        return True

    def _close_lock(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    def holder(self) -> int | None:
        """Return the process that held the lock last, or None if nobody knows; it may have ended since."""
        digits = self.read(self.lock_file, _PID_OFFSET) or b""
        return int(digits) if digits.isdigit() else None


def refusal(file: Path, error: OSError) -> OutputError:
    """Return what to tell when a file of the folder cannot be written."""
    return files.refusal(file, error, f"name another folder in the environment variable {STATE_DIR_VARIABLE}")


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | _O_NOFOLLOW | _O_BINARY)


def try_lock(stream: IO[bytes]) -> bool:
    """Hold the lock of an open file until it is closed; return False if another process holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _restrict_to_user(folder: Path) -> None:
    """Give a folder on Windows an access list that names only its user."""
    user = os.environ.get("USERNAME", "")
    icacls = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "icacls.exe"
    command = [str(icacls), str(folder), "/inheritance:r", "/grant:r", f"{user}:(OI)(CI)F", "/Q"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=20)  # noqa: S603 - a fixed program, no shell
    except (OSError, subprocess.SubprocessError) as error:
        raise OutputError(
            f"The folder {folder} cannot be made private.",
            f"Name a folder on a disk with access lists (NTFS) in the environment variable {STATE_DIR_VARIABLE}.",
            code="not_writable",
        ) from error
