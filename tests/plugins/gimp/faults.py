"""Servers that misbehave in one way each, on real sockets, and remember every byte that they were sent."""

import contextlib
import hashlib
import hmac
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

TOKEN = "5" * 64
MODEL = {"name": "faulty", "version": "1", "sha256": "0" * 64, "sizes": [256], "default_size": 256}
HEALTH = {
    "product": "colorize-server",
    "version": "0.1.0",
    "protocol": 1,
    "state": "ready",
    "ready": True,
    "backend": {"active": "onnxruntime", "device": "CPU"},
    "model": MODEL,
}


class FaultyServer:
    """A server on a free port of the loopback.

    Args:
        behave: called with each connection (`Exchange`) until it returns.

    Attributes:
        port: where it listens.
        received: every byte that was sent to it.
    """

    def __init__(self, behave: Callable[["Exchange"], None]) -> None:
        self._behave = behave
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.received = bytearray()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, EOFError):
            self._behave(Exchange(connection, self.received))

    def close(self) -> None:
        """Stop listening; shut down first, because a pending accept() would keep the port open."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def write_state(self, folder: Path, token: str = TOKEN) -> Path:
        """Write a state file that leads to this server."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {"host": "127.0.0.1", "port": self.port, "token": token, "pid": 0, "version": "0.1.0", "protocol": 1}
        (folder / "state.json").write_text(json.dumps({"product": "colorize-server", **state}))
        return folder / "state.json"


class Exchange:
    """One connection of a faulty server."""

    def __init__(self, connection: socket.socket, received: bytearray) -> None:
        self.connection = connection
        self._received = received
        self._buffer = b""

    def _more(self) -> None:
        data = self.connection.recv(1 << 16)
        if not data:
            raise EOFError
        self._received += data
        self._buffer += data

    def read_head(self) -> str:
        """Return the request line and headers."""
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        return head.decode()

    def read_body(self, head: str) -> bytes:
        """Return the body that the headers announce."""
        length = int(re.search(r"(?i)content-length: (\d+)", head)[1])
        while len(self._buffer) < length:
            self._more()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return body

    def answer(self, body: bytes, status: str = "200 OK", length: int | None = None, **headers: object) -> None:
        """Answer with `body`, announcing `length` bytes."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    def answer_health(self, token: str = TOKEN, port: int | None = None, **members: object) -> None:
        """Answer a health request as a server on `port` (without it, this one's) that knows `token` does."""
        nonce = re.search(r"nonce=([0-9a-f]+)", self.read_head())[1]
        asked = f"{nonce}:{port or self.connection.getsockname()[1]}"
        proof = hmac.new(token.encode(), asked.encode(), hashlib.sha256).hexdigest()
        self.answer(json.dumps({**HEALTH, "proof": proof, **members}).encode())

    def read_picture(self) -> tuple[int, int]:
        """Read a whole request to colorize; returns width and height."""
        head = self.read_head()
        self.read_body(head)
        _, width, height = dimensions(head)
        return width, height

    def answer_colour(self, width: int, height: int, share: float = 1.0, stated_width: int | None = None) -> None:
        """Answer the first `share` of a picture of one colour."""
        picture = bytes((200, 120, 60)) * (width * height)
        self.answer_colour_head(width, height, stated_width)
        self.connection.sendall(picture[: int(len(picture) * share)])

    def answer_colour_head(self, width: int, height: int, stated_width: int | None = None) -> None:
        """Answer the headers of a picture of that size."""
        headers = {
            "X_Colorize_Width": stated_width or width,
            "X_Colorize_Height": height,
            "X_Colorize_Channels": 3,
            "X_Colorize_Depth": 8,
            "X_Colorize_Model": "faulty 1",
            "X_Colorize_Model_Sha256": "0" * 64,
            "X_Colorize_Backend": "onnxruntime",
            "X_Colorize_Size": 256,
        }
        self.answer(b"", length=width * height * 3, **headers)

    def reset(self) -> None:
        """End the connection as the system does for a process that is killed."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def dimensions(head: str) -> tuple[int, int, int]:
    """Return length of the body, width and height of the picture that a request announces."""
    patterns = (r"(?i)content-length: (\d+)", r"width=(\d+)", r"height=(\d+)")
    length, width, height = (int(re.search(pattern, head)[1]) for pattern in patterns)
    return length, width, height


def stranger(exchange: Exchange) -> None:
    """Some other web server."""
    exchange.read_head()
    exchange.answer(b"<html>It works!</html>", Content_Type="text/html")


def not_http(exchange: Exchange) -> None:
    """Something that does not speak HTTP at all."""
    exchange.connection.sendall(b"220 mail.example.org ESMTP\r\n")
    exchange.read_head()


def other_token(exchange: Exchange) -> None:
    """The server of another user."""
    exchange.answer_health(token="7" * 64)


def without_proof(exchange: Exchange) -> None:
    """A stranger that copies a health answer but cannot make the proof."""
    exchange.read_head()
    exchange.answer(json.dumps(HEALTH).encode())


def relays(exchange: Exchange) -> None:
    """A stranger that hands on what our server on another port answers."""
    exchange.answer_health(port=47812)


def silent(exchange: Exchange) -> None:
    """Accepts and never answers."""
    exchange.read_head()
    exchange.read_head()


def drips(exchange: Exchange) -> None:
    """Never stops to answer: a byte now and then, for ten seconds."""
    exchange.read_head()
    exchange.connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    _drip(exchange)


def drips_headers(exchange: Exchange) -> None:
    """The same, before the answer proper."""
    exchange.read_head()
    exchange.connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _drip(exchange)


def _drip(exchange: Exchange) -> None:
    with contextlib.suppress(OSError):  # the client has given up
        for _ in range(100):
            exchange.connection.sendall(b"x")
            time.sleep(0.1)


def other_protocol(exchange: Exchange) -> None:
    """A later server."""
    exchange.answer_health(protocol=2)


def failed(exchange: Exchange) -> None:
    """A server whose model is damaged."""
    error = {"code": "model_unavailable", "message": "The model file is damaged.", "hint": "Install it again."}
    exchange.answer_health(state="failed", ready=False, model=None, backend={"active": None}, error=error)


def refuses(exchange: Exchange) -> None:
    """Answers an error of PROTOCOL.md."""
    exchange.answer_health()
    exchange.read_picture()
    error = {"code": "out_of_memory", "message": "The picture needs 9 GB.", "hint": "Close other programs."}
    exchange.answer(json.dumps(error).encode(), "503 Service Unavailable")


def refuses_early(exchange: Exchange) -> None:
    """Answers an error before it has read the picture, and leaves the client time to read it."""
    _refuse(exchange)
    exchange.read_head()


def slams(exchange: Exchange) -> None:
    """Answers an error and closes while the picture is still on its way."""
    _refuse(exchange)


def _refuse(exchange: Exchange) -> None:
    exchange.answer_health()
    exchange.read_head()
    error = {"code": "picture_too_large", "message": "The picture is too large.", "hint": "Make it smaller."}
    exchange.answer(json.dumps(error).encode(), "413 Payload Too Large")


def breaks(exchange: Exchange) -> None:
    """Answers an error without a word."""
    exchange.answer_health()
    exchange.read_picture()
    exchange.answer(b"Internal Server Error", "500 Internal Server Error")


def suggests(exchange: Exchange) -> None:
    """A server whose model suggests colours: for each place red, of which x tells the level, and one used before."""
    exchange.answer_health(suggestions=True)
    head = exchange.read_head()
    exchange.read_body(head)
    places = [tuple(map(int, place)) for place in re.findall(r"at=(\d+)%2C(\d+)", head.split("\r\n")[0])]
    colours = [
        [
            {"lab": [50, 0, 0], "srgb": [10, 200, 30], "share": 0.2, "used": True},
            {"lab": [50, 60, 40], "srgb": [x % 256, 0, y % 256], "share": 0.41},
        ]
        for x, y in places
    ]
    answer = {
        "model": "faulty 1",
        "places": [
            {"x": x, "y": y, "lightness": 50, "colours": own} for (x, y), own in zip(places, colours, strict=True)
        ],
    }
    exchange.answer(json.dumps(answer).encode(), Content_Type="application/json")


def suggests_nonsense(exchange: Exchange) -> None:
    """Answers a suggestion of another kind."""
    exchange.answer_health(suggestions=True)
    exchange.read_body(exchange.read_head())
    exchange.answer(b'{"places": [{"colours": [{"srgb": "red"}]}]}')


def cuts_off(exchange: Exchange) -> None:
    """Ends in the middle of the answer."""
    exchange.answer_health()
    exchange.answer_colour(*exchange.read_picture(), share=0.5)


def dies(exchange: Exchange) -> None:
    """Is killed while it works."""
    exchange.answer_health()
    exchange.read_picture()
    exchange.reset()


def answers_another_size(exchange: Exchange) -> None:
    """Answers a picture of another width."""
    exchange.answer_health()
    width, height = exchange.read_picture()
    exchange.answer_colour(width, height, stated_width=width + 1)
