"""Faults: each is done to a daemon that works, and what was lost is told: nothing that had been answered, ever."""

import contextlib
import http.client
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from colorize_server.model import shipped_model_path

from .target import Answer, Target, eventually, running

SMALL = (40, 30)
LARGE = (1200, 900)
GRACE_S = 30.0


@dataclass(frozen=True)
class Outcome:
    """What one fault did.

    Attributes:
        name: of the fault.
        lost: what the fault cost, in words.
        problems: what must not have happened.
    """

    name: str
    lost: str
    problems: list[str]


class SkippedError(Exception):
    """This machine does not let us make the fault; the reason is told."""


class Scene:
    """A daemon with known answers, so that after a fault it can be seen whether it still gives them."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.problems: list[str] = []
        self._pool = ThreadPoolExecutor(8)
        self._pictures = {size: os.urandom(size[0] * size[1]) for size in (SMALL, LARGE)}
        self._expected = {size: target.colorize(picture, *size).body for size, picture in self._pictures.items()}

    def send(self, size: tuple[int, int] = SMALL) -> Future[Answer]:
        """Send a picture on a thread of its own."""
        return self._pool.submit(self.target.colorize, self._pictures[size], *size)

    def expect_right(self, size: tuple[int, int] = SMALL) -> None:
        """The daemon must colorize, and rightly."""
        self.check("afterwards", self.send(size), size)

    def check(self, when: str, sent: Future[Answer], size: tuple[int, int] = SMALL) -> None:
        """A request must have been answered rightly."""
        try:
            answer = sent.result(GRACE_S * 2)
        except (OSError, http.client.HTTPException, TimeoutError) as error:
            self.problems.append(f"{when}: {error!r}")
            return
        if answer.status != 200 or answer.body != self._expected[size]:
            self.problems.append(f"{when}: {answer.status} {answer.code}, or wrong bytes")

    def expect(self, condition: Callable[[], Any], what: str, timeout_s: float = GRACE_S) -> None:
        """Something must come true."""
        if not eventually(condition, timeout_s):
            self.problems.append(what)

    def at_work(self) -> None:
        """Wait until a picture is under way."""
        self.expect(lambda: self.target.health()["queue"]["running"] == 1, "no work began")

    def is_quiet(self) -> bool:
        """Whether nothing is under way."""
        queue = self.target.health()["queue"]
        return not queue["length"] and not queue["running"]

    def start_request(self, size: tuple[int, int] = LARGE, sent_share: float = 1.0) -> socket.socket:
        """Send a request, or its beginning, on a socket that the caller closes."""
        picture = self._pictures[size]
        head = (
            f"POST /v1/colorize?width={size[0]}&height={size[1]}&channels=1 HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{self.target.port}\r\n"
            f"X-Colorize-Token: {self.target.token}\r\nContent-Type: application/octet-stream\r\n"
            f"Content-Length: {len(picture)}\r\n\r\n"
        )
        connection = socket.create_connection(("127.0.0.1", self.target.port), timeout=60)
        connection.sendall(head.encode() + picture[: int(len(picture) * sent_share)])
        return connection


def kill_inference_at_work(scene: Scene) -> str:
    """kill -9 of the inference process while it holds a picture and others wait."""
    held = scene.send(LARGE)
    scene.at_work()
    waiting = [scene.send() for _ in range(3)]
    scene.target.child.kill()
    answer = held.result(60)
    if (answer.status, answer.code) != (503, "inference_failed"):
        scene.problems.append(f"the picture it held was answered {answer.status} {answer.code}")
    for sent in waiting:
        scene.check("a picture that waited", sent)
    return "the picture in hand, with 503 inference_failed"


def kill_inference_at_rest(scene: Scene) -> str:
    """kill -9 of the inference process while nothing is under way."""
    scene.target.child.kill()
    scene.check("the next picture", scene.send())
    return "nothing"


def hung_native_call(scene: Scene) -> str:
    """The inference process stops dead, and its client gives up."""
    connection = scene.start_request()
    scene.at_work()
    child = scene.target.child
    child.suspend()
    waiting = scene.send()
    connection.close()
    scene.expect(
        lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the process is still there", 10
    )
    scene.check("a picture that waited", waiting)
    return "the picture whose client gave up"


def closed_while_uploading(scene: Scene) -> str:
    """The client goes away in the middle of the body."""
    scene.start_request(sent_share=0.5).close()
    scene.expect(scene.is_quiet, "work was left over")
    return "the client's own picture"


def closed_while_waiting(scene: Scene) -> str:
    """The client goes away while its picture waits for its turn."""
    held = scene.send(LARGE)
    scene.at_work()
    connection = scene.start_request()
    scene.expect(lambda: scene.target.health()["queue"]["length"] == 1, "it never waited")
    connection.close()
    scene.expect(lambda: scene.target.health()["queue"]["length"] == 0, "it still waits", 5)
    scene.check("the picture under way", held, LARGE)
    return "the client's own picture"


def closed_while_working(scene: Scene) -> str:
    """The client goes away while its picture is colorized: a second later nothing is computed."""
    connection = scene.start_request()
    scene.at_work()
    connection.close()
    closed = time.monotonic()
    scene.expect(scene.is_quiet, "it is still worked on")
    took_s = time.monotonic() - closed
    child = scene.target.child
    before = child.cpu_times()
    time.sleep(1)
    after = child.cpu_times()
    used_s = after.user + after.system - before.user - before.system
    if scene.is_quiet() and used_s > 0.5 and took_s < 1:  # a replaced process loads its model anew
        scene.problems.append(f"{used_s:.1f} s of processor time were used in the second after")
    return f"the client's own picture; quiet after {took_s:.2f} s"


def closed_at_any_moment(scene: Scene) -> str:
    """Ten clients go away, each at another moment; threads may be at their last strip just then."""
    before = scene.target.child.pid
    for tenth in range(10):
        connection = scene.start_request()
        scene.at_work()
        time.sleep(tenth / 10)
        connection.close()
        scene.expect(scene.is_quiet, "it is still worked on")
    replaced = scene.target.child.pid != before
    if "Fatal Python error" in scene.target.log():
        scene.problems.append("the inference process crashed")
    return "the clients' own pictures" + ("; one did not stop in time and cost a process" if replaced else "")


def closed_while_answered(scene: Scene) -> str:
    """The client goes away in the middle of its answer."""
    connection = scene.start_request()
    connection.recv(1000)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, not a farewell
    connection.close()
    scene.expect(scene.is_quiet, "work was left over")
    return "the client's own picture"


def truncated_body(scene: Scene) -> str:
    """The body ends early, and the client waits for an answer."""
    connection = scene.start_request(sent_share=0.9)
    connection.shutdown(socket.SHUT_WR)
    with contextlib.suppress(OSError):
        connection.recv(1000)
    connection.close()
    scene.expect(scene.is_quiet, "work was left over")
    return "the client's own picture"


def slow_client(scene: Scene) -> str:
    """A body that comes by the byte; others are served meanwhile, and it is told off."""
    connection = scene.start_request(sent_share=0.01)
    received: list[bytes] = []
    is_over = threading.Event()

    def trickle() -> None:
        connection.settimeout(0.2)
        while not is_over.is_set():
            with contextlib.suppress(TimeoutError):
                try:
                    connection.sendall(b"x")
                    if data := connection.recv(1000):
                        received.append(data)
                        return
                except ConnectionError:
                    return

    thread = threading.Thread(target=trickle)
    thread.start()
    for _ in range(3):
        scene.check("a picture meanwhile", scene.send())
    scene.expect(lambda: not thread.is_alive(), "it was not told off", 60)
    is_over.set()
    thread.join()
    connection.close()
    if not b"".join(received).startswith(b"HTTP/1.1 408"):
        scene.problems.append(f"it was answered {b''.join(received)[:60]!r}")
    return "the slow picture, with 408"


def two_thousand_connections(scene: Scene) -> str:
    """2,000 connections are opened: at most 256 are kept, and health answers within a second."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 5000)), hard))
    connections = []
    slowest_s = 0.0
    try:
        for number in range(2000):
            connections.append(socket.create_connection(("127.0.0.1", scene.target.port), timeout=10))
            if number % 500 == 499:
                began = time.monotonic()
                scene.target.health()
                slowest_s = max(slowest_s, time.monotonic() - began)
        kept = sum(
            connection.status == psutil.CONN_ESTABLISHED
            for connection in psutil.Process(scene.target.process.pid).net_connections("tcp")
        )
    finally:
        for connection in connections:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if kept > 257:  # and the one that asked for health
        scene.problems.append(f"{kept} connections were kept")
    if slowest_s > 1:
        scene.problems.append(f"health took {slowest_s:.1f} s")
    return f"idle connections; {kept} were kept, health took at most {slowest_s:.2f} s"


def out_of_memory(scene: Scene) -> str:
    """The inference process may take no more memory, and a picture needs more."""
    if sys.platform != "linux":
        raise SkippedError("needs Linux")
    child = scene.target.child
    child.rlimit(psutil.RLIMIT_AS, (child.memory_info().vms + (60 << 20), resource.RLIM_INFINITY))
    width = height = 9000
    answer = scene.target.colorize(bytes(width * height), width, height)
    if child.is_running():
        with contextlib.suppress(psutil.Error):
            child.rlimit(psutil.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    if answer.status != 503 or answer.code not in ("out_of_memory", "inference_failed"):
        scene.problems.append(f"it was answered {answer.status} {answer.code}")
    return f"the picture, with 503 {answer.code}"


def token_rotated(scene: Scene) -> str:
    """The token is renewed while a picture is under way."""
    sent = scene.send(LARGE)
    scene.at_work()
    environment = {**os.environ, "COLORIZE_STATE_DIR": str(scene.target.folder.path)}
    command = [sys.executable, "-P", "-m", "colorize_server.cli.main", "token", "--rotate"]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
    old, scene.target.token = scene.target.token, scene.target.folder.token()
    scene.check("the picture under way", sent, LARGE)
    refused = scene.target.ask("GET", "/v1/jobs/x", X_Colorize_Token=old)
    if refused.status != 401:
        scene.problems.append(f"the old token was answered {refused.status}")
    return "nothing"


def kill_daemon(scene: Scene) -> str:
    """kill -9 of the daemon: no orphan, no shared memory, and the next start works."""
    segments = _segments()
    connection = scene.start_request()
    scene.at_work()
    child = scene.target.child
    scene.target.process.kill()
    scene.target.process.wait()
    scene.expect(lambda: not child.is_running(), "the inference process is still there", 10)
    connection.close()
    if _segments() - segments:
        scene.problems.append("shared memory was left")
    again = Target(scene.target.folder.path)
    scene.target.process, scene.target.port = again.process, again.port
    return "the picture under way (its client sees the connection end)"


def terminated(scene: Scene) -> str:
    """SIGTERM with pictures under way: they are finished."""
    sent = [scene.send(LARGE) for _ in range(2)]
    scene.expect(lambda: scene.target.health()["queue"]["length"] == 1, "no work waits")
    scene.target.process.send_signal(signal.SIGTERM)
    for one in sent:
        scene.check("a picture that was accepted", one, LARGE)
    scene.expect(lambda: scene.target.process.poll() == 0, "it does not end")
    again = Target(scene.target.folder.path)
    scene.target.process, scene.target.port = again.process, again.port
    return "nothing"


def clock_step(scene: Scene) -> str:
    """The wall clock jumps a day on and two days back while pictures and jobs are under way."""
    server = (sys.executable, str(Path(__file__).with_name("stepping_server.py")))
    with running(server=server) as target:
        stepped = Scene(target)
        job = json.loads(
            stepped.target.ask(
                "POST", "/v1/jobs?width=40&height=30&channels=1", bytes(1200), Content_Type="application/octet-stream"
            ).body
        )
        for step in (signal.SIGUSR1, signal.SIGUSR2):
            sent = stepped.send(LARGE)
            stepped.at_work()
            target.process.send_signal(step)
            time.sleep(1.5)
            stepped.check("a picture under way", sent, LARGE)
        if target.ask("GET", f"/v1/jobs/{job['id']}/result").status != 200:
            stepped.problems.append("the result of a job has expired")
        scene.problems += stepped.problems
    return "nothing"


def model_replaced(scene: Scene) -> str:
    """The model file is overwritten with rubbish, the process dies; then the model comes back."""
    with tempfile.TemporaryDirectory() as name:
        model = Path(name) / "model.onnx"
        shutil.copy(shipped_model_path(), model)
        with running(["--model", str(model)]) as target:
            hurt = Scene(target)
            good = model.read_bytes()
            model.write_bytes(good[: len(good) // 2])
            hurt.check("while it is loaded", hurt.send())
            target.child.kill()
            hurt.expect(lambda: target.health()["state"] == "failed", "the damage was not noticed")
            error = target.health().get("error", {})
            answer = target.colorize(bytes(1200), *SMALL)
            if answer.code != "model_unavailable" or str(model) not in error.get("message", ""):
                hurt.problems.append(f"it was answered {answer.code}, health says {error}")
            model.write_bytes(good)
            hurt.expect(lambda: target.colorize(bytes(1200), *SMALL).status == 200, "it did not recover", 60)
            hurt.expect_right()
        scene.problems += hurt.problems
    return "nothing; while the model is damaged, requests get 503 model_unavailable"


def full_disk(scene: Scene) -> str:
    """The folder of state and log lies on a disk that fills up."""
    with _small_disk() as disk:
        target = Target(disk / "state")
        try:
            cramped = Scene(target)
            with (disk / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
                while ballast.write(bytes(512)):
                    pass
            for _ in range(3):
                cramped.check("with a full disk", cramped.send(LARGE), LARGE)
            environment = {**os.environ, "COLORIZE_STATE_DIR": str(disk / "state")}
            command = [sys.executable, "-P", "-m", "colorize_server.cli.main", "token", "--rotate"]
            rotated = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
            if rotated.returncode != 1 or "space" not in rotated.stderr or "Traceback" in rotated.stderr:
                cramped.problems.append(f"rotating the token said {rotated.stderr[-200:]!r}")
            cramped.check("after that", cramped.send())
            scene.problems += cramped.problems
        finally:
            target.close()
    return "log lines"


@contextlib.contextmanager
def _small_disk() -> Iterator[Path]:
    folder = tempfile.mkdtemp(prefix="colorize-disk-")
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "none", folder]
    try:
        if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
            raise SkippedError("may not mount a small tmpfs here")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)
    finally:
        Path(folder).rmdir()


def watchdog(scene: Scene) -> str:
    """The inference process stops dead, and its client waits: after two minutes it is replaced."""
    held = scene.send(LARGE)
    scene.at_work()
    scene.target.child.suspend()
    waiting = scene.send()
    answer = held.result(300)
    if (answer.status, answer.code) != (503, "inference_failed"):
        scene.problems.append(f"the picture it held was answered {answer.status} {answer.code}")
    scene.check("a picture that waited", waiting)
    return f"the picture in hand, with 503 inference_failed after {answer.elapsed_s:.0f} s"


def _segments() -> set[str]:
    folder = Path("/dev/shm")  # noqa: S108 - looked at, not written to
    return {file.name for file in folder.iterdir()} if folder.is_dir() else set()


QUICK = (
    kill_inference_at_work,
    kill_inference_at_rest,
    hung_native_call,
    closed_while_uploading,
    closed_while_waiting,
    closed_while_working,
    closed_at_any_moment,
    closed_while_answered,
    truncated_body,
    two_thousand_connections,
    token_rotated,
    out_of_memory,
    kill_daemon,
    terminated,
    full_disk,
)
SLOW = (slow_client, clock_step, model_replaced, watchdog)


def run(*, with_slow: bool) -> dict[str, Any]:
    """Do the faults, one after the other, to one daemon."""
    with running() as target:
        outcomes = [_outcome(fault, Scene(target)) for fault in (*QUICK, *(SLOW if with_slow else ()))]
    problems = [f"{outcome.name}: {problem}" for outcome in outcomes for problem in outcome.problems]
    if sum(not outcome.lost.startswith("not done") for outcome in outcomes) < 12:
        problems.append("fewer than 12 kinds of faults were done")
    return {"faults": [[outcome.name, outcome.lost, outcome.problems] for outcome in outcomes], "problems": problems}


def _outcome(fault: Callable[[Scene], str], scene: Scene) -> Outcome:
    name = fault.__name__.replace("_", " ")
    try:
        lost = fault(scene)
        scene.expect_right()
    except SkippedError as reason:
        return Outcome(name, f"not done: {reason}", [])
    except (OSError, http.client.HTTPException, TimeoutError, psutil.Error, AssertionError, ValueError) as error:
        return Outcome(name, "?", [*scene.problems, repr(error)])
    return Outcome(name, lost, scene.problems)
