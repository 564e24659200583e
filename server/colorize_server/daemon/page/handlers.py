"""The page's routes: parse, ask, answer.  Who may ask was checked by `colorize_server.daemon.access`."""

import contextlib
import json
from dataclasses import replace
from typing import Any, Final

from aiohttp import web

from ...errors import BadRequestError, PictureError, RefusedError
from ...inference.memory import SharedBuffer
from ...inference.task import PageStep, Task
from ...media_types import ENCODED, JSON, PNG, PSD, RAW, TIFF
from ...picture.options import SATURATION_RANGE, Options, Output
from ...picture.proof import packed, unpacked
from ..access import check_nonce
from ..body import check_encoding, media_type, read_short
from ..exchange import answer, done, under_way
from ..handlers import answer_json, told_limits
from ..keys import ACCESS, INFERENCE, PAGE_KEYS, PAGE_SESSION, SCHEDULER, SETTINGS
from ..parameters import number, one_of, place, single_values
from ..work import State, Work
from .access import wrong_key
from .sessions import OpenPhotograph

MAX_STROKES_BYTES: Final = 8 << 20
_MAX_WORDS_BYTES: Final = 4096
EXPORTS: Final = {"png": PNG, "tiff": TIFF, "psd": PSD}


async def make_code(request: web.Request) -> web.Response:
    """Make a one-time code, for whoever has the installation's token."""
    single_values(list(request.query.items()), ())
    return answer_json({"code": request.app[PAGE_KEYS].new_code()}, 201)


async def key(request: web.Request) -> web.Response:
    """Trade a code for a key."""
    words = await _words(request, ("code",))
    key = request.app[PAGE_KEYS].redeem(words["code"])
    if key is None:
        raise RefusedError(
            "The code of this page was used before, or is too old.",
            "Run `colorize-server open` again.",
            code="page_code_wrong",
            status=401,
        )
    return answer_json({"key": key})


async def proof(request: web.Request) -> web.Response:
    """Show that this is the daemon that gave a key, without hearing the key."""
    words = await _words(request, ("name", "nonce"))
    check_nonce(words["nonce"])
    proved = request.app[PAGE_KEYS].proof(words["name"], words["nonce"], request.app[ACCESS].port)
    if proved is None:
        raise wrong_key()
    return answer_json({"proof": proved})


async def about(request: web.Request) -> web.Response:
    """Tell the page what it needs to know of the daemon."""
    info = request.app[INFERENCE].info
    return answer_json(
        {
            "limits": told_limits(request.app[SETTINGS].limits),
            "exports": list(EXPORTS),
            "suggests": info is not None and info.suggests_colours,
            "model": None if info is None else {name: info.model[name] for name in ("name", "version")},
        }
    )


async def photograph(request: web.Request) -> web.StreamResponse:
    """Open a photograph, and answer with its proof and first colours."""
    single_values(list(request.query.items()), ())
    check_encoding(request)
    kind = media_type(request)
    if kind not in ENCODED:
        raise PictureError(
            "This is not a picture that can be opened here.",
            "Open a PNG, JPEG, TIFF or WebP file.",
            code="unsupported_media_type",
            status=415,
        )
    session = request[PAGE_SESSION]
    session.let_go()
    kept: list[SharedBuffer] = []
    try:
        async with under_way(request, _task(request, PageStep.OPEN, kind), kept=kept) as work:
            await done(work)
            session.hold(OpenPhotograph(kept.pop(), kind, _low(work)))
            return await answer(request, work)
    finally:
        for buffer in kept:
            buffer.close()


async def colours(request: web.Request) -> web.StreamResponse:
    """Answer strokes with colours; an older question of the same tab that still waits is given up."""
    single_values(list(request.query.items()), ())
    session = request[PAGE_SESSION]
    if session.reaction is not None and session.reaction.state is State.QUEUED:
        request.app[SCHEDULER].cancel(session.reaction)
    low = session.opened().low
    async with _with_strokes(request, _task(request, PageStep.COLOURS), low) as work:
        session.reaction = work
        await done(
            work, RefusedError("A newer stroke took its place.", "Nothing is lost.", code="superseded", status=409)
        )
        return await answer(request, work)


async def suggest(request: web.Request) -> web.StreamResponse:
    """Answer with the colours that a place of the photograph may have, after the strokes so far."""
    at = place(single_values(list(request.query.items()), ("at",)).get("at", ""))
    low = request[PAGE_SESSION].opened().low
    task = replace(_task(request, PageStep.SUGGEST), places=(at,), answer_type=JSON)
    async with _with_strokes(request, task, low) as work:
        await done(work)
        return await answer(request, work)


async def export(request: web.Request) -> web.StreamResponse:
    """Answer with the finished picture, at full size."""
    values = single_values(list(request.query.items()), ("saturation", "type"))
    chosen = EXPORTS[one_of(values, "type", tuple(EXPORTS), "png")]
    saturation = number(values, "saturation", *SATURATION_RANGE, default=1.0)
    opened = request[PAGE_SESSION].opened()
    task = replace(
        _task(request, PageStep.EXPORT, opened.media_type),
        options=Options(output=Output.COMPOSITE, saturation=saturation),
        wants_doubt=chosen == PSD,  # a hidden layer of it, beside the one of the strokes
        answer_type=chosen,
    )
    async with _with_strokes(request, task, opened.encoded.view) as work:
        await done(work)
        return await answer(request, work)


async def close(request: web.Request) -> web.Response:
    """Let go of the tab's photograph."""
    single_values(list(request.query.items()), ())
    request[PAGE_SESSION].let_go()
    return answer_json({})


def _task(request: web.Request, step: PageStep, media_type: str = RAW) -> Task:
    limits = request.app[SETTINGS].limits
    return Task(
        options=Options(),
        media_type=media_type,
        raw=None,
        wants_doubt=False,
        page=step,
        answer_type=RAW,
        max_pixels=limits.max_pixels,
        max_side=limits.max_side,
    )


def _with_strokes(
    request: web.Request, task: Task, before: bytes | memoryview
) -> contextlib.AbstractAsyncContextManager[Work]:
    """Receive strokes for what is here already, and queue the work."""
    limits = replace(request.app[SETTINGS].limits, max_body_bytes=MAX_STROKES_BYTES)
    return under_way(request, task, limits=limits, before=[before])


def _low(work: Work) -> bytes:
    """Return the size of a photograph that was opened and what the network saw of it, packed."""
    content = work.open_output()
    assert content is not None  # noqa: S101 - it is dropped after the answer
    try:
        head, planes = unpacked(bytes(content))
        return packed({"width": head["width"], "height": head["height"]}, {"low": planes["low"]})
    finally:
        content.release()
        work.close_output()


async def _words(request: web.Request, names: tuple[str, ...]) -> dict[str, str]:
    """Read a small JSON object of strings."""
    body = await read_short(request, request.app[SETTINGS].limits, _MAX_WORDS_BYTES)
    try:
        members: Any = json.loads(body)
        if not isinstance(members, dict) or set(members) != set(names):
            raise ValueError
        if not all(isinstance(value, str) for value in members.values()):
            raise ValueError
    except (ValueError, RecursionError) as error:
        raise BadRequestError("The request is not what this route takes.", "Open the page anew.") from error
    return members
