"""Who reaches the page, and what the page reaches: every rule, over a real socket."""

import asyncio
import hashlib
import hmac
import io
import json
from typing import Any

import pytest
from colorize_server.daemon.keys import MEMORY, PAGE_KEYS
from colorize_server.daemon.page import keys as page_keys
from daemon_rig import Reply, Rig
from page_client import new_code, own_headers
from PIL import Image

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAVIGATION = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


async def new_key(rig: Rig) -> str:
    answer = await rig.ask(
        "POST", "/v1/page/key", json.dumps({"code": await new_code(rig)}).encode(), own_headers(rig), token=None
    )
    assert answer.status == 200
    return str(answer.json["key"])


async def ask(rig: Rig, route: str, key: str, body: bytes = b"[]", **headers: str) -> Reply:
    sent = {**own_headers(rig, key), **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await rig.ask("POST", f"/v1/page/{route}", body, sent, token=None)


def png(width: int = 40, height: int = 30) -> bytes:
    stream = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).save(stream, "PNG")
    return stream.getvalue()


async def test_a_code_needs_the_token(page_rig: Rig) -> None:
    assert (await page_rig.ask("POST", "/v1/pages", token=None)).code == "token_missing"
    assert (await page_rig.ask("POST", "/v1/pages", token="0" * 64)).code == "token_wrong"
    key = await new_key(page_rig)
    assert (await page_rig.ask("POST", "/v1/pages", token=key)).code == "token_wrong"


async def test_a_token_with_the_pages_origin_stays_refused(page_rig: Rig) -> None:
    own = {"Origin": f"http://127.0.0.1:{page_rig.port}", "Sec-Fetch-Site": "same-origin"}
    assert (await page_rig.ask("POST", "/v1/pages", headers=own)).code == "origin_refused"
    assert (await page_rig.ask("POST", "/v1/page/about", b"", own)).code == "origin_refused"


async def test_a_code_works_once(page_rig: Rig) -> None:
    body = json.dumps({"code": await new_code(page_rig)}).encode()
    first = await page_rig.ask("POST", "/v1/page/key", body, own_headers(page_rig), token=None)
    second = await page_rig.ask("POST", "/v1/page/key", body, own_headers(page_rig), token=None)
    assert (first.status, second.code) == (200, "page_code_wrong")


async def test_a_code_is_forgotten(page_rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_keys, "CODE_LIFETIME_S", 0.0)
    body = json.dumps({"code": await new_code(page_rig)}).encode()
    await asyncio.sleep(0.01)
    late = await page_rig.ask("POST", "/v1/page/key", body, own_headers(page_rig), token=None)
    assert late.code == "page_code_wrong"


@pytest.mark.parametrize(
    "changed",
    [
        {"Origin": ""},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://127.0.0.1:{port}.evil.example"},
        {"Origin": "http://127.0.0.1:{port}0"},
        {"Origin": "http://localhost:{port}"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://127.0.0.1:{port}, http://127.0.0.1:{port}"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": ""},
        {"Sec-Fetch-Site": "same-origin, cross-site"},
        {"X-Colorize-Token": "0123456789abcdef" * 4},
    ],
    ids=str,
)
async def test_only_the_page_itself_reaches_its_routes(page_rig: Rig, changed: dict[str, str]) -> None:
    headers = own_headers(page_rig, await new_key(page_rig))
    for name, value in changed.items():
        headers[name] = value.format(port=page_rig.port)
        if not value:
            del headers[name]
    answer = await page_rig.ask("POST", "/v1/page/about", b"", headers, token=None)
    assert (answer.status, answer.code) == (403, "origin_refused")


async def test_a_rebound_name_is_refused(page_rig: Rig) -> None:
    for target in ("/", "/page/main.js"):
        answer = await page_rig.raw(f"GET {target} HTTP/1.1\r\nHost: evil.example:{page_rig.port}\r\n\r\n".encode())
        assert b"host_refused" in answer


async def test_a_key_that_is_wrong_missing_or_doubled_opens_nothing(page_rig: Rig) -> None:
    key = await new_key(page_rig)
    name = key.partition(".")[0]
    for wrong in ("", name, name + ".", key[:-1], key + "x", "é" + key):
        assert (await ask(page_rig, "about", wrong)).code == "page_key_wrong"
    lines = [f"{header}: {value}" for header, value in own_headers(page_rig, key).items()]
    head = f"POST /v1/page/about HTTP/1.1\r\nHost: 127.0.0.1:{page_rig.port}\r\n" + "\r\n".join(lines)
    doubled = await page_rig.raw(f"{head}\r\nX-Colorize-Page: {key}\r\nContent-Length: 0\r\n\r\n".encode())
    assert b"page_key_wrong" in doubled
    assert (await ask(page_rig, "about", key)).status == 200


async def test_a_key_opens_nothing_but_the_pages_routes(page_rig: Rig) -> None:
    headers = own_headers(page_rig, await new_key(page_rig))
    for method, target in (("POST", "/v1/colorize"), ("POST", "/v1/shutdown"), ("GET", "/v1/openapi.json")):
        answer = await page_rig.ask(method, target, b"x" if method == "POST" else None, headers, token=None)
        assert answer.code == "origin_refused"
        del_origin = {name: value for name, value in headers.items() if name != "Origin"}
        assert (await page_rig.ask(method, target, None, del_origin, token=None)).code == "token_missing"


async def test_the_proof_needs_no_key_and_shows_that_the_daemon_knows_it(page_rig: Rig) -> None:
    name, secret = (await new_key(page_rig)).split(".")
    body = json.dumps({"name": name, "nonce": "ab" * 16}).encode()
    answer = await page_rig.ask("POST", "/v1/page/proof", body, own_headers(page_rig), token=None)
    hashed = hashlib.sha256(secret.encode()).hexdigest().encode()
    expected = hmac.new(hashed, f"{'ab' * 16}:{page_rig.port}".encode(), hashlib.sha256).hexdigest()
    assert answer.json == {"proof": expected}
    stranger = json.dumps({"name": "nobody", "nonce": "ab" * 16}).encode()
    unknown = await page_rig.ask("POST", "/v1/page/proof", stranger, own_headers(page_rig), token=None)
    assert unknown.code == "page_key_wrong"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"code": 1}', b'{"code": "x", "more": "y"}', b"[" * 3000])
async def test_words_that_are_none_are_refused(page_rig: Rig, body: bytes) -> None:
    answer = await page_rig.ask("POST", "/v1/page/key", body, own_headers(page_rig), token=None)
    assert answer.status == 400


async def test_words_may_come_in_pieces(page_rig: Rig) -> None:
    body = json.dumps({"code": await new_code(page_rig)}).encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in own_headers(page_rig).items())
    reader, writer = await asyncio.open_connection("127.0.0.1", page_rig.port)
    lines = (
        f"POST /v1/page/key HTTP/1.1\r\nHost: 127.0.0.1:{page_rig.port}\r\n{head}Content-Length: {len(body)}\r\n\r\n"
    )
    writer.write(lines.encode() + body[:10])
    await writer.drain()
    await asyncio.sleep(0.2)
    writer.write(body[10:])
    assert b" 200 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_a_compressed_photograph_is_refused(page_rig: Rig) -> None:
    key = await new_key(page_rig)
    answer = await ask(page_rig, "photograph", key, png(), Content_Type="image/png", Content_Encoding="gzip")
    assert answer.code == "unsupported_media_type"


async def test_the_files_are_for_a_person_and_for_the_page(page_rig: Rig) -> None:
    for headers in ({}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "same-origin"}, NAVIGATION):
        answer = await page_rig.ask("GET", "/", None, headers, token=None)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/page/main.js", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}),
        ("/page/main.js", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "script"}),
        ("/page/main.js", NAVIGATION),
        ("/", {**NAVIGATION, "Sec-Fetch-Dest": "iframe"}),
        ("/", {**NAVIGATION, "Sec-Fetch-Mode": "no-cors"}),
        ("/", {**NAVIGATION, "Origin": "null"}),
        ("/", {"Origin": "http://evil.example"}),
        ("/", {"Sec-Fetch-Site": "same-origin, none"}),
    ],
    ids=str,
)
async def test_the_files_are_not_for_other_pages(page_rig: Rig, target: str, headers: dict[str, str]) -> None:
    assert (await page_rig.ask("GET", target, None, headers, token=None)).code == "origin_refused"


async def test_there_is_no_folder_of_files(page_rig: Rig) -> None:
    for target in ("/page/", "/page/keys.py", "/page/..%2Fkeys.py", "/page/../keys.py", "/page/main.js/"):
        answer = await page_rig.raw(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{page_rig.port}\r\n\r\n".encode())
        assert b" 404 " in answer.split(b"\r\n")[0] or b"token_missing" in answer


async def test_a_photograph_is_held_for_its_tab_and_let_go(page_rig: Rig) -> None:
    mine, other = await new_key(page_rig), await new_key(page_rig)
    opened = await ask(page_rig, "photograph", mine, png(), Content_Type="image/png")
    assert opened.status == 200
    assert page_rig.app[MEMORY].held_bytes == len(png())
    assert (await ask(page_rig, "colours", mine)).status == 200
    assert (await ask(page_rig, "colours", other)).code == "photograph_gone"
    assert (await ask(page_rig, "close", mine, b"")).status == 200
    assert page_rig.app[MEMORY].held_bytes == 0
    assert (await ask(page_rig, "export", mine)).code == "photograph_gone"


async def test_a_second_photograph_takes_the_place_of_the_first(page_rig: Rig) -> None:
    key = await new_key(page_rig)
    for size in (30, 50, 40):
        await ask(page_rig, "photograph", key, png(size, size), Content_Type="image/png")
    assert page_rig.app[MEMORY].held_bytes == len(png(40, 40))


async def test_idle_keys_go_with_what_they_hold(page_rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    key = await new_key(page_rig)
    await ask(page_rig, "photograph", key, png(), Content_Type="image/png")
    monkeypatch.setattr(page_keys, "KEY_IDLE_S", -1.0)
    page_rig.app[PAGE_KEYS].sweep()
    assert page_rig.app[MEMORY].held_bytes == 0
    assert (await ask(page_rig, "about", key)).code == "page_key_wrong"


async def test_more_keys_than_there_is_room_for_push_out_the_idlest(
    page_rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_keys, "MAX_KEYS", 2)
    first, second, third = [await new_key(page_rig) for _ in range(3)]
    assert (await ask(page_rig, "about", first)).code == "page_key_wrong"
    assert {(await ask(page_rig, "about", key)).status for key in (second, third)} == {200}


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"no picture", "image/png", 422),
        (png(4, 4), "image/png", 422),
        (png(), "text/html", 415),
        (b"", "image/png", 400),
    ],
    ids=["damaged", "too small", "not a picture", "empty"],
)
async def test_what_is_no_photograph_is_refused_and_leaves_nothing(
    page_rig: Rig, body: bytes, media_type: str, status: int
) -> None:
    answer = await ask(page_rig, "photograph", await new_key(page_rig), body, Content_Type=media_type)
    assert answer.status == status
    assert page_rig.app[MEMORY].held_bytes == 0


@pytest.mark.parametrize(
    "strokes",
    [
        b"{}",
        b"[1]",
        b"[" * 100_000,
        json.dumps([{"colour": [0, 0, 999], "radius": 0.1, "softness": 0, "points": [[0, 0]]}]).encode(),
        json.dumps([{"colour": None, "radius": 9, "softness": 0, "points": [[0, 0]]}]).encode(),
        json.dumps([{"colour": None, "radius": 0.1, "softness": 0, "points": []}]).encode(),
        b'[{"colour": null, "radius": NaN, "softness": 0, "points": [[0, 0]]}]',
    ],
    ids=["object", "number", "deep", "colour", "radius", "no points", "NaN"],
)
async def test_strokes_that_are_none_are_refused(page_rig: Rig, strokes: bytes) -> None:
    key = await new_key(page_rig)
    await ask(page_rig, "photograph", key, png(), Content_Type="image/png")
    for route in ("colours", "export"):
        assert (await ask(page_rig, route, key, strokes)).status in (400, 422)
    assert (await ask(page_rig, "colours", key)).status == 200


async def test_a_worker_that_is_killed_costs_the_page_nothing(page_rig: Rig) -> None:
    key = await new_key(page_rig)
    await ask(page_rig, "photograph", key, png(), Content_Type="image/png")
    before: Any = (await ask(page_rig, "colours", key)).body
    page_rig.child.kill()
    after = await ask(page_rig, "colours", key)
    while after.status == 503:
        await asyncio.sleep(0.1)
        after = await ask(page_rig, "colours", key)
    assert after.status == 200
    assert len(after.body) == len(before)
