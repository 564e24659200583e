"""Answers with pictures: headers, and bytes from shared memory to the socket piece by piece."""

import asyncio
from typing import Final

from aiohttp import web

from ..inference.task import Answer, WorkerInfo
from ..settings import Limits
from .failures import HEADERS
from .framing import Framing
from .jobs import expired_error
from .work import Work

_PIECE_BYTES: Final = 256 << 10


async def send_result(request: web.Request, work: Work, info: WorkerInfo, limits: Limits) -> web.StreamResponse:
    """Send the result of finished work; its memory stays until the last byte is out."""
    content = work.open_output()
    if content is None or work.answer is None:
        raise expired_error()
    try:
        return await _send(request, work, work.answer, content, info, limits)
    finally:
        content.release()
        work.close_output()


async def _send(
    request: web.Request, work: Work, answer: Answer, content: memoryview, info: WorkerInfo, limits: Limits
) -> web.StreamResponse:
    framing = work.framing(answer)
    pieces = _framed(framing, answer, content)
    response = web.StreamResponse(headers=HEADERS)
    response.headers["Content-Type"] = framing.content_type
    response.content_length = sum(len(piece) for piece in pieces)
    if answer.recipe_bytes:
        response.headers["X-Colorize-Recipe-Bytes"] = str(answer.recipe_bytes)
    if answer.hinted is not None:
        response.headers["X-Colorize-Hinted"] = str(answer.hinted)
    if answer.touched is not None:
        response.headers["X-Colorize-Touched"] = str(answer.touched)
    if answer.remarks:
        response.headers["X-Colorize-Remarks"] = _printable(" ".join(answer.remarks))
    of_pixels = {"Channels": answer.channels, "Depth": answer.depth} if answer.channels else {}
    for name, value in {
        "Width": answer.width,
        "Height": answer.height,
        **of_pixels,
        "Model": f"{info.model['name']} {info.model['version']}",
        "Model-Sha256": info.model["sha256"],
        "Backend": info.backend["active"],
        "Size": answer.size,
    }.items():
        response.headers[f"X-Colorize-{name}"] = _printable(str(value))
    response.headers["Server-Timing"] = ", ".join(f"{step};dur={ms:g}" for step, ms in work.timings_ms().items())
    try:
        async with asyncio.timeout(limits.answer_idle_s) as patience:
            await response.prepare(request)
            for piece in pieces:
                for start in range(0, len(piece), _PIECE_BYTES):
                    await response.write(piece[start : start + _PIECE_BYTES])
                    patience.reschedule(asyncio.get_running_loop().time() + limits.answer_idle_s)
            await response.write_eof()
    except TimeoutError:  # a client that asks and does not read would hold the answer for ever
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the client did not read its answer") from None
    return response


def _framed(framing: Framing, answer: Answer, content: memoryview) -> list[memoryview]:
    """Return the pieces of a body."""
    end = answer.picture_bytes
    before, between, after = (memoryview(part) for part in (framing.before, framing.between, framing.after))
    return [piece for piece in (before, content[:end], between, content[end:], after) if piece]


def _printable(text: str) -> str:
    """Keep what a model's card says from adding headers of its own."""
    return "".join(character if character.isprintable() and character.isascii() else "?" for character in text)
