"""`colorize-server start`, `stop`, `status`, `pair`, `token` as processes of their own, and what happens to them."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from colorize_server import __version__
from colorize_server.installation.probe import Who, find_daemon, probe
from colorize_server.installation.state import DaemonState, StateFolder
from daemon_rig import segments
from scripted_child import BUSY, HANG, NORMAL, SLOW, STEPS

OPTIONS = {"allow_remote": False, "ipv6": False, "device": 0, "require_gpu": False, "idle_exit_s": None}
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what is tested is that it is refused
SERVER = [sys.executable, str(Path(__file__).parents[1] / "fixtures" / "lifecycle_server.py")]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="uses POSIX signals")


@pytest.fixture
def folder(state_folder: Path) -> Iterator[StateFolder]:
    """A private folder; whatever daemon is left in it is ended."""
    folder = StateFolder(state_folder)
    yield folder
    state = folder.load()
    if state is not None and psutil.pid_exists(state.pid):
        process = psutil.Process(state.pid)
        if "start" in process.cmdline():  # and not another process that was given the same number
            process.kill()


@pytest.fixture
def port() -> int:
    """A port that is free."""
    with socket.socket() as probe_socket:
        probe_socket.bind(("127.0.0.1", 0))
        number: int = probe_socket.getsockname()[1]
    return number


def call(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*SERVER, *words], capture_output=True, text=True, timeout=90, env={**os.environ, **environment}, check=False
    )


class Started:
    """A daemon in the foreground."""

    def __init__(self, folder: StateFolder, *words: str, **environment: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [*SERVER, "start", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def __enter__(self) -> "Started":
        eventually(lambda: self.process.poll() is not None or self.is_ready())
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def is_ready(self) -> bool:
        running = find_daemon(self.folder)
        return running is not None and running[1].health["ready"] and running[0].pid == self.process.pid

    @property
    def state(self) -> DaemonState:
        state = self.folder.load()
        assert state is not None
        return state

    @property
    def child(self) -> psutil.Process:
        (child,) = psutil.Process(self.process.pid).children()
        return child

    def ask(self, method: str, target: str, body: bytes | None = None) -> tuple[int, Any]:
        state = self.state
        connection = http.client.HTTPConnection("127.0.0.1", state.port, timeout=60)
        headers = {"X-Colorize-Token": state.token, "Content-Type": "application/octet-stream"}
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        is_json = answer.getheader("Content-Type") == "application/json"
        return answer.status, json.loads(content) if is_json else content

    def colorize(self, how: int, path: str = "colorize") -> tuple[int, Any]:
        return self.ask("POST", f"/v1/{path}?width=16&height=16&channels=1", bytes([how]) * 256)


class InBackground:
    """A request on a thread of its own."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._result: Any = None
        self._function = function
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._function()
        except OSError as error:
            self._result = error

    def result(self) -> Any:
        self._thread.join(60)
        return self._result


def eventually(condition: Callable[[], Any], timeout_s: float = 40) -> None:
    """Wait until `condition()` holds."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_start_tells_clients_where_it_is(folder: StateFolder, port: int) -> None:
    """The state file names port, process, version and token, and is private."""
    with Started(folder, "--port", str(port)) as daemon:
        assert daemon.state == DaemonState(
            "colorize-server", __version__, 1, "127.0.0.1", port, daemon.process.pid, folder.token(), OPTIONS
        )
        assert stat.S_IMODE(folder.state_file.stat().st_mode) == 0o600
        assert daemon.colorize(NORMAL)[0] == 200
        listening = [c.laddr.ip for c in psutil.Process(daemon.process.pid).net_connections() if c.status == "LISTEN"]
        assert listening == ["127.0.0.1"]


def test_starting_twice_says_so_and_succeeds(folder: StateFolder, port: int) -> None:
    """Also in the background, and when any port will do."""
    with Started(folder, "--port", str(port)) as daemon:
        for words in (["--port", str(port)], ["--background"], ["--port", "0"]):
            second = call("start", *words)
            assert second.returncode == 0, second.stderr
            assert second.stdout == f"colorize-server {__version__} already runs on port {port}.\n"
        assert daemon.colorize(NORMAL)[0] == 200


def test_a_start_with_other_options_is_refused_or_replaces(folder: StateFolder, port: int) -> None:
    """A second start never ignores what it was asked for; what was under way is finished."""
    with Started(folder, "--port", str(port)) as daemon:
        refused = call("start", "--background", "--backend", "cuda", "--port", str(port))
        assert refused.returncode == 1
        assert "but computes with" in refused.stderr
        work = InBackground(lambda: daemon.colorize(SLOW))
        eventually(lambda: daemon.ask("GET", "/v1/health")[1]["queue"]["running"] == 1)

        replaced = call("start", "--background", "--replace", "--port", str(port))

        assert replaced.returncode == 0, replaced.stderr
        assert work.result()[0] == 200
        assert daemon.process.wait(30) == 0
        assert call("stop").returncode == 0


def test_stop_says_that_it_waits_for_a_picture(folder: StateFolder, port: int) -> None:
    """A large picture takes long; silence looks like a fault."""
    with Started(folder, "--port", str(port)) as daemon:
        work = [InBackground(lambda: daemon.colorize(SLOW)) for _ in range(8)]
        eventually(lambda: daemon.ask("GET", "/v1/health")[1]["queue"]["running"] == 1)

        stopped = call("stop")

        assert stopped.stdout == "Waiting for the picture under way.\ncolorize-server has ended.\n"
        assert {one.result()[0] for one in work} == {200}


def test_many_starts_at_the_same_time_make_one_daemon(folder: StateFolder, port: int) -> None:
    """Two plug-ins may have the same idea."""
    starts = [
        subprocess.Popen([*SERVER, "start", "--background", "--port", str(port)], stdout=subprocess.PIPE)
        for _ in range(4)
    ]

    assert [start.wait(90) for start in starts] == [0] * 4
    for start in starts:
        assert start.stdout is not None
        start.stdout.close()
    running = [p for p in psutil.process_iter() if _is_daemon_of(p, port)]
    assert len(running) == 1
    assert call("stop").returncode == 0


def _is_daemon_of(process: psutil.Process, port: int) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return "start" in words and str(port) in words and process.status() != psutil.STATUS_ZOMBIE


def test_background_status_and_stop(folder: StateFolder, port: int) -> None:
    """A painter's three commands."""
    assert call("status").returncode == 3
    started = call("start", "--background", "--port", str(port))
    assert (started.returncode, started.stdout) == (0, f"colorize-server {__version__} runs on port {port}.\n"), (
        started.stderr
    )
    state = folder.load()
    assert state is not None
    assert os.getsid(state.pid) == state.pid  # closing the terminal does not end it

    status = call("status")
    assert status.returncode == 0
    assert f"runs on port {port}" in status.stdout
    assert state.token not in status.stdout
    assert json.loads(call("status", "--json").stdout)["ready"] is True

    child = psutil.Process(state.pid).children()[0]
    stopped = call("stop")
    assert (stopped.returncode, stopped.stdout) == (0, "colorize-server has ended.\n")
    eventually(lambda: not psutil.pid_exists(state.pid) and not child.is_running())
    assert folder.load() is None
    assert call("stop").stdout == "colorize-server does not run.\n"


def test_another_version_finishes_its_work_and_is_replaced(folder: StateFolder, port: int) -> None:
    """What it had accepted is not lost."""
    with Started(folder, "--port", str(port), TEST_VERSION="0.0.1") as old:
        work = InBackground(lambda: old.colorize(SLOW))
        eventually(lambda: old.ask("GET", "/v1/health")[1]["queue"]["running"] == 1)

        started = call("start", "--background", "--port", str(port))

        assert started.returncode == 0, started.stderr
        assert "0.0.1" in started.stdout
        assert work.result()[0] == 200
        assert old.process.wait(30) == 0
        state = folder.load()
        assert state is not None
        assert state.version == __version__
    assert call("stop").returncode == 0


def test_a_stranger_on_the_port_is_told_apart(folder: StateFolder, port: int) -> None:
    """It is named, gets no token, and the daemon does not take the port from it."""
    received = bytearray()
    with socket.create_server(("127.0.0.1", port)) as stranger:
        stranger.settimeout(0.2)
        is_over = threading.Event()

        def answer() -> None:
            while not is_over.is_set():
                try:
                    connection, _ = stranger.accept()
                except TimeoutError:
                    continue
                with connection:
                    received.extend(connection.recv(4096))
                    connection.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n" + b'{"product": "other-server"}'
                    )

        thread = threading.Thread(target=answer)
        thread.start()
        token = folder.token() if folder.prepare() is None else ""
        folder.save(DaemonState("colorize-server", __version__, 1, "127.0.0.1", port, os.getpid(), token))
        try:
            assert probe("127.0.0.1", port, token).who is Who.STRANGER
            assert call("status").returncode == 3
            refused = call("start", "--port", str(port))
        finally:
            is_over.set()
            thread.join()

    assert refused.returncode == 1
    assert f"hold port {port}" in refused.stderr
    assert b"nonce=" in received
    assert token.encode() not in received


def test_a_colorize_server_of_somebody_else_is_told_apart(folder: StateFolder, port: int, tmp_path: Path) -> None:
    """It cannot prove to know our token."""
    with Started(folder, "--port", str(port)):
        assert probe("127.0.0.1", port, folder.token()).who is Who.OURS
        assert probe("127.0.0.1", port, "0" * 64).who is Who.OTHER
        other = call("start", "--port", str(port), COLORIZE_STATE_DIR=str(tmp_path / "other"))
        assert other.returncode == 1
        assert "choose another port" in other.stderr


def test_a_taken_port_falls_back_to_the_next(folder: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the ports that the Photoshop panel may reach are tried."""
    from colorize_server.settings import DEFAULT_PORT, FALLBACK_PORTS

    taken = []
    try:
        for port in (DEFAULT_PORT, FALLBACK_PORTS[0]):
            with contextlib.suppress(OSError):  # somebody holds it already, which does as well
                taken.append(socket.create_server(("127.0.0.1", port)))
        started = call("start", "--background")
        state = folder.load()
        if started.returncode:  # all three are taken on this machine
            assert "choose another port" in started.stderr
        else:
            assert state is not None
            assert state.port == FALLBACK_PORTS[1]
            assert call("stop").returncode == 0
    finally:
        for held in taken:
            held.close()


def test_kill_9_blocks_nothing_and_leaves_nothing(folder: StateFolder, port: int) -> None:
    """No orphan, no shared memory, no stale lock, port or state file in the way of the next start."""
    before = segments()
    with Started(folder, "--port", str(port)) as daemon:
        work = InBackground(lambda: daemon.colorize(BUSY))
        eventually(lambda: daemon.ask("GET", "/v1/health")[1]["queue"]["running"] == 1)
        child = daemon.child

        daemon.process.kill()

        eventually(lambda: not child.is_running(), timeout_s=10)
        assert isinstance(work.result(), OSError)
    assert folder.load() is not None  # it had no time to take it away
    assert call("status").returncode == 3
    with Started(folder, "--port", str(port)) as again:
        assert again.colorize(NORMAL)[0] == 200
    after = segments()
    assert after <= before


@pytest.mark.parametrize("how", [HANG, 3])
def test_a_child_that_hangs_ends_with_its_daemon(folder: StateFolder, port: int, how: int) -> None:
    """Even if native code lets no other thread of it run (3)."""
    if how == 3 and sys.platform != "linux":
        pytest.skip("only Linux ends a process with its parent")
    with Started(folder, "--port", str(port)) as daemon:
        work = InBackground(lambda: daemon.colorize(how))
        eventually(lambda: daemon.ask("GET", "/v1/health")[1]["queue"]["running"] == 1)
        child = daemon.child
        daemon.process.kill()
        eventually(lambda: not child.is_running(), timeout_s=10)
        work.result()


def test_sigterm_finishes_what_is_under_way_and_refuses_the_rest(folder: StateFolder, port: int) -> None:
    """What was accepted is answered, what comes later is told to come back."""
    with Started(folder, "--port", str(port)) as daemon:
        state = daemon.state
        accepted = [InBackground(lambda: daemon.colorize(SLOW)) for _ in range(2)]
        eventually(lambda: daemon.ask("GET", "/v1/health")[1]["queue"] == {"length": 1, "running": 1, "limit": 16})
        job = daemon.colorize(NORMAL, path="jobs")[1]["id"]

        daemon.process.send_signal(signal.SIGTERM)
        eventually(lambda: daemon.ask("GET", "/v1/health")[1]["state"] == "stopping")
        refused = daemon.colorize(NORMAL)

        assert (refused[0], refused[1]["code"]) == (503, "stopping")
        assert [work.result()[0] for work in accepted] == [200, 200]
        while daemon.ask("GET", f"/v1/jobs/{job}?wait=5")[1]["state"] != "done":
            pass
        assert daemon.ask("GET", f"/v1/jobs/{job}/result")[0] == 200
        assert daemon.process.wait(30) == 0
        assert folder.load() is None
        assert not psutil.pid_exists(state.pid) or psutil.Process(state.pid).status() == psutil.STATUS_ZOMBIE


def test_sigterm_does_not_wait_for_ever(folder: StateFolder, port: int) -> None:
    """Work that does not end is given up."""
    with Started(folder, "--port", str(port), TEST_DRAIN_S="1") as daemon:
        work = InBackground(lambda: daemon.colorize(HANG))
        eventually(lambda: daemon.ask("GET", "/v1/health")[1]["queue"]["running"] == 1)

        daemon.process.send_signal(signal.SIGTERM)

        assert daemon.process.wait(30) == 0
        result = work.result()
        assert isinstance(result, OSError) or result[0] == 503


def test_a_second_ctrl_c_ends_it_at_once(folder: StateFolder, port: int) -> None:
    """Who asks twice means it."""
    with Started(folder, "--port", str(port)) as daemon:
        work = InBackground(lambda: daemon.colorize(HANG))
        eventually(lambda: daemon.ask("GET", "/v1/health")[1]["queue"]["running"] == 1)
        daemon.process.send_signal(signal.SIGINT)
        eventually(lambda: daemon.ask("GET", "/v1/health")[1]["state"] == "stopping")

        daemon.process.send_signal(signal.SIGINT)

        assert daemon.process.wait(15) == 0
        work.result()


def test_a_daemon_that_does_not_answer_is_named(folder: StateFolder, port: int) -> None:
    """By `stop`, with its process, so that it can be ended."""
    with Started(folder, "--port", str(port)) as daemon:
        daemon.process.send_signal(signal.SIGSTOP)

        stopped = call("stop")

        assert stopped.returncode == 1
        assert f"The server (process {daemon.process.pid}) runs but does not answer." in stopped.stderr
        daemon.process.send_signal(signal.SIGCONT)
        assert daemon.colorize(NORMAL)[0] == 200


def test_a_daemon_that_does_not_answer_is_no_daemon_that_does_not_run(folder: StateFolder, port: int) -> None:
    """Nor for programs."""
    with Started(folder, "--port", str(port)) as daemon:
        daemon.process.send_signal(signal.SIGSTOP)

        status, for_programs = call("status"), call("status", "--json")

        assert (status.returncode, for_programs.returncode) == (1, 1)
        assert f"The server (process {daemon.process.pid}) runs but does not answer." in status.stderr
        assert json.loads(for_programs.stdout) == {"state": "hung"}
        daemon.process.send_signal(signal.SIGCONT)


def test_a_daemon_without_its_state_file_is_found_by_its_process(folder: StateFolder, port: int) -> None:
    """On a port that nobody would guess; where the file cannot be written again, say on a full disk."""
    with Started(folder, "--port", str(port)) as daemon:
        folder.state_file.unlink()
        folder.state_file.mkdir()

        status, again, stopped = call("status"), call("start", "--port", str(port)), call("stop")

        assert status.returncode == 0, status.stderr
        assert f"runs on port {port} (process {daemon.process.pid})" in status.stdout
        assert again.stdout == f"colorize-server {__version__} already runs on port {port}.\n", again.stderr
        assert (stopped.returncode, stopped.stdout) == (0, "colorize-server has ended.\n"), stopped.stderr
        assert daemon.process.wait(30) == 0


@pytest.mark.parametrize("what", ["the state file", "the folder"])
def test_a_daemon_makes_again_what_was_deleted(folder: StateFolder, port: int, what: str) -> None:
    """Plug-ins read the state file alone, and Photoshop stays paired; a second daemon is still kept out."""
    with Started(folder, "--port", str(port)) as daemon:
        before = daemon.state
        if what == "the folder":
            shutil.rmtree(folder.path)
        else:
            folder.state_file.unlink()

        eventually(lambda: folder.load() == before)

        assert folder.token() == before.token
        assert call("start", "--port", str(port)).returncode == 0
        assert call("stop").returncode == 0
        assert daemon.process.wait(30) == 0


def test_a_full_disk_is_named(full_disk: Path, port: int) -> None:
    """In the foreground, in the background, and by what needs the token."""
    for words in (
        ["start", "--port", str(port)],
        ["start", "--background", "--port", str(port)],
        ["pair", "photoshop"],
    ):
        failed = call(*words, COLORIZE_STATE_DIR=str(full_disk))
        assert failed.returncode == 1
        assert f"There is no room left on the disk of {full_disk}" in failed.stderr
        assert "Traceback" not in failed.stderr


def test_a_start_in_the_background_that_is_interrupted_says_what_became_of_it(
    folder: StateFolder, port: int, tmp_path: Path
) -> None:
    """Nothing goes on without a word."""
    model = tmp_path / "never.onnx"
    os.mkfifo(model)  # whoever reads it waits, so that the server stays at its start
    process = subprocess.Popen(
        [*SERVER, "start", "--background", "--port", str(port), "--model", str(model)],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a background job ignores it
    )
    eventually(lambda: folder.load() is not None)
    started = folder.load()
    assert started is not None

    process.send_signal(signal.SIGINT)

    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert said == "colorize-server: stopped; the server that was being started has ended, too.\n"
    assert not psutil.pid_exists(started.pid)
    assert call("status").returncode == 3


def test_idle_exit_waits_for_work(folder: StateFolder, port: int) -> None:
    """It ends when there was nothing to do, and never in the middle of a picture."""
    with Started(folder, "--port", str(port), "--idle-exit", "0.01") as daemon:  # 0.6 s
        assert daemon.colorize(STEPS)[0] == 200  # takes longer than that
        assert daemon.process.wait(30) == 0
    assert folder.load() is None


@pytest.mark.parametrize("end", ["idle", "shutdown", "signal", "shutdown before a result is fetched"])
def test_an_answer_on_its_way_is_sent_to_its_end(folder: StateFolder, port: int, end: str) -> None:
    """To a client that reads slower than the daemon would end; a job's result too."""
    is_job = end.endswith("fetched")
    idle_exit = ["--idle-exit", "0.02"] if end == "idle" else []  # 1.2 s
    side, piece = 3000, 1 << 20
    with Started(folder, "--port", str(port), *idle_exit, TEST_FETCH_GRACE_S="1") as daemon:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.sock = socket.socket()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)  # else much of it waits in the system
        connection.sock.connect(("127.0.0.1", port))
        headers = {"X-Colorize-Token": daemon.state.token, "Content-Type": "application/octet-stream"}
        body = bytes([NORMAL]) * (side * side)
        path = "jobs" if is_job else "colorize"
        connection.request("POST", f"/v1/{path}?width={side}&height={side}&channels=1", body, headers)
        answer = connection.getresponse()
        if is_job:
            job = json.loads(answer.read())["id"]
            eventually(lambda: daemon.ask("GET", f"/v1/jobs/{job}")[1]["state"] == "done")
            assert daemon.ask("POST", "/v1/shutdown")[0] == 202
            connection.request("GET", f"/v1/jobs/{job}/result", headers=headers)
            answer = connection.getresponse()
        elif end == "shutdown":
            assert daemon.ask("POST", "/v1/shutdown")[0] == 202
        elif end == "signal":
            daemon.process.send_signal(signal.SIGTERM)
        received = 0
        while part := answer.read(piece):
            received += len(part)
            time.sleep(0.25)
        connection.close()
        assert received == side * side * 3
        assert daemon.process.wait(30) == 0


def test_rotating_the_token_shuts_out_the_old_one(folder: StateFolder, port: int) -> None:
    """Without a restart; clients find the new one in the state file."""
    with Started(folder, "--port", str(port)) as daemon:
        old = daemon.state.token
        rotated = call("token", "--rotate")
        assert rotated.returncode == 0, rotated.stderr
        assert old not in rotated.stdout

        eventually(lambda: daemon.state.token != old)
        assert daemon.colorize(NORMAL)[0] == 200
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/v1/jobs/x", headers={"X-Colorize-Token": old})
        assert connection.getresponse().status == 401
        connection.close()


def test_status_without_a_server_is_json_for_programs(folder: StateFolder) -> None:
    status = call("status", "--json")

    assert status.returncode == 3
    assert json.loads(status.stdout) == {"state": "not running"}


def test_pairing_shows_the_token(folder: StateFolder) -> None:
    """Once, to be pasted."""
    paired = call("pair", "photoshop")

    assert paired.returncode == 0
    assert folder.token() in paired.stdout


def test_logs_hold_no_token_and_no_picture(folder: StateFolder, port: int) -> None:
    """Neither the file nor what is printed."""
    with Started(folder, "--port", str(port)) as daemon:
        token = daemon.state.token
        daemon.ask("POST", "/v1/colorize?width=16&height=16&channels=1", b"\0" + b"SECRET PIXELS" * 20)
        daemon.colorize(7)
        daemon.process.send_signal(signal.SIGTERM)
        printed = "".join(daemon.process.communicate(timeout=30))
    logged = folder.log_file.read_text()
    assert "listens on" in logged
    assert "ZeroDivisionError" in printed
    for text in (printed, logged):
        assert token not in text
        assert "SECRET" not in text


def test_remote_addresses_need_to_be_asked_for_twice(folder: StateFolder) -> None:
    """And then it says what that means."""
    refused = call("start", "--host", EVERYWHERE)
    assert refused.returncode == 1
    assert "--allow-remote" in refused.stderr

    with Started(folder, "--host", EVERYWHERE, "--port", "0", "--allow-remote") as daemon:
        assert daemon.colorize(NORMAL)[0] == 200
        daemon.process.terminate()
        assert "Whoever has the token" in daemon.process.communicate(timeout=30)[0]


def test_ipv6_loopback_on_request(folder: StateFolder, port: int) -> None:
    """`--ipv6` adds ::1."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with Started(folder, "--port", str(port), "--ipv6"):
        assert probe("::1", port, folder.token()).who is Who.OURS


def test_an_unwritable_home_is_a_sentence(tmp_path: Path) -> None:
    """Not a traceback."""
    (tmp_path / "file").write_text("")
    failed = call("start", COLORIZE_STATE_DIR=str(tmp_path / "file" / "state"))

    assert failed.returncode == 1
    assert re.fullmatch(r"colorize-server: The folder .* cannot be created .*\n", failed.stderr)


def test_a_vanished_folder_does_not_disturb_a_running_daemon(folder: StateFolder, port: int) -> None:
    """Somebody cleaned up."""
    with Started(folder, "--port", str(port)) as daemon:
        token = daemon.state.token
        shutil.rmtree(folder.path)
        time.sleep(1.5)

        connection = http.client.HTTPConnection("127.0.0.1", port)
        headers = {"X-Colorize-Token": token, "Content-Type": "application/octet-stream"}
        connection.request("POST", "/v1/colorize?width=16&height=16&channels=1", bytes(256), headers)
        assert connection.getresponse().read() == bytes([255, 0, 7]) * 256
        connection.close()
        daemon.process.terminate()
        assert daemon.process.wait(30) == 0


def test_a_model_that_cannot_be_loaded_is_told(folder: StateFolder, port: int) -> None:
    """By status, and by the next start, which replaces it with one that can."""
    daemon = Started(folder, "--port", str(port), "--backend", "fails")
    try:
        eventually(lambda: (running := find_daemon(folder)) and running[1].health["state"] == "failed")

        status = call("status")

        assert status.returncode == 1
        assert "The model /models/base.onnx is damaged. Reinstall colorize-server." in status.stdout
        again = call("start", "--background", "--port", str(port))
        assert again.returncode == 0, again.stderr
        assert "is replaced. It said: The model /models/base.onnx is damaged." in again.stdout
        assert daemon.process.wait(30) == 0
        assert call("status").returncode == 0
        assert call("stop").returncode == 0
    finally:
        daemon.__exit__()


def test_a_damaged_model_file_is_named(folder: StateFolder, port: int, tmp_path: Path, tiny_model_path: Path) -> None:
    """The product's own engine, on half a model."""
    half = tmp_path / "half.onnx"
    half.write_bytes(tiny_model_path.read_bytes()[:300])
    command = [
        sys.executable,
        "-m",
        "colorize_server.cli.main",
        "start",
        "--background",
        "--port",
        str(port),
        "--model",
        str(half),
    ]

    started = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)

    assert started.returncode == 1
    assert str(half) in started.stderr
    assert "Traceback" not in started.stderr
    assert call("stop").returncode == 0


@pytest.mark.parametrize(
    "words", [["start", "--port", "x"], ["start", "--idle-exit", "0"], ["pair", "krita"], ["nothing"], []]
)
def test_arguments_that_make_no_sense(words: list[str]) -> None:
    """Exit code 2 and a line that says which."""
    failed = call(*words)

    assert failed.returncode == 2
    assert "usage: colorize-server" in failed.stderr


@pytest.mark.parametrize(
    "words", [["--help"], ["start", "--help"], ["stop", "--help"], ["status", "--help"], ["token", "--help"]]
)
def test_help_is_a_page_for_painters(words: list[str]) -> None:
    """No word of sockets, daemons or tokens' bits."""
    page = call(*words)

    assert page.returncode == 0
    for jargon in ("daemon", "asyncio", "HTTP", "ONNX file", "loopback"):
        assert jargon not in page.stdout
