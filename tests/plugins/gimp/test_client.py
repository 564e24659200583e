"""The plug-in's HTTP client against the real server, and against servers that misbehave; no GIMP needed."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import client
import faults
import numpy as np
import pytest
from protocol import NoServerError, Request, Server, ServerError, StrangerError
from real_daemon import Daemon

GREY = Request(64, 48, 1, 8, bytes(range(64)) * 48)


def address(daemon: Daemon) -> Server:
    return Server("127.0.0.1", daemon.state["port"], daemon.state["token"])


@contextlib.contextmanager
def misbehaving(behave: Callable[[faults.Exchange], None]) -> Iterator[tuple[Server, faults.FaultyServer]]:
    faulty = faults.FaultyServer(behave)
    yield Server("127.0.0.1", faulty.port, faults.TOKEN), faulty
    faulty.close()


# The real server


def test_health_of_the_real_server_is_read(tiny_daemon: Daemon) -> None:
    health = client.check_health(address(tiny_daemon))
    assert health.state == "ready"
    assert health.model == "tiny 1"
    assert health.backend == "onnxruntime on CPU"
    assert health.sizes == [64, 128, 256]
    assert health.default_size == 128
    assert len(health.model_sha256) == 64
    assert health.failure() is None


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 2])
def test_grey_values_alpha_and_byte_order_survive_the_way_there_and_back(
    tiny_daemon: Daemon, channels: int, depth: int
) -> None:
    """Without saturation the layer is the photograph itself, sample by sample."""
    width, height = 67, 43
    top = 2**depth - 1
    ramp = np.linspace(0, top, width * height).round().astype(f"<u{depth // 8}").reshape(height, width)
    picture = np.stack([ramp, ramp[::-1]], -1)[..., :channels]
    answer = client.colorize(
        address(tiny_daemon), Request(width, height, channels, depth, picture.tobytes(), saturation=0)
    )
    back = np.frombuffer(answer.picture, f"<u{depth // 8}").reshape(height, width, channels + 2).astype(int)
    # LCh Color takes the lightness from the photograph; the layer's own may be off by its rounding.
    assert np.abs(back[..., :3] - ramp[..., None].astype(int)).max() <= (1 if depth == 8 else 40)
    if channels == 2:
        assert (back[..., 3] == ramp[::-1]).all()


def test_the_answer_says_what_made_it(tiny_daemon: Daemon) -> None:
    answer = client.colorize(address(tiny_daemon), Request(64, 48, 1, 8, GREY.picture, size=64))
    assert (answer.model, answer.backend, answer.size) == ("tiny 1", "onnxruntime", 64)
    assert answer.model_sha256 == tiny_daemon.health()["model"]["sha256"]


def test_a_layer_is_laid_again_from_its_recipe(tiny_daemon: Daemon) -> None:
    """Doubt and recipe follow the picture; without the network the same layer comes, and a paler one."""
    assert {"recipe", "touchups"} <= set(client.check_health(address(tiny_daemon)).features)
    hints = np.zeros((48, 64, 4), np.uint8)
    hints[10:20, 10:30] = (200, 40, 40, 255)
    first = client.colorize(
        address(tiny_daemon), replace(GREY, hints=hints.tobytes(), doubt=True, wants_recipe=True, saturation=0.7)
    )
    assert len(first.doubt) == 64 * 48
    assert first.recipe.startswith(b"CLZR")
    again = client.colorize(address(tiny_daemon), replace(GREY, recipe=first.recipe, saturation=0.7))
    assert (again.size, again.recipe, again.doubt) == (first.size, None, None)
    assert np.abs(pixels(again.picture) - pixels(first.picture)).max() <= 1


def pixels(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8).reshape(48, 64, -1).astype(int)


def test_strokes_are_lifted_off_a_layer(tiny_daemon: Daemon) -> None:
    laid = np.full((48, 64, 4), (150, 110, 90, 255), np.uint8)
    painted = laid.copy()
    painted[10:20, 10:30, :3] = (60, 60, 190)
    strokes = pixels(client.lift(address(tiny_daemon), 64, 48, laid.tobytes(), painted.tobytes()))
    assert (strokes[10:20, 10:30] == (60, 60, 190, 255)).all()
    assert np.count_nonzero(strokes[..., 3]) == 200
    with pytest.raises(ServerError, match="should have 24576 bytes"):
        client.lift(address(tiny_daemon), 64, 48, laid.tobytes(), b"")


def test_doubt_follows_the_picture(tiny_daemon: Daemon) -> None:
    answer = client.colorize(address(tiny_daemon), Request(64, 48, 1, 8, GREY.picture, doubt=True))
    assert answer.doubt is not None
    assert len(answer.doubt) == 64 * 48
    assert len(answer.picture) == 64 * 48 * 3


def test_hints_follow_the_picture(tiny_daemon: Daemon) -> None:
    hints = np.zeros((48, 64, 4), np.uint8)
    hints[16:32, 16:48] = (200, 40, 40, 255)
    plain, hinted = (
        np.frombuffer(
            client.colorize(
                address(tiny_daemon), Request(64, 48, 1, 8, bytes([120]) * 64 * 48, hints=data, size=64)
            ).picture,
            np.uint8,
        ).reshape(48, 64, 3)
        for data in (None, hints.tobytes())
    )
    # Where the stroke is, the picture turns red; where it is not, nothing does.
    assert (hinted[20:28, 20:44, 0].astype(int) - plain[20:28, 20:44, 0]).min() > 20
    assert np.abs(hinted[:4].astype(int) - plain[:4]).max() <= 8


def test_the_servers_own_refusal_is_passed_on_in_words(tiny_daemon: Daemon) -> None:
    with pytest.raises(ServerError) as caught:
        client.colorize(address(tiny_daemon), Request(4, 48, 1, 8, bytes(4 * 48)))
    assert caught.value.code == "picture_too_small"
    with pytest.raises(ServerError) as caught:
        client.colorize(address(tiny_daemon), Request(64, 48, 1, 8, GREY.picture, size=100))
    assert caught.value.code == "size_not_offered"


def test_a_wrong_token_is_noticed_before_anything_is_sent(tiny_daemon: Daemon) -> None:
    wrong = Server("127.0.0.1", tiny_daemon.state["port"], "0" * 64)
    with pytest.raises(StrangerError, match="does not know this installation's token, so nothing was sent"):
        client.colorize(wrong, GREY)


def test_a_server_that_is_killed_while_it_works_is_reported(tmp_path: Path, tiny_model_path: Path) -> None:
    daemon = Daemon(tmp_path / "state", tiny_model_path)
    side = 6000
    request = Request(side, side, 1, 8, bytes(side * side), size=256)
    server = address(daemon)

    def kill() -> None:
        end = time.monotonic() + 30
        while not daemon.running and time.monotonic() < end:
            time.sleep(0.01)
        daemon.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ServerError, match="stopped while it was working"):
        client.colorize(server, request)
    killer.join()


# Servers that misbehave


def test_no_server_is_told_apart_from_a_stranger() -> None:
    with misbehaving(faults.stranger) as (server, faulty):
        faulty.close()
        with pytest.raises(NoServerError, match="No colorize server answers on port"):
            client.colorize(server, GREY)


@pytest.mark.parametrize(
    "behave",
    [faults.stranger, faults.not_http, faults.other_token, faults.without_proof, faults.relays],
    ids=lambda f: f.__name__,
)
def test_neither_token_nor_picture_reach_a_stranger(behave: Callable[[faults.Exchange], None]) -> None:
    with misbehaving(behave) as (server, faulty):
        with pytest.raises(StrangerError, match="nothing was sent to it"):
            client.colorize(server, GREY)
        assert faults.TOKEN.encode() not in faulty.received
        assert GREY.picture[:64] not in faulty.received
        assert b"POST" not in faulty.received


@pytest.mark.parametrize(
    ("behave", "message"),
    [
        (faults.other_protocol, "speaks version 2 of the protocol"),
        (faults.failed, "The model file is damaged. Install it again."),
        (faults.refuses, "The picture needs 9 GB. Close other programs."),
        (faults.refuses_early, "The picture is too large. Make it smaller."),
        (faults.breaks, "answered with error 500 and no explanation"),
        (faults.cuts_off, r"cut off after 4,608 of 9,216 bytes"),
        (faults.dies, "stopped while it was working"),
        (faults.answers_another_size, "a picture of another kind than was asked for"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_whatever_goes_wrong_is_told_in_words(behave: Callable[[faults.Exchange], None], message: str) -> None:
    with misbehaving(behave) as (server, _), pytest.raises(ServerError, match=message) as caught:
        client.colorize(server, GREY)
    assert caught.value.hint


def test_a_connection_that_breaks_while_the_picture_is_sent_is_told_in_words() -> None:
    """The reason may be lost with the connection, the remedy is not."""
    large = Request(10_000, 6_000, 1, 8, bytes(60_000_000))
    with misbehaving(faults.slams) as (server, _), pytest.raises(ServerError) as caught:
        client.colorize(server, large)
    assert caught.value.message in ("The picture is too large.", "The colorize server stopped while it was working.")
    assert caught.value.hint


@pytest.mark.parametrize("behave", [faults.silent, faults.drips, faults.drips_headers], ids=lambda f: f.__name__)
def test_a_server_that_hangs_is_given_up(
    behave: Callable[[faults.Exchange], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it sends nothing, or a byte now and then."""
    monkeypatch.setattr(client, "HEALTH_TIMEOUT_S", 0.3)
    with misbehaving(behave) as (server, _), pytest.raises(ServerError, match="does not answer"):
        client.check_health(server)


# Addresses


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://127.0.0.1:47811", ("127.0.0.1", 47811)),
        (" localhost:5000 ", ("localhost", 5000)),
        ("http://[::1]:47811/", ("::1", 47811)),
    ],
)
def test_an_address_is_read(text: str, expected: tuple[str, int]) -> None:
    assert client.parse_address(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "colorize", "http://127.0.0.1", "https://127.0.0.1:47811", "http://127.0.0.1:99999", "http://a@127.0.0.1:1",
     "http://127.0.0.1:1/path", "http://[::1"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ServerError, match="is not a server address"):
        client.parse_address(text)


def test_a_photograph_never_goes_to_another_computer() -> None:
    with pytest.raises(ServerError, match="on another computer"):
        client.parse_address("http://192.168.1.20:47811")
