"""``colorize-server start``: run the daemon here, or in the background."""

import argparse
import contextlib
import ipaddress
import logging
import logging.handlers
import os
import shutil
import socket
import subprocess
import sys
import time
from typing import Any, Final

from .. import __version__
from ..errors import ColorizeError
from ..inference.started import StartedProcess
from ..installation.probe import find_daemon
from ..installation.state import ROOM_BYTES, StateFolder, refusal
from ..interrupts import STOPPED
from ..settings import BACKEND_NAMES, DEFAULT_HOST, DEFAULT_PORT, FALLBACK_PORTS, OUR_PORTS, Settings
from .model_option import add_model_option
from .own_models import default_model_path, model_of
from .running import READY_TIMEOUT_S, already_runs, hung_error, report

_DESCRIPTION: Final = """\
Starts the server.  It is ready when the plug-ins find it; nothing else needs to be set up.
Starting it twice does no harm: the second start says that it already runs.  One that cannot colorize is replaced.
"""
_OTHER_START_TIMEOUT_S: Final = 45.0
_END_TIMEOUT_S: Final = 20.0
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
    exit_code = already_runs(folder, args)
    if exit_code is not None:
        return exit_code
    if args.require_gpu:
        from ..backends.try_out import demand_gpu  # with numpy, which a plain start has no need of

        demand_gpu(args.backend, model_of(args), args.device)
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
    model = args.model or default_model_path()
    return Settings(
        host=args.host,
        ports=OUR_PORTS if args.port is None else (args.port,),
        allow_remote=args.allow_remote,
        ipv6=args.ipv6,
        backend=args.backend,
        device=args.device,
        require_gpu=args.require_gpu,
        model=None if model is None else model.absolute(),
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


def _wait_for_the_other(folder: StateFolder) -> int:
    """Wait for the daemon that somebody else is starting at this moment."""
    end = time.monotonic() + _OTHER_START_TIMEOUT_S
    while time.monotonic() < end:
        exit_code = already_runs(folder)
        if exit_code is not None:
            return exit_code
        with folder.lock() as is_free:
            if is_free:
                raise ColorizeError("Another start of the server was under way and has failed.", "Start it again.")
        time.sleep(0.2)
    raise hung_error(folder)


def _start_in_background(folder: StateFolder, args: argparse.Namespace) -> int:
    """Start the daemon in a process of its own, without a window, and wait until it is ready."""
    process = _spawn(folder, args)
    try:
        return _wait_until_ready(folder, process)
    except KeyboardInterrupt:
        print(f"colorize-server: stopped; {_ended(process)}", file=sys.stderr)
        return STOPPED


def _spawn(folder: StateFolder, args: argparse.Namespace) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "colorize_server.cli.main", "start", "--quiet", *_same_arguments(args)]
    try:
        output = folder.start_log_file.open("wb")
    except OSError as error:
        raise refusal(folder.start_log_file, error) from error
    with output:
        if sys.platform == "win32":
            flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
            return subprocess.Popen(  # noqa: S603 - our own program, no shell
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=output, creationflags=flags
            )
        return subprocess.Popen(  # noqa: S603 - our own program, no shell
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=output, start_new_session=True
        )


def _wait_until_ready(folder: StateFolder, process: subprocess.Popen[bytes]) -> int:
    """Wait until a daemon is ready, ours or that of another start; the value is the exit code."""
    end = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < end:
        is_alive = process.poll() is None  # asked first: it may have ended because another start was quicker
        running = find_daemon(folder)
        if running is None:
            if not is_alive:
                break
        elif running[1].health.get("state") != "starting":
            return report(running[0], running[1].health, "runs")
        time.sleep(0.05)
    lines = folder.start_log_file.read_text("utf-8", "replace").strip().splitlines()
    reason = lines[-1].removeprefix("colorize-server: ") if lines else _silent_end(folder)
    raise ColorizeError(f"The server did not start. {reason}")


def _ended(process: subprocess.Popen[bytes]) -> str:
    """End a daemon that is not wanted any more, and say what became of it."""
    if process.poll() is not None:
        return "no server was started here."
    process.terminate()
    try:
        process.wait(_END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"the server that was being started (process {process.pid}) is still ending."
    return "the server that was being started has ended, too."


def _silent_end(folder: StateFolder) -> str:
    """Say why a daemon ended that could not even write why."""
    place = folder.start_log_file.parent
    if shutil.disk_usage(place).free < ROOM_BYTES:
        return f"There is no room left on the disk of {place}; make some, then start it again."
    return "It ended without a word; run 'colorize-server start' in a terminal to see more."


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
        raise refusal(folder.log_file, error) from error
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
