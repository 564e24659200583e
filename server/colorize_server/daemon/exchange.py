"""One request's way: its body is received, its work is queued, its answer is sent."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

from aiohttp import web

from ..errors import ColorizeError
from ..inference.memory import SharedBuffer
from ..inference.task import RawPicture, Task
from ..settings import Limits
from .answers import send_result
from .body import BodyReader, check_body_bytes
from .keys import CLIENT, INFERENCE, MEMORY, SCHEDULER, SETTINGS
from .parameters import answer_type
from .work import State, Work

RECIPE_BYTES: Final = 4 << 20
"""Room that is kept for a recipe's chroma."""
SUGGESTIONS_BYTES: Final = 64 << 10
"""Room that is kept for suggestions; those of 16 places take 12 kB."""


@contextlib.asynccontextmanager
async def received(
    request: web.Request,
    task: Task,
    *,
    limits: Limits | None = None,
    before: Sequence[bytes | memoryview] = (),
    kept: list[SharedBuffer] | None = None,
) -> AsyncIterator[Work]:
    """Receive a body and queue its work; yields the work.

    Args:
        request: whose body it is.
        task: what is asked for.
        limits: on the body; None takes the daemon's.
        before: inputs that are here already; copied, and put in front of the body.
        kept: gets a copy of the body; the caller's to close.
    """
    scheduler, limits = request.app[SCHEDULER], limits or request.app[SETTINGS].limits
    check_body_bytes(request.content_length or 0, limits)
    work = Work(request[CLIENT], task, request.app[MEMORY])
    try:
        async with scheduler.admitted(work.client):
            if task.raw is not None:
                work.hold(_answer_bytes(task, task.raw))
            for held in before:
                work.hold(len(held))
                work.inputs.append(SharedBuffer.of(held))
            body = await BodyReader(request, limits, work).read(task)
            work.inputs += body.buffers
            if kept is not None:
                kept += [SharedBuffer.of(buffer.view) for buffer in body.buffers]
            if task.raw is None:
                is_chosen = task.places or task.page is not None
                chosen = (
                    task.answer_type if is_chosen else answer_type(body.media_type, request.headers.get("Accept", ""))
                )
                work.task = replace(task, media_type=body.media_type, answer_type=chosen)
            scheduler.submit(work)
    except BaseException:
        scheduler.cancel(work)
        work.close_inputs()
        raise
    yield work


def _answer_bytes(task: Task, raw: RawPicture) -> int:
    """Return the room that the answer to a raw picture takes; that of an encoded one shows when it is there."""
    if task.places:
        return SUGGESTIONS_BYTES
    doubt_bytes = raw.width * raw.height if task.wants_doubt else 0
    # A recipe takes its strokes with it, packed; at the very worst they are as long as they came.
    recipe_bytes = RECIPE_BYTES + raw.body_bytes - raw.picture_bytes if task.wants_recipe else 0
    return raw.answer_bytes + doubt_bytes + recipe_bytes


@contextlib.asynccontextmanager
async def under_way(
    request: web.Request,
    task: Task,
    *,
    limits: Limits | None = None,
    before: Sequence[bytes | memoryview] = (),
    kept: list[SharedBuffer] | None = None,
) -> AsyncIterator[Work]:
    """Receive as `received` does; a client that goes away takes its work with it, and its answer ends with this."""
    scheduler = request.app[SCHEDULER]
    async with received(request, task, limits=limits, before=before, kept=kept) as work:
        try:
            with scheduler.answering():
                yield work
        finally:
            scheduler.cancel(work)
            work.drop()


async def done(work: Work, cancelled: ColorizeError | None = None) -> None:
    """Wait until work is done.

    Args:
        work: that is under way.
        cancelled: what to raise if it was cancelled; None says that the daemon stops.

    Raises:
        ColorizeError: why there is no answer.
    """
    await work.finished()
    if work.error is not None:
        raise work.error
    if work.state is not State.DONE:
        raise cancelled or _stopping()


async def answer(request: web.Request, work: Work) -> web.StreamResponse:
    """Send the answer of work that is done."""
    info = request.app[INFERENCE].info
    if info is None:
        raise _stopping()
    return await send_result(request, work, info, request.app[SETTINGS].limits)


async def exchange(request: web.Request, task: Task) -> web.StreamResponse:
    """Answer a picture in one exchange."""
    async with under_way(request, task) as work:
        await done(work)
        return await answer(request, work)


def _stopping() -> ColorizeError:
    return ColorizeError("The work was cancelled.", "Send the picture again.", code="stopping", status=503)
