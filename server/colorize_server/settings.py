"""What the daemon can be told, as plain values (stdlib only, no input or output)."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 47811
FALLBACK_PORTS: Final = (47812, 47813)
"""Listed in the Photoshop panel's manifest: a panel can reach no other port."""
OUR_PORTS: Final = (DEFAULT_PORT, *FALLBACK_PORTS)
"""In the order in which they are tried."""

BACKEND_NAMES: Final = ("auto", "onnxruntime", "tensorrt-rtx", "tensorrt", "cuda", "openvino")
"""What ``--backend`` takes; `colorize_server.backends` knows where each one is."""

CHILD_COMMAND: Final = (sys.executable, "-P", "-m", "colorize_server.inference.child")
"""Starts the inference process; ``-P`` keeps the current folder, which anyone may have filled, off its search path."""
MAX_PIXELS: Final = 300_000_000
"""Largest width x height of a picture, unless another limit is set."""
MAX_SIDE: Final = 60_000
"""Largest width or height of a picture in pixels, likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds that keep one client, or a fault, from taking the machine.

    Attributes:
        max_body_bytes: longest body of a request.
        max_pixels: largest width x height of a picture.
        max_side: largest width or height in pixels.
        max_connections: sockets kept open; beyond it the connection that has been idle longest is closed.
        max_waiting: requests that are being uploaded or wait for their turn, all clients together.
        max_waiting_per_client: the same for one client, so that no client can fill the queue alone.
        max_held_bytes: bodies and answers held in memory together; None takes half of the machine's memory.
        min_free_bytes: memory of the machine that no request may use up.
        max_result_bytes: results of jobs held for their clients, all together.
        result_lifetime_s: how long the result of a job is held.
        abandoned_job_s: an unfinished job that nobody has asked about for so long is cancelled.
        deadline_s: longest time from the end of a request's body to its answer.
        body_idle_s: longest pause within a body.
        min_body_rate: bytes a second, on the average, below which a body counts as too slow.
        header_timeout_s: time for the headers of a request, and longest idle time of a connection.
        answer_idle_s: longest time that a client may leave an answer unread.
        stall_s: the inference process is taken for hung when it gives no sign of life for so long.
        start_timeout_s: time for loading the model and the first forward pass.
        cancel_grace_s: time for cancelled work to stop by itself; then its process is ended.
        restart_pause_s: shortest time between two attempts to load a model that could not be loaded.
        drain_s: time for work under way when the daemon is told to stop.
    """

    max_body_bytes: int = 2 << 30
    max_pixels: int = MAX_PIXELS
    max_side: int = MAX_SIDE
    max_connections: int = 256
    max_waiting: int = 16
    max_waiting_per_client: int = 12
    max_held_bytes: int | None = None
    min_free_bytes: int = 128 << 20
    max_result_bytes: int = 1 << 30
    result_lifetime_s: float = 600.0
    abandoned_job_s: float = 120.0
    deadline_s: float = 600.0
    body_idle_s: float = 20.0
    min_body_rate: int = 50_000
    header_timeout_s: float = 15.0
    answer_idle_s: float = 30.0
    stall_s: float = 120.0
    start_timeout_s: float = 300.0
    cancel_grace_s: float = 0.6
    restart_pause_s: float = 5.0
    drain_s: float = 60.0


TOLD_OPTIONS: Final = ("allow_remote", "ipv6", "device", "require_gpu", "idle_exit_s")
"""Fields of `Settings` that the state file tells, so that a second start sees in what it differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the daemon is started with.

    Attributes:
        host: address to listen on.
        ports: ports to try, the first free one is taken; 0 takes any free port.
        allow_remote: whether an address other than loopback was asked for on purpose.
        ipv6: also listen on ``::1``.
        backend: name of the backend asked for, or ``auto``.
        device: index of the GPU.
        require_gpu: fail instead of computing on the CPU.
        model: model file; None takes the one that ships with the server.
        idle_exit_s: the daemon ends after so long without work; None means never.
        child_command: program and arguments that start the inference process.
        limits: bounds on what requests may use.
    """

    host: str = DEFAULT_HOST
    ports: tuple[int, ...] = OUR_PORTS
    allow_remote: bool = False
    ipv6: bool = False
    backend: str = "auto"
    device: int = 0
    require_gpu: bool = False
    model: Path | None = None
    idle_exit_s: float | None = None
    child_command: tuple[str, ...] = CHILD_COMMAND
    limits: Limits = field(default_factory=Limits)
