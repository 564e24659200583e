"""Records for programs that put the layers of colour themselves: their XMP comes, and goes back with ours in it."""

import asyncio

from aiohttp import web

from .. import __version__
from ..errors import BusyError, PictureError
from ..media_types import XMP
from .body import media_type, read_short
from .failures import HEADERS
from .keys import INFERENCE, SETTINGS
from .parameters import record_settings


async def provenance(request: web.Request) -> web.Response:
    """Put the record of a run into a packet, or into a new one if none comes."""
    settings, with_hints = record_settings(list(request.query.items()))
    if media_type(request) != XMP or request.headers.getall("Content-Encoding", ["identity"]) != ["identity"]:
        raise PictureError(
            "The record of a picture is neither XMP nor empty.",
            f"Send it as {XMP}, or nothing under that type.",
            code="unsupported_media_type",
            status=415,
        )
    info = request.app[INFERENCE].info
    if info is None:
        raise BusyError("The model is still being loaded.", "Try again in a moment.", code="starting", retry_after_s=1)
    from ..provenance.packet import MAX_BYTES  # XML is read by a library that no other request needs
    from ..provenance.record import Record, merge

    packet = await read_short(request, request.app[SETTINGS].limits, MAX_BYTES)
    model = info.model
    record = Record(__version__, f"{model['name']} {model['version']}", model["sha256"], settings, with_hints)
    merged = await asyncio.to_thread(merge, packet or None, record, None)
    return web.Response(body=merged.packet, content_type=XMP, headers=HEADERS)
