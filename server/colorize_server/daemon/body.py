"""Bodies from the socket into shared memory, as they arrive: never in one piece in our own memory, never too slowly."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Collection
from dataclasses import replace
from typing import Final, Protocol, TypeVar

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from ..errors import BadRequestError, PictureError, RefusedError
from ..inference.memory import SharedBuffer
from ..inference.task import Task
from ..media_types import ENCODED, MULTIPART, PNG
from ..settings import Limits
from .connections import EXPECTS_CONTINUE

_FIRST_BYTES: Final = 1 << 20
_PART_TYPES: Final = {"photo": ENCODED, "hints": (PNG,)}

_Result = TypeVar("_Result")


class Memory(Protocol):
    """Counts the memory that a body takes."""

    def hold(self, n_bytes: int) -> None:
        """Count so much more, before it is taken; raises if there is none left."""

    def release(self, n_bytes: int) -> None:
        """Count so much as given back."""


class ReceivedBody:
    """What was received: a buffer for the picture, one more for hints of an encoded picture.

    Attributes:
        buffers: the caller's to close, with `close`.
        media_type: of the picture itself.
    """

    def __init__(self, media_type: str) -> None:
        self.buffers: list[SharedBuffer] = []
        self.media_type = media_type

    def close(self) -> None:
        """Give the memory back."""
        for buffer in self.buffers:
            buffer.close()


class BodyReader:
    """Reads one request's body.

    Args:
        request: whose body is read.
        limits: the daemon's.
        memory: told about the memory that the body needs.
    """

    def __init__(self, request: web.Request, limits: Limits, memory: Memory) -> None:
        self._request = request
        self._limits = limits
        self._memory = memory
        self._started = time.monotonic()
        self._received_bytes = 0

    async def read(self, task: Task) -> ReceivedBody:
        """Read the body that `task` describes.

        Raises:
            ColorizeError: if it is too long, too short, too slow, or not what its type says.
        """
        body = ReceivedBody(task.media_type)
        try:
            if task.media_type == MULTIPART:
                await self._invite()
                await self._read_multipart(body)
            elif task.raw is not None:
                await self._read_raw(body, task.raw.body_bytes)
            else:
                body.buffers.append(await self._read_unknown(self._chunks(), self._request.content_length))
        except BaseException:
            body.close()
            raise
        return body

    async def read_bytes(self) -> bytes:
        """Read a short body whole.

        Raises:
            ColorizeError: as `read`.
        """
        check_body_bytes(self._request.content_length or 0, self._limits)
        await self._invite()
        return b"".join([chunk async for chunk in self._chunks()])

    async def _invite(self) -> None:
        """Ask a client for its body that waits to be asked; not before it is known that there is room for it."""
        if self._request.pop(EXPECTS_CONTINUE, False):
            await self._request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._request.writer.output_size = 0  # the answer proper has not begun

    async def _read_raw(self, body: ReceivedBody, expected_bytes: int) -> None:
        announced = self._request.content_length
        if announced is not None and announced != expected_bytes:
            raise _wrong_length(announced, expected_bytes)
        buffer = self._room(expected_bytes)
        body.buffers.append(buffer)
        await self._invite()
        filled = 0
        async for chunk in self._chunks():
            if filled + len(chunk) > expected_bytes:
                raise _wrong_length(None, expected_bytes)
            buffer.view[filled : filled + len(chunk)] = chunk
            filled += len(chunk)
        if filled != expected_bytes:
            raise _wrong_length(filled, expected_bytes)

    async def _read_unknown(self, chunks: AsyncIterator[bytes], announced_bytes: int | None) -> SharedBuffer:
        """Read what has no known length into a buffer that grows; it is returned exactly as long as the data."""
        buffer = self._room(announced_bytes or _FIRST_BYTES)
        filled = 0
        try:
            await self._invite()
            async for chunk in chunks:
                if filled + len(chunk) > buffer.n_bytes:
                    larger = self._room(max(2 * buffer.n_bytes, filled + len(chunk)))
                    larger.view[:filled] = buffer.view[:filled]
                    buffer.close()
                    self._memory.release(buffer.n_bytes)
                    buffer = larger
                buffer.view[filled : filled + len(chunk)] = chunk
                filled += len(chunk)
            if filled == 0:
                raise BadRequestError(
                    "The request has no picture in it.", "Send the picture as its body.", code="bad_body"
                )
            self._memory.release(buffer.n_bytes - filled)
            buffer.shorten(filled)
        except BaseException:
            buffer.close()
            raise
        return buffer

    def _room(self, n_bytes: int) -> SharedBuffer:
        self._memory.hold(n_bytes)
        return SharedBuffer.create(n_bytes)

    async def _read_multipart(self, body: ReceivedBody) -> None:
        parts: dict[str, SharedBuffer] = {}
        try:
            reader = await self._request.multipart()
            while (part := await self._in_time(reader.next())) is not None:
                name, media_type = _part_kind(part, parts)
                assert isinstance(part, BodyPartReader)  # noqa: S101 - _part_kind refuses the others
                length = self._request.content_length
                parts[name] = await self._read_unknown(self._part_chunks(part), length if name == "photo" else None)
                if name == "photo":
                    body.media_type = media_type
        except (ValueError, HttpProcessingError, web.HTTPException, RuntimeError, AssertionError) as error:
            body.buffers.extend(parts.values())
            raise BadRequestError(
                "The body is not well-formed multipart/form-data.", "Send the parts photo and hints.", code="bad_body"
            ) from error
        except BaseException:
            body.buffers.extend(parts.values())
            raise
        body.buffers.extend(parts[name] for name in ("photo", "hints") if name in parts)
        if "photo" not in parts:
            raise BadRequestError(
                "The body has no part named photo.", "Send the picture as the part photo.", code="bad_body"
            )

    async def _part_chunks(self, part: BodyPartReader) -> AsyncIterator[bytes]:
        while chunk := await self._in_time(part.read_chunk(1 << 16)):
            self._count(len(chunk))
            yield bytes(chunk)

    async def _chunks(self) -> AsyncIterator[bytes]:
        content = self._request.content
        while chunk := await self._in_time(content.readany()):
            self._count(len(chunk))
            yield chunk

    async def _in_time(self, reading: Awaitable[_Result]) -> _Result:
        """Wait for the next piece, but not for ever, and not for pieces that come by the byte."""
        elapsed_s = time.monotonic() - self._started
        if elapsed_s > self._limits.body_idle_s + self._received_bytes / self._limits.min_body_rate:
            close = getattr(reading, "close", None)
            if close is not None:
                close()
            raise _too_slow()
        try:
            async with asyncio.timeout(self._limits.body_idle_s):
                return await reading
        except TimeoutError as error:
            raise _too_slow() from error
        except web.RequestPayloadError as error:
            raise BadRequestError(
                "The request's body ended early or is not well-formed.", "Send it again.", code="bad_body"
            ) from error

    def _count(self, n_bytes: int) -> None:
        self._received_bytes += n_bytes
        check_body_bytes(self._received_bytes, self._limits)


class _Unheld:
    """Memory that is too little to count."""

    def hold(self, n_bytes: int) -> None:
        """See `Memory.hold`."""

    def release(self, n_bytes: int) -> None:
        """See `Memory.release`."""


async def read_short(request: web.Request, limits: Limits, most_bytes: int) -> bytes:
    """Read a body that is no picture; it may be empty.

    Raises:
        ColorizeError: if it is too long or too slow.
    """
    return await BodyReader(request, replace(limits, max_body_bytes=most_bytes), _Unheld()).read_bytes()


def check_body_bytes(n_bytes: int, limits: Limits) -> None:
    """Refuse a body that is too long.

    Raises:
        PictureError: if it is.
    """
    if n_bytes > limits.max_body_bytes:
        raise PictureError(
            f"The request is longer than the {limits.max_body_bytes / 1e6:.0f} MB that this server takes.",
            "Use a smaller picture.",
            code="body_too_large",
            status=413,
        )


def media_type(request: web.Request) -> str:
    """Return a body's media type, in lower case and without its parameters; empty for none."""
    return request.headers.get("Content-Type", "").split(";")[0].strip().lower()


def check_encoding(request: web.Request) -> None:
    """Refuse a body that is compressed.

    Raises:
        PictureError: if it is.
    """
    if request.headers.getall("Content-Encoding", ["identity"]) != ["identity"]:
        raise PictureError(
            "A compressed body cannot be used.",
            "Send the picture as it is, without Content-Encoding.",
            code="unsupported_media_type",
            status=415,
        )


def _part_kind(part: object, seen: Collection[str]) -> tuple[str, str]:
    """Return the name and media type of a part, which must be one of ours and come once."""
    if not isinstance(part, BodyPartReader):
        raise BadRequestError("A part of the body is a multipart body itself.", "Send pictures.", code="bad_body")
    name = part.name or ""
    if name not in _PART_TYPES or name in seen:
        raise BadRequestError(
            "The body has a part that is not wanted.",
            "Send one part photo and at most one part hints.",
            code="bad_body",
        )
    for header in ("Content-Encoding", "Content-Transfer-Encoding"):
        if part.headers.get(header, "binary").lower() not in ("binary", "identity", "8bit"):
            raise BadRequestError(f"The part {name} is encoded.", "Send the picture's own bytes.", code="bad_body")
    media_type = part.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if media_type not in _PART_TYPES[name]:
        raise PictureError(
            f"The part {name} is not of a type that can be used here.",
            "The photo is a PNG, JPEG, TIFF or WebP picture, hints are a PNG; each part says so in its Content-Type.",
            code="unsupported_media_type",
            status=415,
        )
    return name, media_type


def _wrong_length(actual_bytes: int | None, expected_bytes: int) -> BadRequestError:
    actual = "more" if actual_bytes is None else str(actual_bytes)
    return BadRequestError(
        f"The body should have {expected_bytes} bytes and has {actual}.",
        "Its length follows from width, height, channels, depth and hints.",
        code="bad_body",
    )


def _too_slow() -> RefusedError:
    return RefusedError("The request's body came too slowly.", "Send it again.", code="body_too_slow", status=408)
