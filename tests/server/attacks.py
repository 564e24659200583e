"""Requests that must be refused, as bytes on the wire, each with the answer that is right."""

# ruff: noqa: S106, S107 - what looks like passwords are templates for tokens, most of them wrong ones

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

WIDTH = HEIGHT = 16
BODY = bytes(WIDTH * HEIGHT)
TARGET = f"/v1/colorize?width={WIDTH}&height={HEIGHT}&channels=1"
SUGGEST = f"/v1/suggest?width={WIDTH}&height={HEIGHT}&channels=1"


@dataclass(frozen=True)
class Attack:
    """One request.

    Attributes:
        name: what is tried.
        request: makes its bytes from the daemon's port and token.
        status: what the answer must be; 0 where the connection may also be closed without one.
        code: the error's code, or empty where there is no JSON (HEAD).
    """

    name: str
    request: Callable[[int, str], bytes]
    status: int
    code: str


def request(
    target: str = TARGET,
    *,
    method: str = "POST",
    host: str | None = "127.0.0.1:{port}",
    token: str | None = "{token}",
    headers: tuple[str, ...] = (),
    body: bytes = BODY,
    content_type: str = "application/octet-stream",
    version: str = "HTTP/1.1",
) -> Callable[[int, str], bytes]:
    """Describe a request that is right but for what is told otherwise."""

    def build(port: int, real_token: str) -> bytes:
        lines = [f"{method} {target} {version}"]
        if host is not None:
            lines.append("Host: " + host.format(port=port, other=port + 1))
        if token is not None:
            lines.append("X-Colorize-Token: " + token.format(token=real_token, prefix=real_token[:-1]))
        if body:
            lines += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
        lines += [header.format(port=port, token=real_token) for header in headers]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body

    return build


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(width: int = 100_000, height: int = 100_000) -> bytes:
    """A small PNG that says it is enormous."""
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    data = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def tiff_bomb() -> bytes:
    """A small TIFF that says it is enormous."""
    side = 2_000_000_000
    entries = [
        (256, 4, 1, side),
        (257, 4, 1, side),
        (258, 3, 1, 8),
        (259, 3, 1, 8),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 1),
        (278, 4, 1, side),
        (279, 4, 1, 100),
    ]
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + directory + bytes(4) + bytes(200)


def webp_bomb() -> bytes:
    """A WebP of 16383 x 16383 pixels, the most that the format can say, in a few bytes."""
    side = 16383 - 1
    pixels = b"\x2f" + struct.pack("<I", side | side << 14) + bytes(63)
    chunk = b"VP8L" + struct.pack("<I", len(pixels)) + pixels
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def zip_bomb() -> bytes:
    """Gzip in gzip."""
    inner = io.BytesIO()
    import gzip

    with gzip.GzipFile(fileobj=inner, mode="wb") as stream:
        stream.write(bytes(1 << 20))
    return gzip.compress(inner.getvalue())


def multipart(*parts: tuple[str, str, bytes], boundary: str = "b", end: bool = True) -> bytes:
    """A multipart body: name, extra header lines, content."""
    body = b""
    for name, headers, content in parts:
        body += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n{headers}\r\n'.encode()
            + content
            + b"\r\n"
        )
    return body + (f"--{boundary}--\r\n".encode() if end else b"")


_FORM = "multipart/form-data; boundary=b"
_PNG_PART = "Content-Type: image/png\r\n"
HEALTH = "/v1/health"

ATTACKS = [
    # a page of a name that was rebound to 127.0.0.1
    Attack("rebound name", request(host="evil.example:{port}"), 403, "host_refused"),
    Attack(
        "rebound name, health", request(HEALTH, method="GET", host="evil.example:{port}", body=b""), 403, "host_refused"
    ),
    Attack("name that begins like ours", request(host="127.0.0.1.evil.example:{port}"), 403, "host_refused"),
    Attack("name with ours as user", request(host="127.0.0.1:{port}@evil.example"), 403, "host_refused"),
    Attack("right name, wrong port", request(host="127.0.0.1:{other}"), 403, "host_refused"),
    Attack("right name, no port", request(host="127.0.0.1"), 403, "host_refused"),
    Attack("no Host", request(host=None, version="HTTP/1.0"), 403, "host_refused"),
    Attack("two Hosts", request(headers=("Host: evil.example",)), 400, "bad_body"),
    Attack("address of another interface", request(host="192.168.0.1:{port}"), 403, "host_refused"),
    Attack("absolute target", request("http://evil.example" + TARGET), 403, "host_refused"),
    Attack("decimal address", request(host="2130706433:{port}"), 403, "host_refused"),
    # web pages
    Attack("foreign page", request(headers=("Origin: https://evil.example",)), 403, "origin_refused"),
    Attack(
        "foreign page that expects something",
        request(HEALTH, method="GET", headers=("Origin: https://evil.example", "Expect: what"), body=b""),
        403,
        "origin_refused",
    ),
    Attack("waits to be asked, no token", request(token=None, headers=("Expect: 100-continue",)), 401, "token_missing"),
    Attack(
        "waits to be asked, rebound name",
        request(host="evil.example:{port}", headers=("Expect: 100-continue",)),
        403,
        "host_refused",
    ),
    Attack("page of our own address", request(headers=("Origin: http://127.0.0.1:{port}",)), 403, "origin_refused"),
    Attack("page, capitals", request(headers=("Origin: HTTPS://EVIL.EXAMPLE",)), 403, "origin_refused"),
    Attack(
        "page, health", request(HEALTH, method="GET", body=b"", headers=("Origin: http://a.b",)), 403, "origin_refused"
    ),
    Attack("two Origins", request(headers=("Origin: null", "Origin: https://evil.example")), 403, "origin_refused"),
    Attack("sandboxed page without a token", request(token=None, headers=("Origin: null",)), 401, "token_missing"),
    Attack("file without a token", request(token=None, headers=("Origin: file://",)), 401, "token_missing"),
    Attack(
        "preflight",
        request(method="OPTIONS", token=None, body=b"", headers=("Origin: https://evil.example",)),
        403,
        "origin_refused",
    ),
    Attack("simple form", request(token=None, content_type="text/plain"), 401, "token_missing"),
    # tokens
    Attack("no token", request(token=None), 401, "token_missing"),
    Attack("empty token", request(token=""), 401, "token_wrong"),
    Attack("wrong token", request(token="0" * 64), 401, "token_wrong"),
    Attack("token but its last digit", request(token="{prefix}"), 401, "token_wrong"),
    Attack("token and more", request(token="{token}0"), 401, "token_wrong"),
    Attack("token of strange bytes", request(token="\xe9\xff"), 401, "token_wrong"),
    Attack("two tokens", request(headers=("X-Colorize-Token: {token}",)), 401, "token_wrong"),
    Attack("token in the address", request(TARGET + "&token={token}", token=None), 401, "token_missing"),
    Attack("shutdown without a token", request("/v1/shutdown", token=None, body=b""), 401, "token_missing"),
    Attack("job without a token", request("/v1/jobs/x", method="GET", token=None, body=b""), 401, "token_missing"),
    Attack(
        "document without a token",
        request("/v1/openapi.json", method="GET", token=None, body=b""),
        401,
        "token_missing",
    ),
    Attack(
        "health as something else", request("/v1/health/", method="GET", token=None, body=b""), 401, "token_missing"
    ),
    Attack("suggestions without a token", request(SUGGEST + "&at=1,1", token=None), 401, "token_missing"),
    Attack("suggestions, wrong token", request(SUGGEST + "&at=1,1", token="0" * 64), 401, "token_wrong"),
    Attack("suggestions, rebound name", request(SUGGEST + "&at=1,1", host="evil.example:{port}"), 403, "host_refused"),
    Attack(
        "suggestions, foreign page",
        request(SUGGEST + "&at=1,1", headers=("Origin: https://evil.example",)),
        403,
        "origin_refused",
    ),
    # places
    Attack("no place", request(SUGGEST), 400, "bad_parameter"),
    Attack("a thousand places", request(SUGGEST + "&at=1,1" * 1000), 400, "bad_parameter"),
    Attack("place off the picture", request(SUGGEST + f"&at={WIDTH},0"), 400, "bad_parameter"),
    Attack("place that overflows", request(SUGGEST + "&at=4294967296,0"), 400, "bad_parameter"),
    Attack("negative place", request(SUGGEST + "&at=-1,0"), 400, "bad_parameter"),
    Attack("place that is a file", request(SUGGEST + "&at=../../etc/passwd"), 400, "bad_parameter"),
    Attack(
        "place of a job off the picture",
        request(TARGET.replace("colorize", "jobs") + "&at=99,99"),
        400,
        "bad_parameter",
    ),
    # methods and addresses
    Attack("TRACE", request(HEALTH, method="TRACE", body=b""), 405, "method_not_allowed"),
    Attack("CONNECT", request("evil.example:443", method="CONNECT", body=b""), 0, ""),
    Attack("DELETE of health", request(HEALTH, method="DELETE", body=b""), 405, "method_not_allowed"),
    Attack("listing of a folder", request("/", method="GET", body=b""), 404, "not_found"),
    Attack("path traversal", request("/v1/../../../../etc/passwd", method="GET", body=b""), 404, "not_found"),
    Attack(
        "encoded traversal",
        request("/v1/jobs/..%2f..%2f..%2fetc%2fpasswd/result", method="GET", body=b""),
        404,
        "job_unknown",
    ),
    Attack("a file's name", request(TARGET + "&model=/etc/passwd"), 400, "bad_parameter"),
    Attack("an address", request(TARGET + "&url=http://169.254.169.254/"), 400, "bad_parameter"),
    Attack("profile from a file", request(TARGET + "&profile=../../etc/passwd"), 400, "bad_parameter"),
    # headers
    Attack("newline in a parameter", request(TARGET + "&size=64%0d%0aX-Injected:%201"), 400, "bad_parameter"),
    Attack("newline in the client's name", request(headers=("X-Colorize-Client: a b",)), 400, "bad_parameter"),
    Attack("bare newline in a header", request(headers=("X-A: 1\nX-Injected: 1",)), 0, ""),
    Attack("space before the colon", request(headers=("Content-Length : 5",)), 400, "bad_body"),
    Attack("two lengths", request(headers=("Content-Length: 5",)), 400, "bad_body"),
    Attack("length and chunks", request(headers=("Transfer-Encoding: chunked",)), 400, "bad_body"),
    Attack(
        "negative length",
        request(body=b"", headers=("Content-Type: application/octet-stream", "Content-Length: -1")),
        400,
        "bad_body",
    ),
    Attack("enormous header", request(headers=("X-Long: " + "a" * 20_000,)), 431, "headers_too_large"),
    Attack("enormous address", request(TARGET + "&x=" + "a" * 20_000), 431, "headers_too_large"),
    Attack("a thousand headers", request(headers=tuple(f"X-{n}: 1" for n in range(1000))), 431, "headers_too_large"),
    Attack(
        "not HTTP", lambda port, token: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), 400, "bad_body"
    ),
    Attack("HTTP/9", request(version="HTTP/9.9"), 0, ""),
    # sizes that lie
    Attack("shorter than it says", request(TARGET.replace("height=16", "height=17")), 400, "bad_body"),
    Attack("longer than it says", request(TARGET.replace("height=16", "height=15")), 400, "bad_body"),
    Attack("overflowing size", request(TARGET.replace("width=16", "width=4294967296")), 400, "bad_parameter"),
    Attack("enormous size", request(TARGET.replace("width=16", "width=60001")), 413, "picture_too_large"),
    Attack("too many pixels", request("/v1/colorize?width=60000&height=60000&channels=1"), 413, "picture_too_large"),
    Attack("negative size", request(TARGET.replace("width=16", "width=-16")), 400, "bad_parameter"),
    Attack("digits of another script", request(TARGET.replace("width=16", "width=%D9%A1%D9%A6")), 400, "bad_parameter"),
    Attack(
        "enormous body announced",
        request(
            body=b"",
            content_type="",
            headers=("Content-Type: image/png", "Content-Length: 99999999999"),
            target="/v1/colorize",
        ),
        413,
        "body_too_large",
    ),
    # bodies that are not what they seem
    Attack(
        "compressed body",
        request("/v1/colorize", content_type="image/png", headers=("Content-Encoding: gzip",), body=zip_bomb()),
        415,
        "unsupported_media_type",
    ),
    Attack(
        "compressed twice",
        request("/v1/colorize", content_type="image/png", headers=("Content-Encoding: gzip, gzip",), body=zip_bomb()),
        415,
        "unsupported_media_type",
    ),
    Attack(
        "compressed part",
        request(
            "/v1/colorize",
            content_type=_FORM,
            body=multipart(("photo", _PNG_PART + "Content-Encoding: gzip\r\n", zip_bomb())),
        ),
        400,
        "bad_body",
    ),
    Attack(
        "base64 part",
        request(
            "/v1/colorize",
            content_type=_FORM,
            body=multipart(("photo", _PNG_PART + "Content-Transfer-Encoding: base64\r\n", b"AAAA")),
        ),
        400,
        "bad_body",
    ),
    Attack(
        "nested parts",
        request(
            "/v1/colorize",
            content_type=_FORM,
            body=multipart(
                (
                    "photo",
                    "Content-Type: multipart/mixed; boundary=c\r\n",
                    multipart(("photo", _PNG_PART, b"x"), boundary="c"),
                )
            ),
        ),
        400,
        "bad_body",
    ),
    Attack(
        "a thousand parts",
        request("/v1/colorize", content_type=_FORM, body=multipart(*[("photo", _PNG_PART, b"x")] * 1000)),
        400,
        "bad_body",
    ),
    Attack(
        "part with a file's path",
        request(
            "/v1/colorize",
            content_type=_FORM,
            body=multipart(('photo"; filename="../../x', "Content-Type: text/x-python\r\n", b"x")),
        ),
        415,
        "unsupported_media_type",
    ),
    Attack(
        "parts without an end",
        request("/v1/colorize", content_type=_FORM, body=multipart(("photo", _PNG_PART, b"x" * 50), end=False)),
        400,
        "bad_body",
    ),
    Attack(
        "parts without a boundary",
        request("/v1/colorize", content_type="multipart/form-data", body=b"--b\r\n"),
        400,
        "bad_body",
    ),
    Attack(
        "script", request("/v1/colorize", content_type="image/svg+xml", body=b"<svg/>"), 415, "unsupported_media_type"
    ),
    Attack(
        "postscript",
        request("/v1/colorize", content_type="application/postscript", body=b"%!PS"),
        415,
        "unsupported_media_type",
    ),
    Attack(
        "postscript as PNG",
        request("/v1/colorize", content_type="image/png", body=b"%!PS\n(/etc/passwd) run"),
        422,
        "damaged_picture",
    ),
    Attack(
        "GIF as TIFF",
        request("/v1/colorize", content_type="image/tiff", body=b"GIF89a" + bytes(100)),
        422,
        "damaged_picture",
    ),
    Attack("bomb in PNG", request("/v1/colorize", content_type="image/png", body=png_bomb()), 413, "picture_too_large"),
    Attack(
        "bomb in PNG, within the sides",
        request("/v1/colorize", content_type="image/png", body=png_bomb(50_000, 50_000)),
        413,
        "picture_too_large",
    ),
    Attack(
        "bomb in TIFF", request("/v1/colorize", content_type="image/tiff", body=tiff_bomb()), 413, "picture_too_large"
    ),
    Attack(
        "bomb in WebP", request("/v1/colorize", content_type="image/webp", body=webp_bomb()), 413, "picture_too_large"
    ),
]


def check_answer(attack: Attack, received: bytes) -> str:
    """Return what is wrong with an answer, or nothing."""
    import json

    if attack.status == 0:
        if not received:
            return ""
        status = int(received.split(b" ", 2)[1])
        return "" if 400 <= status < 500 else f"answered {status}"
    head, _, body = received.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 3:
        return f"answered {received[:60]!r}"
    if int(words[1]) != attack.status:
        return f"answered {int(words[1])} {body[:200]!r}, not {attack.status}"
    if b"access-control" in head.lower() or b"x-injected" in head.lower() or b"\nlocation" in head.lower():
        return f"has a header that it must not have: {head!r}"
    members = json.loads(body)
    if members["code"] != attack.code:
        return f"answered {members['code']}, not {attack.code}"
    return "" if members["message"] and members["hint"] else "does not say what to do"
