"""Errors into answers: JSON with code, message and hint, for whatever went wrong."""

import json
import logging
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.typedefs import Handler

from .. import PRODUCT
from ..errors import BadRequestError, ColorizeError, RefusedError
from ..media_types import JSON

_LOG = logging.getLogger(__name__)
HEADERS: Final = {
    "Server": PRODUCT,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""On every answer: what comes from here is nothing a browser should keep, guess at, embed or run."""
_CLOSING_STATUSES: Final = (400, 408, 413, 431)
"""After these the rest of a body may be on its way; the connection is closed instead of being read on and on."""


def failure(error: ColorizeError) -> web.Response:
    """Return the answer that tells a client about `error`."""
    headers = dict(HEADERS)
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    response = web.Response(
        status=error.status, body=json.dumps(error.as_dict()).encode(), headers=headers, content_type=JSON
    )
    if error.status in _CLOSING_STATUSES:
        response.force_close()
    return response


def malformed_request(exception: BaseException | None, status: int) -> ColorizeError:
    """Return the error for what is not HTTP, or made our HTTP library fail."""
    if isinstance(exception, LineTooLong) or "too many headers" in str(exception).lower():
        return RefusedError(
            "The request's headers are too large.", "Send fewer or shorter ones.", code="headers_too_large", status=431
        )
    if status >= 500:
        return _defect()
    return BadRequestError("The request is not well-formed HTTP.", "Use an HTTP client.", code="bad_body")


@web.middleware
async def answer_failures(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a handler raises into an answer."""
    try:
        return await handler(request)
    except ColorizeError as error:
        return failure(error)
    except web.HTTPMethodNotAllowed as error:
        response = failure(
            RefusedError(
                f"{request.path[:80]} does not know {request.method}.",
                "PROTOCOL.md lists what there is.",
                code="method_not_allowed",
                status=405,
            )
        )
        response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        return response
    except web.HTTPNotFound:
        return failure(RefusedError("There is nothing at this address.", "PROTOCOL.md lists what there is."))
    except web.HTTPException as error:
        return failure(malformed_request(error, error.status))
    except ConnectionError:
        raise
    except Exception:
        if request.transport is None or request.transport.is_closing():
            raise
        _LOG.exception("a defect, while answering %s", request.path)
        return failure(_defect())


def _defect() -> ColorizeError:
    return ColorizeError("The server made a mistake.", "Please report it, with the log's last lines.")
