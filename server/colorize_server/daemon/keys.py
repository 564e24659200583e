"""What handlers find in the application, with its types."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from ..inference.process import InferenceProcess
from ..settings import DEFAULT_HOST, Settings
from .connections import Connections
from .jobs import Jobs
from .page.keys import PageKeys
from .page.sessions import Session
from .scheduler import Scheduler
from .work import HeldMemory


@dataclass(slots=True)
class Access:
    """Who may ask.

    Attributes:
        token: of this installation; callable, because `colorize-server token --rotate` may renew it at any time.
        host: address on which the daemon listens.
        port: where the daemon listens, once it does.
        allow_remote: whether addresses other than loopback are served.
    """

    token: Callable[[], str]
    host: str = DEFAULT_HOST
    port: int = 0
    allow_remote: bool = False


@dataclass(slots=True)
class Activity:
    """When somebody last used the daemon.

    Attributes:
        last: time of the last request that needed the token (monotonic clock).
    """

    last: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class Shutdown:
    """How the daemon is asked to end.

    Attributes:
        ask: called when a client asks for it; returns at once.
    """

    ask: Callable[[], None]


SETTINGS: Final = web.AppKey("settings", Settings)
ACTIVITY: Final = web.AppKey("activity", Activity)
ACCESS: Final = web.AppKey("access", Access)
INFERENCE: Final = web.AppKey("inference", InferenceProcess)
SCHEDULER: Final = web.AppKey("scheduler", Scheduler)
CONNECTIONS: Final = web.AppKey("connections", Connections)
JOBS: Final = web.AppKey("jobs", Jobs)
MEMORY: Final = web.AppKey("memory", HeldMemory)
PAGE_KEYS: Final = web.AppKey("page_keys", PageKeys[Session])
SHUTDOWN: Final = web.AppKey("shutdown", Shutdown)

CLIENT: Final = web.RequestKey("client", str)
"""Where a request keeps the id of its client, once it was checked."""

PAGE_SESSION: Final = web.RequestKey("page_session", Session)
"""Where a request of the page keeps what is held for its tab."""
