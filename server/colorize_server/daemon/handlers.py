"""The routes of PROTOCOL.md: parse, ask, answer."""

import asyncio
import contextlib
import json
from typing import Any, Final

from aiohttp import web

from .. import PRODUCT, __version__
from ..errors import BadRequestError, NoSuggestionsError, RefusedError
from ..inference.task import Task
from ..media_types import JSON
from ..settings import Limits
from .access import proof_of
from .answers import send_result
from .body import check_encoding, media_type
from .exchange import exchange, received
from .failures import HEADERS
from .jobs import expired_error
from .keys import ACCESS, INFERENCE, JOBS, SCHEDULER, SETTINGS, SHUTDOWN
from .openapi import openapi_document
from .parameters import (
    MAX_WAIT_S,
    PLACE,
    single_values,
    suggestions_task,
    task_from_query,
    touch_ups_task,
)
from .work import State

PROTOCOL: Final = 1
FEATURES: Final = ("recipe", "touchups", "provenance", "layers")
"""What version 1 has learned since its first server, which names none."""


def answer_json(members: dict[str, Any], status: int = 200, **headers: str) -> web.Response:
    """Return a JSON answer."""
    return web.Response(
        status=status,
        body=json.dumps(members).encode(),
        content_type=JSON,
        headers={**HEADERS, **headers},
    )


def told_limits(limits: Limits) -> dict[str, int]:
    """Return the limits that a client has to know before it sends a picture."""
    return {name: getattr(limits, name) for name in ("max_body_bytes", "max_pixels", "max_side")}


async def health(request: web.Request) -> web.Response:
    """Tell how the daemon is, and prove that it is the one that knows the token."""
    values = single_values(list(request.query.items()), ("nonce",))
    inference, scheduler = request.app[INFERENCE], request.app[SCHEDULER]
    settings = request.app[SETTINGS]
    # Clients ask this first, and send no picture to a daemon that has failed: who closed other programs meanwhile would
    # never get another try.
    inference.try_again()
    info = inference.info
    if scheduler.is_stopping:
        state = "stopping"
    elif inference.is_ready:
        state = "ready"
    else:
        state = "starting" if inference.is_starting else "failed"
    active = {"active": None, "device": None, "providers": [], "reason": None} if info is None else info.backend
    members: dict[str, Any] = {
        "product": PRODUCT,
        "version": __version__,
        "protocol": PROTOCOL,
        "features": list(FEATURES),
        "state": state,
        "ready": state == "ready",
        "backend": {"requested": settings.backend, **active},
        "model": None if info is None else info.model,
        "suggestions": info is not None and info.suggests_colours,
        "queue": {
            "length": scheduler.waiting,
            "running": scheduler.running,
            "limit": settings.limits.max_waiting,
        },
        "limits": told_limits(settings.limits),
    }
    if inference.failure is not None:
        members["error"] = inference.failure.as_dict()
    if "nonce" in values:
        access = request.app[ACCESS]
        members["proof"] = proof_of(access.token(), values["nonce"], access.port)
    return answer_json(members)


async def colorize(request: web.Request) -> web.StreamResponse:
    """Colorize a picture in one exchange; a client that goes away takes its work with it."""
    return await exchange(request, _task(request))


async def suggest(request: web.Request) -> web.StreamResponse:
    """Tell which colours places of a picture may have."""
    return await exchange(request, _suggestions(request))


async def touchups(request: web.Request) -> web.StreamResponse:
    """Find what was painted on a layer of colour."""
    check_encoding(request)
    task = touch_ups_task(list(request.query.items()), media_type(request), request.app[SETTINGS].limits)
    return await exchange(request, task)


async def create_job(request: web.Request) -> web.Response:
    """Take a picture; its client asks for the result later."""
    task = _suggestions(request) if PLACE in request.query else _task(request)
    async with received(request, task) as work:
        request.app[JOBS].add(work)
    return answer_json(work.as_members(), 202, Location=f"/v1/jobs/{work.id}")


async def show_job(request: web.Request) -> web.Response:
    """Tell how a job is; wait for news if asked to."""
    values = single_values(list(request.query.items()), ("wait",))
    wait_s = _wait(values.get("wait", "0"))
    work = request.app[JOBS].get(request.match_info["id"])
    if not work.state.is_final and wait_s > 0:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await work.changed()
    return answer_json(work.as_members())


async def fetch_result(request: web.Request) -> web.StreamResponse:
    """Send the result of a job; it may be fetched again until it expires."""
    single_values(list(request.query.items()), ())
    jobs, info = request.app[JOBS], request.app[INFERENCE].info
    work = jobs.get(request.match_info["id"])
    if work.state is not State.DONE or info is None:
        raise RefusedError(
            "The job has no result." if work.state.is_final else "The job is not finished yet.",
            "Ask for the job: its state says what happened to it.",
            code="job_not_finished",
            status=409,
        )
    if work.output is None:
        raise expired_error()
    with request.app[SCHEDULER].answering():
        response = await send_result(request, work, info, request.app[SETTINGS].limits)
    jobs.fetched(work)
    return response


async def delete_job(request: web.Request) -> web.Response:
    """Cancel or forget a job."""
    single_values(list(request.query.items()), ())
    request.app[JOBS].delete(request.match_info["id"])
    return web.Response(status=204, headers=HEADERS)


async def shutdown(request: web.Request) -> web.Response:
    """End the daemon, after what is under way."""
    single_values(list(request.query.items()), ())
    request.app[SHUTDOWN].ask()
    return answer_json({"state": "stopping"}, 202)


async def openapi(request: web.Request) -> web.Response:
    """Describe all this to a machine."""
    single_values(list(request.query.items()), ())
    return answer_json(openapi_document(request.app[SETTINGS].limits))


def _wait(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_WAIT_S:  # also refuses NaN
        raise BadRequestError(f"The parameter wait must be a number from 0 to {MAX_WAIT_S:g}.", "It is in seconds.")
    return seconds


def _task(request: web.Request) -> Task:
    check_encoding(request)
    info = request.app[INFERENCE].info
    return task_from_query(
        list(request.query.items()),
        media_type(request),
        request.headers.get("Accept", ""),
        request.app[SETTINGS].limits,
        [] if info is None else info.sizes,
    )


def _suggestions(request: web.Request) -> Task:
    check_encoding(request)
    task = suggestions_task(list(request.query.items()), media_type(request), request.app[SETTINGS].limits)
    info = request.app[INFERENCE].info
    if info is not None and not info.suggests_colours:
        raise NoSuggestionsError.of_model(f"{info.model['name']} {info.model['version']}")
    return task
