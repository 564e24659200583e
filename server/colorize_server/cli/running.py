"""What a command makes of the server that runs already: whether it is what was asked for, and how it is ended."""

import argparse
import contextlib
import hashlib
import sys
import time
from pathlib import Path
from typing import Any, Final

from .. import __version__
from ..errors import ColorizeError
from ..installation.probe import Found, Who, ask_to_stop, find_daemon, listener_of, probe
from ..installation.state import DaemonState, StateFolder
from ..settings import DEFAULT_HOST, OUR_PORTS

READY_TIMEOUT_S: Final = 300.0
"""How long a server may take to load its model."""
_REPLACE_TIMEOUT_S: Final = 120.0
_APPEAR_TIMEOUT_S: Final = 5.0
"""How long a server that holds the lock may take until it answers."""


def already_runs(folder: StateFolder, asked: argparse.Namespace | None = None) -> int | None:
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
    end = time.monotonic() + READY_TIMEOUT_S
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
        return report(state, found.health, "already runs")
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
    return differences + _differing_options(state.options, asked)


def _differing_options(options: dict[str, Any], asked: argparse.Namespace) -> list[str]:
    """Say which options the daemon was started without, or with another value; `options` is that of its state file."""
    differences = [
        f"was started without --{name.replace('_', '-')}"
        for name in ("allow_remote", "ipv6", "require_gpu")
        if getattr(asked, name) and options.get(name) is False
    ]
    if asked.device and options.get("device", asked.device) != asked.device:
        differences.append(f"was started with --device {options['device']}, not {asked.device}")
    idle_exit_s = options.get("idle_exit_s", 0)  # None where it never ends by itself
    if asked.idle_exit is not None and idle_exit_s is None:
        differences.append("was started without --idle-exit")
    elif asked.idle_exit is not None and idle_exit_s and idle_exit_s != asked.idle_exit * 60:
        differences.append(f"was started with --idle-exit {idle_exit_s / 60:g}, not {asked.idle_exit:g}")
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


def hung_error(folder: StateFolder) -> ColorizeError:
    """Return the error for a daemon that holds the lock and does not answer."""
    state = folder.load()
    pid = folder.holder() if state is None else state.pid
    process = "" if pid is None else f" (process {pid})"
    return ColorizeError(f"The server{process} runs but does not answer.", "End that process, then start the server.")


def report(state: DaemonState, health: dict[str, Any], runs: str) -> int:
    """Say that the daemon runs, and whether it can colorize; the value is the exit code."""
    if health.get("state") != "failed":
        print(f"colorize-server {__version__} {runs} on port {state.port}.")
        return 0
    error = health.get("error") or {}
    print(f"colorize-server {runs}, but cannot colorize: {error.get('message')} {error.get('hint')}", file=sys.stderr)
    return 1


def find_running(folder: StateFolder) -> tuple[DaemonState, Found] | None:
    """Return the daemon, or None if none runs; one that is only just starting is waited for.

    Raises:
        ColorizeError: it holds the lock and does not answer.
    """
    end = time.monotonic() + _APPEAR_TIMEOUT_S
    while (running := find_daemon(folder)) is None and _is_locked(folder):
        if time.monotonic() > end:
            raise hung_error(folder)
        time.sleep(0.1)
    return running


def _is_locked(folder: StateFolder) -> bool:
    if not folder.lock_file.exists():
        return False
    with folder.lock() as is_free:
        return not is_free


def describe_ports(token: str) -> list[str]:
    """Tell who holds our ports, one sentence each; nothing for a port that is free."""
    lines = []
    for port in OUR_PORTS:
        found = probe(DEFAULT_HOST, port, token, timeout_s=1.0)
        if found.who in (Who.OTHER, Who.STRANGER):
            pid = listener_of(port) if found.who is Who.OTHER else None
            process = "" if pid is None else f" (process {pid})"
            lines.append(f"Port {port} is held by {found.who.value}{process}.")
    return lines
