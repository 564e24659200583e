"""``colorize-server start``: run the daemon here, or in the background."""

import argparse
import contextlib
import hashlib
import ipaddress
import logging
import logging.handlers
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from .. import __version__
from ..errors import ColorizeError, OutputError
from ..inference.started import StartedProcess
from ..installation.probe import Who, ask_to_stop, find_daemon, probe
from ..installation.state import DaemonState, StateFolder
from ..settings import BACKEND_NAMES, DEFAULT_HOST, DEFAULT_PORT, FALLBACK_PORTS, Settings
from .model_option import add_model_option

_DESCRIPTION: Final = """\
Starts the server.  It is ready when the plug-ins find it; nothing else needs to be set up.
Starting it twice does no harm: the second start says that it already runs.  One that cannot colorize is replaced.
"""
_ROOM_BYTES: Final = 1 << 20
"""What the state file, the lock and a few lines of log need."""
_READY_TIMEOUT_S: Final = 300.0
_OTHER_START_TIMEOUT_S: Final = 45.0
_REPLACE_TIMEOUT_S: Final = 120.0
_LOG_BYTES: Final = 1 << 20
_LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def add_parser(subparsers: Any) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser("start", help="start the server", description=_DESCRIPTION)
    parser.add_argument(
        "--background", action="store_true", help="return as soon as the server is ready, and leave it running"
    )
    parser.add_argument(
        "--host", default=DEFAULT_HOST, help="address to listen on (default: %(default)s, this computer only)"
    )
    fallbacks = ", ".join(map(str, FALLBACK_PORTS))
    parser.add_argument(
        "--port",
        type=_port,
        default=None,
        help=f"port to listen on (default: {DEFAULT_PORT}, or {fallbacks} where that is taken)",
    )
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="let other computers in; needed for any --host that is not this computer",
    )
    parser.add_argument("--ipv6", action="store_true", help="also listen on ::1")
    parser.add_argument(
        "--idle-exit", type=_minutes, default=None, metavar="MINUTES", help="end after so long without work"
    )
    parser.add_argument(
        "--backend", choices=BACKEND_NAMES, default="auto", help="what computes (default: auto, the fastest that works)"
    )
    parser.add_argument("--quiet", action="store_true", help="write what happens to the log file only")
    parser.add_argument("--device", type=int, default=0, metavar="N", help="number of the graphics card to use")
    parser.add_argument("--require-gpu", action="store_true", help="fail where no graphics card can be used")
    parser.add_argument(
        "--replace", action="store_true", help="end a server that runs, after its work, and start this one instead"
    )
    add_model_option(parser)


def run(args: argparse.Namespace) -> int:
    """Start the daemon."""
    settings = settings_from(args)
    folder = StateFolder()
    folder.prepare()
    exit_code = _already_runs(folder, args)
    if exit_code is not None:
        return exit_code
    if args.require_gpu:
        from ..backends.try_out import demand_gpu  # with numpy, which a plain start has no need of
        from ..model import shipped_model_path

        demand_gpu(args.backend, args.model or shipped_model_path(), args.device)
    if args.background:
        return _start_in_background(folder, args)
    return serve(settings, folder, is_quiet=args.quiet)


def settings_from(args: argparse.Namespace) -> Settings:
    """Turn arguments into settings.

    Raises:
        ColorizeError: if they do not go together.
    """
    if not _is_loopback(args.host):
        _check_address(args.host)
    if not _is_loopback(args.host) and not args.allow_remote:
        raise ColorizeError(
            f"{args.host} lets other computers in.",
            "If that is what you want, add --allow-remote: whoever has the token can then use this server, and what is "
            "sent to it can be read on its way.",
            code="bad_parameter",
        )
    return Settings(
        host=args.host,
        ports=(DEFAULT_PORT, *FALLBACK_PORTS) if args.port is None else (args.port,),
        allow_remote=args.allow_remote,
        ipv6=args.ipv6,
        backend=args.backend,
        device=args.device,
        require_gpu=args.require_gpu,
        model=None if args.model is None else args.model.absolute(),
        idle_exit_s=None if args.idle_exit is None else args.idle_exit * 60,
    )


def serve(settings: Settings, folder: StateFolder, *, is_quiet: bool = False) -> int:
    """Run the daemon in this process until it is told to stop."""
    with folder.lock() as is_ours:
        if not is_ours:
            return _wait_for_the_other(folder)
        _log_to(folder, is_quiet=is_quiet)
        started = StartedProcess(settings)  # it loads the model while we import aiohttp
        try:
            import asyncio

            from ..daemon.run import Daemon

            if settings.allow_remote and not _is_loopback(settings.host):
                print(f"Other computers can reach this server at {settings.host}.")
                print("Whoever has the token can use it, and nothing that is sent to it is encrypted.")

            async def run_daemon() -> None:
                await Daemon(settings, folder, started).run(lambda port: _say_listening(settings, port))

            asyncio.run(run_daemon())
        finally:
            started.end()
    return 0


def _say_listening(settings: Settings, port: int) -> None:
    with contextlib.suppress(OSError):  # nobody reads what we say
        print(f"colorize-server {__version__} listens on {settings.host}, port {port}.  Ctrl+C ends it.", flush=True)


def _already_runs(folder: StateFolder, asked: argparse.Namespace | None = None) -> int | None:
    """Say that the daemon already runs; have one that is of no use to this start finish and go.

    Args:
        folder: where the daemon says that it runs.
        asked: what this start was asked for; None only reports on the daemon of somebody else's start.

    Returns:
        the exit code, or None if the daemon does not run.

    Raises:
        ColorizeError: it runs with something else than was asked for.
    """
    running = find_daemon(folder)
    # A daemon that has failed tries again when it is asked how it is: the outcome is what its painter wants to hear.
    end = time.monotonic() + _READY_TIMEOUT_S
    while running is not None and _is_to_be_awaited(running[1].health, asked) and time.monotonic() < end:
        time.sleep(0.2)
        running = find_daemon(folder)
    if running is None:
        return None
    state, found = running
    reason = _reason_to_replace(found.health, asked)
    if reason is None:
        differences = [] if asked is None else _differences(state, found.health, asked)
        if differences:
            raise ColorizeError(
                f"colorize-server already runs on port {state.port}, but {' and '.join(differences)}.",
                "Add --replace to end it and start this one, or run 'colorize-server stop' first.",
                code="bad_parameter",
            )
        return _report(state, found.health, "already runs")
    print(reason, flush=True)
    stop_and_wait(state, folder, _REPLACE_TIMEOUT_S)
    return None


def _reason_to_replace(health: dict[str, Any], asked: argparse.Namespace | None) -> str | None:
    """Return the sentence that says why the daemon has to go, or None if it may stay."""
    version = health.get("version")
    if version != __version__ or health.get("state") == "stopping":
        return f"Waiting for colorize-server {version} to finish its work, to replace it with {__version__}."
    if asked is None:
        return None
    if health.get("state") == "failed":
        error = health.get("error") or {}
        return f"The server that runs cannot colorize, and is replaced. It said: {error.get('message')}"
    if asked.replace:
        return "Waiting for the server that runs to finish its work, to replace it."
    return None


def _differences(state: DaemonState, health: dict[str, Any], asked: argparse.Namespace) -> list[str]:
    """Say in what the daemon differs from what was asked for; what was not asked for may be anything."""
    differences = []
    if asked.port not in (None, 0, state.port):
        differences.append(f"not on port {asked.port}")
    if asked.host not in (DEFAULT_HOST, state.host):
        differences.append(f"listens on {state.host}, not on {asked.host}")
    backend = health.get("backend") or {}
    if asked.backend not in ("auto", backend.get("requested"), backend.get("active")):
        differences.append(f"computes with {backend.get('active') or backend.get('requested')}, not {asked.backend}")
    model = health.get("model")
    if asked.model is not None and model is not None and model.get("sha256") != _sha256(asked.model):
        differences.append(f"with the model {model.get('name')} {model.get('version')}, not {asked.model.name}")
    return differences


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ColorizeError(
            f"The model {path} cannot be read ({error.strerror}).", "Give a file that can.", code="bad_parameter"
        ) from error


def _is_to_be_awaited(health: dict[str, Any], asked: argparse.Namespace | None) -> bool:
    """Whether the daemon cannot say yet how it is, or which model it has."""
    is_model_unknown = asked is not None and asked.model is not None and health.get("state") == "starting"
    return _tries_again(health) or is_model_unknown


def _tries_again(health: dict[str, Any]) -> bool:
    return health.get("state") == "starting" and "error" in health


def stop_and_wait(state: DaemonState, folder: StateFolder, timeout_s: float) -> None:
    """Ask a daemon to end and wait until it has.

    Raises:
        ColorizeError: if it does not end in time.
    """
    import psutil  # here, because a plain start has no need of it

    with contextlib.suppress(OSError, ValueError):
        ask_to_stop(state)
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        with folder.lock() as is_free:
            if is_free:
                return
        # The lock alone does not tell: another start may have taken it already.
        now_running = folder.load()
        is_another = now_running is not None and now_running.pid != state.pid
        if is_another or not psutil.pid_exists(state.pid):
            return
        time.sleep(0.1)
    raise ColorizeError(
        f"The server (process {state.pid}) is still finishing its work after {timeout_s:.0f} s.", "Try again later."
    )


def _wait_for_the_other(folder: StateFolder) -> int:
    """Wait for the daemon that somebody else is starting at this moment."""
    end = time.monotonic() + _OTHER_START_TIMEOUT_S
    while time.monotonic() < end:
        exit_code = _already_runs(folder)
        if exit_code is not None:
            return exit_code
        with folder.lock() as is_free:
            if is_free:
                raise ColorizeError("Another start of the server was under way and has failed.", "Start it again.")
        time.sleep(0.2)
    raise hung_error(folder)


def hung_error(folder: StateFolder) -> ColorizeError:
    """Return the error for a daemon that holds the lock and does not answer."""
    state = folder.load()
    process = "" if state is None else f" (process {state.pid})"
    return ColorizeError(f"The server{process} runs but does not answer.", "End that process, then start the server.")


def _start_in_background(folder: StateFolder, args: argparse.Namespace) -> int:
    """Start the daemon in a process of its own, without a window, and wait until it is ready."""
    command = [sys.executable, "-P", "-m", "colorize_server.cli.main", "start", "--quiet", *_same_arguments(args)]
    with folder.start_log_file.open("wb") as output:
        if sys.platform == "win32":
            flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
            process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=output, creationflags=flags
            )
        else:
            process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=output, start_new_session=True
            )
    end = time.monotonic() + _READY_TIMEOUT_S
    while time.monotonic() < end:
        is_alive = process.poll() is None  # asked first: it may have ended because another start was quicker
        running = find_daemon(folder)
        if running is None:
            if not is_alive:
                break
        elif running[1].health.get("state") != "starting":
            return _report(running[0], running[1].health, "runs")
        time.sleep(0.05)
    lines = folder.start_log_file.read_text("utf-8", "replace").strip().splitlines()
    reason = lines[-1].removeprefix("colorize-server: ") if lines else _silent_end(folder)
    raise ColorizeError(f"The server did not start. {reason}")


def _silent_end(folder: StateFolder) -> str:
    """Say why a daemon ended that could not even write why."""
    place = folder.start_log_file.parent
    if shutil.disk_usage(place).free < _ROOM_BYTES:
        return f"There is no room left on the disk of {place}; make some, then start it again."
    return "It ended without a word; run 'colorize-server start' in a terminal to see more."


def _report(state: DaemonState, health: dict[str, Any], runs: str) -> int:
    """Say that the daemon runs, and whether it can colorize; the value is the exit code."""
    if health.get("state") != "failed":
        print(f"colorize-server {__version__} {runs} on port {state.port}.")
        return 0
    error = health.get("error") or {}
    print(f"colorize-server {runs}, but cannot colorize: {error.get('message')} {error.get('hint')}", file=sys.stderr)
    return 1


def _same_arguments(args: argparse.Namespace) -> list[str]:
    words = ["--host", args.host, "--backend", args.backend, "--device", str(args.device)]
    flags = ("allow_remote", "ipv6", "require_gpu")
    words += ["--" + name.replace("_", "-") for name in flags if getattr(args, name)]
    for name in ("port", "idle_exit", "model"):
        if getattr(args, name) is not None:
            words += ["--" + name.replace("_", "-"), str(getattr(args, name))]
    return words


def _log_to(folder: StateFolder, *, is_quiet: bool) -> None:
    """Log to the terminal and to a file that is kept short; a full disk or a vanished folder is no reason to fail."""
    logging.raiseExceptions = False
    handlers: list[logging.Handler] = [] if is_quiet else [logging.StreamHandler()]
    previous = os.umask(0o077)
    try:
        handlers.append(
            logging.handlers.RotatingFileHandler(folder.log_file, maxBytes=_LOG_BYTES, backupCount=2, encoding="utf-8")
        )
    except OSError as error:
        raise OutputError(
            f"{folder.log_file} cannot be written ({error.strerror}).", "Free some space on that disk."
        ) from error
    finally:
        os.umask(previous)
    logging.basicConfig(level=logging.INFO, format=_LOG_FORMAT, handlers=handlers)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_address(host: str) -> None:
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError) as error:
        raise ColorizeError(
            f"There is no address called {host}.",
            f"Leave out --host, or give an address of this computer such as {DEFAULT_HOST}.",
            code="bad_parameter",
        ) from error


def _port(text: str) -> int:
    if not text.isdigit() or not 0 <= int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text} is not a port (0 to 65535)")
    return int(text)


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number of minutes")
    return minutes


def describe_ports(token: str) -> list[str]:
    """Tell who holds our ports, one sentence each; nothing for a port that is free."""
    lines = []
    for port in (DEFAULT_PORT, *FALLBACK_PORTS):
        found = probe(DEFAULT_HOST, port, token, timeout_s=1.0)
        if found.who in (Who.OTHER, Who.STRANGER):
            lines.append(f"Port {port} is held by {found.who.value}.")
    return lines
