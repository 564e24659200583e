"""Requests that are almost right: each kind starts from one that is, and spoils it in a way of its own.

The random generator is seeded by the request's number, so that a failure can be repeated alone.
"""

import json
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass

from .corpus import GREY, hints, pictures

NASTY = (
    "",
    "0",
    "-1",
    "1e9",
    "99999999999999999999",
    "16.0",
    " 16",
    "16 ",
    "0x10",
    "NaN",
    "inf",
    "null",
    "true",
    "%00",
    "%0d%0a",
    "../../etc/passwd",
    "\u0661\u0666",
    "%ff%fe",
    "a" * 300,
    "{}",
    "[]",
    "';--",
    "<svg>",
    "8",
    "16",
    "64",
    "60000",
    "60001",
)
PARAMETERS = (
    "width",
    "height",
    "channels",
    "depth",
    "profile",
    "output",
    "host",
    "blend",
    "size",
    "saturation",
    "hints",
    "include",
    "model",
    "recipe",
    "at",
    "wait",
    "nonce",
    "Width",
)
VALUES = (
    "srgb",
    "linear",
    "adobe-rgb",
    "layer",
    "composite",
    "gimp",
    "photoshop",
    "color",
    "multiply",
    "rgba8",
    "doubt",
    "3,5",
    "31,23",
    "32,0",
)
HEADERS = (
    "Content-Length",
    "Transfer-Encoding",
    "Content-Encoding",
    "Expect",
    "Connection",
    "Origin",
    "Host",
    "Accept",
    "Range",
    "X-Colorize-Client",
    "X-Colorize-Token",
    "Content-Type",
    "Upgrade",
    "If-None-Match",
    "Cookie",
    "TE",
    "Trailer",
)
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "get", "", "P OST", "\x00")
PATHS = (
    "/",
    "//",
    "/v1",
    "/v1/",
    "/v1/health",
    "/v1/colorize",
    "/v1/suggest",
    "/v1/touchups",
    "/v1/jobs",
    "/v1/jobs/",
    "/v1/jobs/x",
    "/v1/jobs/x/result",
    "/v1/openapi.json",
    "/v2/colorize",
    "/v1/colorize/",
    "/V1/HEALTH",
    "/v1/../v1/health",
    "/%2e%2e/%2e%2e",
    "*",
    "http://a/",
    "/v1/jobs/%00",
    "/v1/jobs/" + "a" * 5000,
    "/\ud83d".encode("utf-8", "surrogatepass").decode("latin-1"),
)


@dataclass(frozen=True)
class Fuzzed:
    """One spoilt request.

    Attributes:
        kind: how it was spoilt.
        data: its bytes.
        reaches_decoders: whether it is authenticated and its body is handed to a decoder or the picture path.
        close_early: whether it promises more than it sends, so that no answer can be waited for.
    """

    kind: str
    data: bytes
    reaches_decoders: bool = False
    close_early: bool = False


class Maker:
    """Makes requests to one daemon.

    Args:
        port: where it listens.
        token: its token.
    """

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._token = token
        weights: dict[Callable[[random.Random], Fuzzed], int] = {
            self._damaged_picture: 34,
            self._form: 10,
            self._query: 14,
            self._headers: 8,
            self._lengths: 7,
            self._paths: 7,
            self._other_type: 4,
            self._chunks: 4,
            self._token_of: 4,
            self._raw: 3,
            self._places: 4,
            self._json: 3,
            self._bytes: 3,
            self._right: 1,
        }
        self._kinds, self._weights = list(weights), list(weights.values())

    def make(self, seed: int, number: int) -> Fuzzed:
        """Return request `number` of the run with that seed."""
        rng = random.Random(f"{seed}/{number}")
        return rng.choices(self._kinds, self._weights)[0](rng)

    def request(
        self, method: str, target: str, body: bytes = b"", headers: tuple[str, ...] = (), *, length: int | None = None
    ) -> bytes:
        """Return a request that is right as far as it goes."""
        lines = [
            f"{method} {target} HTTP/1.1",
            f"Host: 127.0.0.1:{self._port}",
            f"X-Colorize-Token: {self._token}",
            *headers,
        ]
        if body or length is not None:
            lines.append(f"Content-Length: {len(body) if length is None else length}")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body

    def _picture(self, rng: random.Random) -> tuple[str, bytes]:
        return rng.choice(pictures())

    def _damaged_picture(self, rng: random.Random) -> Fuzzed:
        media_type, picture = self._picture(rng)
        damaged, how = damage(rng, picture)
        if rng.random() < 0.6:  # a picture that survives one fault costs a whole colorization: most get two
            damaged, how = damage(rng, damaged)[0] if damaged else damaged, f"{how}, twice spoilt"
        target = rng.choice(("/v1/colorize", "/v1/colorize?include=doubt", "/v1/colorize?output=composite"))
        data = self.request("POST", target, damaged, (f"Content-Type: {media_type}",))
        return Fuzzed(f"picture {how}", data, reaches_decoders=bool(damaged))

    def _other_type(self, rng: random.Random) -> Fuzzed:
        _, picture = self._picture(rng)
        media_type = rng.choice(
            ("image/png", "image/jpeg", "image/tiff", "image/webp", "image/gif", "image/PNG; a=b", "x", "")
        )
        reaches = media_type.split(";")[0].lower() in ("image/png", "image/jpeg", "image/tiff", "image/webp")
        data = self.request("POST", "/v1/colorize", picture, (f"Content-Type: {media_type}",))
        return Fuzzed("other type", data, reaches_decoders=reaches)

    def _form(self, rng: random.Random) -> Fuzzed:
        media_type, picture = self._picture(rng)
        parts = [("photo", media_type, picture), ("hints", "image/png", hints())]
        spoil = rng.randrange(6)
        if spoil == 0:
            parts[0] = ("photo", media_type, damage(rng, picture)[0])
        elif spoil == 1:
            parts[1] = ("hints", "image/png", damage(rng, hints())[0])
        elif spoil == 2:
            parts.append(parts[rng.randrange(2)])
        elif spoil == 3:
            parts = parts[::-1][: rng.randrange(3)]
        body = b"".join(
            f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: {kind}\r\n\r\n'.encode()
            + content
            + b"\r\n"
            for name, kind, content in parts
        )
        body += b"--xyz--\r\n"
        if spoil >= 4:
            body = damage(rng, body)[0]
        data = self.request("POST", "/v1/colorize", body, ("Content-Type: multipart/form-data; boundary=xyz",))
        return Fuzzed("form", data, reaches_decoders=spoil < 2)

    def _raw(self, rng: random.Random) -> Fuzzed:
        width, height = rng.choice((GREY.shape[::-1], (8, 8), (7, 9), (24, 8), (9, 27), (33, 17)))
        channels, depth = rng.randrange(1, 5), rng.choice((8, 16))
        with_hints = rng.random() < 0.3
        n_bytes = width * height * (channels * depth // 8 + 4 * with_hints)
        lie = rng.choice((0, 0, 0, 1, -1, n_bytes, -n_bytes // 2))
        query = f"width={width}&height={height}&channels={channels}&depth={depth}" + "&hints=rgba8" * with_hints
        body = rng.randbytes(max(0, n_bytes + lie))
        data = self.request("POST", f"/v1/colorize?{query}", body, ("Content-Type: application/octet-stream",))
        return Fuzzed("raw size lies" if lie else "raw", data, reaches_decoders=not lie and min(width, height) >= 8)

    def _places(self, rng: random.Random) -> Fuzzed:
        places = [
            rng.choice((*NASTY, f"{rng.randrange(40)},{rng.randrange(30)}", "3,5", "3,5", "3,5,7", "-1,2", ",", "3,"))
            for _ in range(rng.choice((1, 1, 2, 16, 17)))
        ]
        query = "&".join(f"at={place}" for place in places)
        if rng.random() < 0.5:
            media_type, picture = self._picture(rng)
            body = damage(rng, picture)[0]
        else:
            media_type, body = "application/octet-stream", GREY.tobytes()
            query += f"&width={GREY.shape[1]}&height={GREY.shape[0]}&channels=1"
        target = rng.choice(("/v1/suggest", "/v1/suggest", "/v1/jobs"))
        # A model without suggestions refuses before it decodes.
        return Fuzzed("places", self.request("POST", f"{target}?{query}", body, (f"Content-Type: {media_type}",)))

    def _query(self, rng: random.Random) -> Fuzzed:
        pairs = [["width", "32"], ["height", "24"], ["channels", "1"]]
        for _ in range(rng.randrange(1, 4)):
            action = rng.randrange(4)
            if action == 0:
                pairs.append([rng.choice(PARAMETERS), rng.choice(NASTY + VALUES)])
            elif action == 1 and pairs:
                pairs[rng.randrange(len(pairs))][1] = rng.choice(NASTY)
            elif action == 2 and pairs:
                pairs.pop(rng.randrange(len(pairs)))
            else:
                pairs.append([rng.choice(PARAMETERS), rng.choice(VALUES)])
        query = rng.choice("&&&;").join("=".join(pair) for pair in pairs)
        target = rng.choice(("/v1/colorize?", "/v1/suggest?", "/v1/jobs?", "/v1/health?", "/v1/jobs/x?")) + query
        method = "GET" if "health" in target or "/x" in target else "POST"
        body = GREY.tobytes() if method == "POST" else b""
        return Fuzzed("query", self.request(method, target, body, ("Content-Type: application/octet-stream",)))

    def _headers(self, rng: random.Random) -> Fuzzed:
        values = (
            *NASTY,
            "chunked",
            "gzip",
            "close",
            "100-continue",
            "null",
            "file://",
            "https://a.b",
            "image/png",
            "\udcff\udc80",
        )
        extra = tuple(f"{rng.choice(HEADERS)}: {rng.choice(values)}" for _ in range(rng.randrange(1, 5)))
        target = "/v1/colorize?width=32&height=24&channels=1"
        data = self.request("POST", target, GREY.tobytes(), ("Content-Type: application/octet-stream", *extra))
        return Fuzzed(
            "headers", data, close_early=rng.random() < 0.5 or any("Length" in e or "Expect" in e for e in extra)
        )

    def _lengths(self, rng: random.Random) -> Fuzzed:
        body = GREY.tobytes()
        length = rng.choice((0, 1, len(body) - 1, len(body) + 1, 2**31, 2**63, 2**64, -1))
        media_type = rng.choice(("application/octet-stream", "image/png", "multipart/form-data; boundary=x"))
        data = self.request(
            "POST",
            "/v1/colorize?width=32&height=24&channels=1"[: 12 if "octet" not in media_type else None],
            body,
            (f"Content-Type: {media_type}",),
            length=length,
        )
        return Fuzzed("length", data, close_early=True)

    def _chunks(self, rng: random.Random) -> Fuzzed:
        media_type, picture = self._picture(rng)
        body = f"{len(picture):x}\r\n".encode() + picture + b"\r\n0\r\n\r\n"
        is_right = rng.random() < 0.4
        if not is_right:
            body = damage(rng, body)[0]
        headers = (f"Content-Type: {media_type}", "Transfer-Encoding: chunked")
        data = self.request("POST", "/v1/colorize", b"", headers) + body
        return Fuzzed("chunks", data, reaches_decoders=is_right, close_early=not is_right)

    def _paths(self, rng: random.Random) -> Fuzzed:
        data = self.request(rng.choice(METHODS), rng.choice(PATHS) + rng.choice(("", "?", "?a=b", "#", "%")))
        return Fuzzed("path", data)

    def _token_of(self, rng: random.Random) -> Fuzzed:
        token = rng.choice(
            ("", self._token[:-1], self._token + "0", self._token.upper(), "0" * 64, "\udcff" * 64, "a" * 9000)
        )
        data = self.request(
            "POST",
            "/v1/colorize?width=32&height=24&channels=1",
            GREY.tobytes(),
            ("Content-Type: application/octet-stream",),
        )
        return Fuzzed("token", data.replace(self._token.encode(), token.encode("utf-8", "surrogateescape")))

    def _json(self, rng: random.Random) -> Fuzzed:
        document = json.dumps({rng.choice(PARAMETERS): rng.choice(NASTY) for _ in range(5)}) * rng.choice((1, 50))
        body = rng.choice((document, "[" * 2000, '{"a":' * 2000, "\ufeff{}")).encode()
        target = rng.choice(("/v1/colorize", "/v1/jobs", "/v1/shutdown?now=1"))
        return Fuzzed("JSON", self.request("POST", target, body, ("Content-Type: application/json",)))

    def _bytes(self, rng: random.Random) -> Fuzzed:
        target = "/v1/colorize?width=32&height=24&channels=1"
        data = self.request("POST", target, GREY.tobytes(), ("Content-Type: application/octet-stream",))
        head_end = data.index(b"\r\n\r\n")
        changed = bytearray(data)
        for _ in range(rng.randrange(1, 6)):
            changed[rng.randrange(head_end)] = rng.randrange(256)
        return Fuzzed("bytes of the head", bytes(changed), close_early=True)

    def _right(self, rng: random.Random) -> Fuzzed:
        media_type, picture = self._picture(rng)
        data = self.request("POST", "/v1/colorize", picture, (f"Content-Type: {media_type}",))
        return Fuzzed("right", data, reaches_decoders=True)


def damage(rng: random.Random, data: bytes) -> tuple[bytes, str]:
    """Spoil bytes, and tell how."""
    changed = bytearray(data)
    match rng.randrange(6) if len(data) > 8 else 0:
        case 0:
            return data[: rng.randrange(len(data) + 1)], "cut off"
        case 1:
            for _ in range(rng.randrange(1, 20)):
                changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
            return bytes(changed), "with flipped bits"
        case 2:
            for _ in range(rng.randrange(1, 4)):
                changed[rng.randrange(min(80, len(changed)))] = rng.choice((0, 1, 127, 128, 255))
            return bytes(changed), "with a spoilt header"
        case 3:
            at = rng.randrange(max(1, len(changed) - 4))
            changed[at : at + 4] = struct.pack(
                rng.choice("<>") + "I", rng.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, 65535))
            )
            return bytes(changed), "with a number that lies"
        case 4:
            at, length = rng.randrange(len(changed)), rng.randrange(1, 64)
            return bytes(changed[:at] + changed[at + length :]), "with a hole"
        case _:
            at = rng.randrange(len(changed))
            return bytes(changed[:at]) + rng.randbytes(rng.randrange(1, 64)) + bytes(
                changed[at:]
            ), "with a foreign piece"
