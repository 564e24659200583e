"""The page's routes: parse, ask, answer.  Who may ask was checked by `colorize_server.daemon.access`."""

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, Final

from aiohttp import web

from ...errors import BadRequestError, ColorizeError, PictureError, RefusedError
from ...inference.memory import SharedBuffer
from ...inference.task import PageStep, Task
from ...media_types import ENCODED, JSON, PNG, PSD, RAW, TIFF
from ...picture.options import SATURATION_RANGE, Options, Output
from ...picture.proof import packed, unpacked
from ..access import check_nonce
from ..answers import send_result
from ..body import BodyReader, check_body_bytes
from ..handlers import answer_json
from ..keys import ACCESS, CLIENT, INFERENCE, MEMORY, PAGE_KEYS, PAGE_SESSION, SCHEDULER, SETTINGS
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
    limits, info = request.app[SETTINGS].limits, request.app[INFERENCE].info
    return answer_json(
        {
            "limits": {
                "max_body_bytes": limits.max_body_bytes,
                "max_pixels": limits.max_pixels,
                "max_side": limits.max_side,
            },
            "exports": list(EXPORTS),
            "suggests": info is not None and info.suggests_colours,
            "model": None if info is None else {name: info.model[name] for name in ("name", "version")},
        }
    )


async def photograph(request: web.Request) -> web.StreamResponse:
    """Open a photograph, and answer with its proof and first colours."""
    single_values(list(request.query.items()), ())
    media_type = request.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if media_type not in ENCODED:
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
        async with _queued(request, _task(request, PageStep.OPEN, media_type), kept=kept) as work:
            await _finished(work)
            session.hold(OpenPhotograph(kept.pop(), media_type, _low(work)))
            return await _send(request, work)
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
    async with _queued(request, _task(request, PageStep.COLOURS), [low]) as work:
        session.reaction = work
        await _finished(work)
        return await _send(request, work)


async def suggest(request: web.Request) -> web.StreamResponse:
    """Answer with the colours that a place of the photograph may have, after the strokes so far."""
    at = place(single_values(list(request.query.items()), ("at",)).get("at", ""))
    low = request[PAGE_SESSION].opened().low
    task = replace(_task(request, PageStep.SUGGEST), places=(at,), answer_type=JSON)
    async with _queued(request, task, [low]) as work:
        await _finished(work)
        return await _send(request, work)


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
    async with _queued(request, task, [opened.encoded.view]) as work:
        await _finished(work)
        return await _send(request, work)


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


@contextlib.asynccontextmanager
async def _queued(
    request: web.Request, task: Task, before: Sequence[bytes | memoryview] = (), kept: list[SharedBuffer] | None = None
) -> AsyncIterator[Work]:
    """Receive a body and queue its work; yields the work.

    Args:
        request: whose body it is.
        task: what is asked for.
        before: inputs that are here already; copied, and put in front of the body.
        kept: gets a copy of the body; the caller's to close.
    """
    scheduler, limits = request.app[SCHEDULER], request.app[SETTINGS].limits
    if task.page is not PageStep.OPEN:
        limits = replace(limits, max_body_bytes=MAX_STROKES_BYTES)
    check_body_bytes(request.content_length or 0, limits)
    work = Work(request[CLIENT], task, request.app[MEMORY])
    try:
        async with scheduler.admitted(work.client):
            for held in before:
                work.hold(len(held))
                work.inputs.append(SharedBuffer.of(held))
            work.inputs += (await BodyReader(request, limits, work).read(task)).buffers
            if kept is not None:
                kept.append(SharedBuffer.of(work.inputs[-1].view))
            scheduler.submit(work)
    except BaseException:
        scheduler.cancel(work)
        work.close_inputs()
        raise
    try:
        with scheduler.answering():
            yield work
    finally:
        scheduler.cancel(work)
        work.drop()


async def _finished(work: Work) -> None:
    await work.finished()
    if work.error is not None:
        raise work.error
    if work.state is not State.DONE:
        raise RefusedError("A newer stroke took its place.", "Nothing is lost.", code="superseded", status=409)


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


async def _send(request: web.Request, work: Work) -> web.StreamResponse:
    info = request.app[INFERENCE].info
    if info is None:
        raise ColorizeError("The server is being stopped.", "Start it again.", code="stopping", status=503)
    return await send_result(request, work, info, request.app[SETTINGS].limits)


async def _words(request: web.Request, names: tuple[str, ...]) -> dict[str, str]:
    """Read a small JSON object of strings."""
    try:
        if (request.content_length or 0) > _MAX_WORDS_BYTES:
            raise ValueError
        members: Any = json.loads(await request.content.read(_MAX_WORDS_BYTES))
        if not isinstance(members, dict) or set(members) != set(names):
            raise ValueError
        if not all(isinstance(value, str) for value in members.values()):
            raise ValueError
    except (ValueError, RecursionError) as error:
        raise BadRequestError("The request is not what this route takes.", "Open the page anew.") from error
    return members
