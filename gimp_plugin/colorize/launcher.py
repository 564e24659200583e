"""Find this user's colorize server, and start it when none runs.

Standard library only and no GIMP calls, so that it may run on a worker thread and be tested without GIMP.

The server decides where it keeps its state (colorize_server/installation/state.py); `state_file` must find the same
place.  ``colorize-server install gimp`` writes ``server.json`` beside this file, with the absolute path of the state
file and the command that starts the server: a GIMP from Flatpak or an application bundle has other folders and
another PATH than the server.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from client import check_health, parse_address
from language import _
from protocol import Health, NoServerError, Server, ServerError, StrangerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

INSTALLED_FILE = Path(__file__).with_name("server.json")
STATE_DIR_VARIABLE = "COLORIZE_STATE_DIR"
FLATPAK_FILE = Path("/.flatpak-info")
"""Is there inside a Flatpak sandbox, which cannot run the host's programs itself."""
IDLE_EXIT_MINUTES = 30
APPEAR_TIMEOUT_S = 60.0
"""From the start of the process to its first answer; importing on a cold disk takes its time."""
READY_TIMEOUT_S = 600.0
"""From the first answer to a loaded model; a GPU may have to build its engine first."""
POLL_S = 0.15

HOW_TO_START = _("Run 'colorize-server start' in a terminal, then colorize again.")
HOW_TO_ADDRESS = _(
    "Start the server of that address, or empty the Server address (under Advanced in the dialog) "
    "to use this computer's own, which is started by itself."
)
HOW_TO_LOOK = _("Run 'colorize-server start' in a terminal to see more, then colorize again.")
HOW_TO_INSTALL = _("Install colorize-server, run 'colorize-server install gimp' in a terminal, and restart GIMP.")


def installed() -> dict[str, Any]:
    """Return what the installer recorded: ``command``, ``state_file`` and ``version``; empty if there is nothing."""
    try:
        record = json.loads(INSTALLED_FILE.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def state_file() -> Path:
    """Return where the server of this user writes its state; the file need not exist."""
    named = os.environ.get(STATE_DIR_VARIABLE)
    if named:
        return Path(named) / "state.json"
    recorded = installed().get("state_file")
    if recorded:
        return Path(str(recorded))
    return _default_state_dir() / "state.json"


def _state_dir() -> str:
    """Return the folder that a server has to be told, so that it writes its state where it will be looked for."""
    return str(state_file().parent.absolute())


def _default_state_dir() -> Path:
    """Return the folder that platformdirs' user_state_dir names."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "colorize-server"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "colorize-server"
    state_home = os.environ.get("XDG_STATE_HOME", "").strip()
    return (Path(state_home) if state_home else Path.home() / ".local" / "state") / "colorize-server"


def locate(address: str = "") -> Server | None:
    """Return where the server should be, or None if no server has told.

    Args:
        address: what the artist wrote; empty for the server of the state file.

    Raises:
        ServerError: if the address is none, or if there is no token to check a server there with.
    """
    state = _read_state()
    if not address.strip():
        if state is None:
            return None
        # A server that listens on every address is asked on the loopback.
        host = "127.0.0.1" if state["host"] in ("0.0.0.0", "::", "") else state["host"]  # noqa: S104 - compared
        return Server(host, state["port"], state["token"])
    host, port = parse_address(address)
    if state is None:
        raise ServerError(
            _("There is no token of this installation to check the server at {address} with.").format(
                address=address.strip()
            ),
            HOW_TO_START,
        )
    return Server(host, port, state["token"])


def _read_state() -> dict[str, Any] | None:
    try:
        state = json.loads(state_file().read_text("utf-8"))
        return {"host": str(state["host"]), "port": int(state["port"]), "token": str(state["token"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def commands() -> Iterator[list[str]]:
    """Yield the commands that may start a server, best first: the recorded one, then the one on PATH."""
    recorded = installed().get("command")
    if isinstance(recorded, list) and recorded:
        yield [str(part) for part in recorded]
    found = shutil.which("colorize-server")
    if found:
        yield [found]


class Starter:
    """The short-lived process that puts a server into the background, and what it says when it fails.

    Args:
        argv: program and arguments.

    Raises:
        OSError: if there is no such program.
    """

    def __init__(self, argv: list[str]) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        try:
            self._process = _spawn(argv, self._said)
        except OSError:
            self._said.close()
            raise

    def __enter__(self) -> Starter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._said.close()
        # Nobody waits for it any more, but its end has to be noticed.
        threading.Thread(target=self._process.wait, daemon=True).start()

    def failure(self) -> str | None:
        """Return why the server could not be started, or None while it may still come."""
        if not self._process.poll():
            return None
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        return (
            lines[-1].removeprefix("colorize-server: ")
            if lines
            else _("It ended with code {code}.").format(code=self._process.returncode)
        )


def start() -> Starter:
    """Start a server that outlives GIMP and ends by itself when it has long been idle.

    Raises:
        ServerError: if there is no program to start, or the sandbox forbids it.
    """
    tried = []
    for command in commands():
        argv = [*command, "start", "--background", "--idle-exit", str(IDLE_EXIT_MINUTES)]
        if FLATPAK_FILE.exists():
            # The host's programs get none of the sandbox's environment.
            argv = ["flatpak-spawn", "--host", f"--env={STATE_DIR_VARIABLE}={_state_dir()}", *argv]
        try:
            return Starter(argv)
        except OSError as error:
            tried.append(f"{command[0]}: {error.strerror or error}")
    if tried:
        raise ServerError(
            _("The colorize server could not be started ({problems}).").format(problems="; ".join(tried)),
            HOW_TO_INSTALL,
        )
    raise ServerError(_("No colorize server runs, and no program to start one was found."), HOW_TO_INSTALL)


def _spawn(argv: list[str], errors: IO[bytes]) -> subprocess.Popen[bytes]:
    options: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        # No console window, and no share in what ends GIMP's own processes.
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        options = {"creationflags": flags}
    return subprocess.Popen(  # noqa: S603 - the recorded command, no shell
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        close_fds=True,
        cwd=Path.home(),
        env=_clean_environment() | {STATE_DIR_VARIABLE: _state_dir()},
        **options,
    )


def _clean_environment() -> dict[str, str]:
    """Return the environment without what GIMP set for its own Python and libraries.

    Bundles (AppImage, Snap, macOS, Windows) point Python and the loader at their own files, with which another
    Python does not start.  A user's own LD_LIBRARY_PATH stays: GPU libraries may depend on it.
    """
    dropped = {"PYTHONHOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "GI_TYPELIB_PATH", "GIO_MODULE_DIR"}
    if "APPDIR" in os.environ or "SNAP" in os.environ or sys.platform == "darwin":
        dropped |= {"LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"}
    return {name: value for name, value in os.environ.items() if name not in dropped}


def find(address: str = "") -> tuple[Server, Health]:
    """Return the running server and its health; starts nothing.

    Raises:
        NoServerError: none runs.
        ServerError: in words, whatever else is wrong.
    """
    server = locate(address)
    if server is None:
        raise NoServerError(_("No colorize server runs."), HOW_TO_START)
    return server, check_health(server)


def connect(address: str = "", tell: Callable[[str], None] = lambda text: None) -> tuple[Server, Health]:
    """Return a server that is ready to work, after starting it when none runs; blocks.

    A server at an address that the artist wrote is never started: it is the artist's own business.

    Args:
        address: what the artist wrote; empty for this user's own server.
        tell: called with a line for the progress bar.

    Raises:
        ServerError: in words, whatever went wrong.
    """
    tell(_("Looking for the colorize server"))
    try:
        server, health = find(address)
        stranger = ""
    except (NoServerError, StrangerError) as error:
        # A stranger on the port of an old state file is no obstacle: our server takes the next free port.
        if address.strip():
            if isinstance(error, StrangerError):
                raise
            raise NoServerError(error.message, HOW_TO_ADDRESS) from None
        health = None
        stranger = error.message if isinstance(error, StrangerError) else ""
    if health is None or (health.state == "stopping" and not address.strip()):
        tell(_("Starting the colorize server"))
        try:
            with start() as starter:
                server, health = _wait_for_answer(starter)
        except ServerError as error:
            raise ServerError(f"{stranger} {error.message}".strip(), error.hint) from None
    return server, _wait_until_ready(server, health, tell)


def _wait_for_answer(starter: Starter) -> tuple[Server, Health]:
    deadline = time.monotonic() + APPEAR_TIMEOUT_S
    while True:
        failure = starter.failure()
        try:
            server, health = find()
            if health.state != "stopping":
                return server, health
            reason = _("the one before it is still finishing its work.")
        except (NoServerError, StrangerError) as error:
            reason = error.message
        if failure:
            raise ServerError(
                _("The colorize server could not be started. {failure}").format(failure=failure), HOW_TO_LOOK
            )
        if time.monotonic() > deadline:
            raise ServerError(
                _("The colorize server was started, but after {seconds} seconds: {reason}").format(
                    seconds=round(APPEAR_TIMEOUT_S), reason=reason
                ),
                HOW_TO_START,
            )
        time.sleep(POLL_S)


def _wait_until_ready(server: Server, health: Health, tell: Callable[[str], None]) -> Health:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while health.state != "ready":
        failure = health.failure()
        if failure:
            raise failure
        if health.state == "stopping":
            raise ServerError(_("The colorize server is just stopping."), _("Wait a moment, then colorize again."))
        if time.monotonic() > deadline:
            raise ServerError(
                _("The colorize server does not get its model ready."), _("Run 'colorize-server status'.")
            )
        tell(_("The colorize server is loading its model"))
        time.sleep(POLL_S)
        health = check_health(server)
    return health
