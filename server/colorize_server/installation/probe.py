"""Who listens on a port: our daemon, another one, a stranger, nobody.

The token is sent to nobody who has not shown that they know it.
"""

import enum
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

from .. import PRODUCT
from ..settings import DEFAULT_HOST, OUR_PORTS
from .state import DaemonState, StateFolder

TOKEN_HEADER: Final = "X-Colorize-Token"  # noqa: S105 - the header's name
CLIENT_HEADER: Final = "X-Colorize-Client"
_MAX_ANSWER_BYTES: Final = 1 << 20


class Who(enum.Enum):
    """What was found on a port."""

    NOBODY = "nobody"
    OURS = "ours"
    OTHER = "a colorize-server of another user or folder"
    STRANGER = "another program"


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a probe.

    Attributes:
        who: what was found.
        port: where.
        health: what it said of itself; empty unless it is a colorize-server.
    """

    who: Who
    port: int
    health: dict[str, Any] = field(default_factory=dict)


def health_proof(token: str, nonce: str, port: int) -> str:
    """Return what a daemon that knows the token answers to a nonce on that port: HMAC-SHA256, hexadecimal."""
    return hmac.new(token.encode("ascii"), f"{nonce}:{port}".encode("ascii"), hashlib.sha256).hexdigest()


def probe(host: str, port: int, token: str, timeout_s: float = 3.0) -> Found:
    """Ask a port who it is.

    Args:
        host: address to ask.
        port: port to ask.
        token: what our own daemon can prove to know.
        timeout_s: how long to wait for an answer.
    """
    nonce = secrets.token_hex(32)
    try:
        health = _exchange(host, port, "GET", f"/v1/health?nonce={nonce}", {}, timeout_s)
    except ConnectionRefusedError:
        return Found(Who.NOBODY, port)
    except (OSError, ValueError):
        return Found(Who.STRANGER, port)
    if health.get("product") != PRODUCT:
        return Found(Who.STRANGER, port)
    expected = health_proof(token, nonce, port)
    proof = health.get("proof")
    is_ours = isinstance(proof, str) and hmac.compare_digest(proof.encode(), expected.encode())
    return Found(Who.OURS if is_ours else Who.OTHER, port, health)


def find_daemon(folder: StateFolder, timeout_s: float = 3.0) -> tuple[DaemonState, Found] | None:
    """Return the daemon of a folder: the one that its state file tells of, else the one that holds its lock."""
    state = folder.load()
    if state is None:
        return _find_without_state_file(folder, timeout_s)
    found = probe(local_address(state.host), state.port, state.token, timeout_s)
    return (state, found) if found.who is Who.OURS else None


def _find_without_state_file(folder: StateFolder, timeout_s: float) -> tuple[DaemonState, Found] | None:
    """Look for a daemon whose state file was deleted or could not be written: on its process's ports, and on ours."""
    holder, token = folder.holder(), folder.known_token()
    if holder is None or token is None:
        return None
    addresses = dict.fromkeys([*_listens_on(holder), *((DEFAULT_HOST, port) for port in OUR_PORTS)])
    for host, port in addresses:
        found = probe(local_address(host), port, token, timeout_s)
        if found.who is Who.OURS:
            version, protocol = str(found.health.get("version")), int(found.health.get("protocol", 0))
            return DaemonState(PRODUCT, version, protocol, host, port, holder, token), found
    return None


def _listens_on(pid: int) -> list[tuple[str, int]]:
    """Return the addresses and ports that a process listens on, as far as we may know; none if it has ended."""
    import psutil  # here, because it is seldom needed

    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return []
    return [(c.laddr.ip, c.laddr.port) for c in connections if c.status == psutil.CONN_LISTEN]


def listener_of(port: int) -> int | None:
    """Return the process that listens on a port of this computer, or None if we may not know."""
    import psutil  # likewise

    try:
        connections = psutil.net_connections("tcp")
    except psutil.Error:  # macOS tells administrators only
        return None
    found = (c.pid for c in connections if c.status == psutil.CONN_LISTEN and c.laddr.port == port)
    return next(found, None)


def ask_to_stop(state: DaemonState) -> None:
    """Ask a daemon that has proved to be ours to finish its work and end.

    Raises:
        OSError: if it cannot be reached any more.
    """
    _tell(state, "/v1/shutdown")


def ask_for_page_code(state: DaemonState) -> str:
    """Ask a daemon that has proved to be ours for a one-time code that opens its page.

    Raises:
        OSError: if it cannot be reached any more.
        ValueError, KeyError: if it does not answer with a code.
    """
    return str(_tell(state, "/v1/pages")["code"])


def _tell(state: DaemonState, target: str) -> dict[str, Any]:
    headers = {TOKEN_HEADER: state.token, CLIENT_HEADER: "command-line"}
    return _exchange(local_address(state.host), state.port, "POST", target, headers, 10.0)


def local_address(host: str) -> str:
    """Return an address of this computer at which a daemon that listens on `host` can be reached."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared with, not bound to


def _exchange(
    host: str, port: int, method: str, target: str, headers: dict[str, str], timeout_s: float
) -> dict[str, Any]:
    import http.client  # here, because a start that finds no state file does not need it

    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request(method, target, headers=headers)
        members = json.loads(connection.getresponse().read(_MAX_ANSWER_BYTES))
    except http.client.HTTPException as error:
        raise ValueError("not HTTP") from error
    finally:
        connection.close()
    if not isinstance(members, dict):
        raise ValueError("not a JSON object")
    return members
