"""The protocol for machines: OpenAPI 3.1, built from the same values that the checks use."""

import re
from typing import Any, Final

from .. import PRODUCT, __version__
from ..contract import SUGGESTIONS
from ..installation.probe import CLIENT_HEADER, TOKEN_HEADER
from ..media_types import ENCODED, JSON, MULTIPART, PNG, PSD, RAW, TIFF, XMP
from ..picture.options import MIN_SIDE, MOST_PLACES, PROFILES, SATURATION_RANGE, Blend, Host, Output
from ..settings import Limits
from .access import CLIENT_PATTERN, NONCE_PATTERN
from .parameters import MAX_WAIT_S, PLACE
from .work import State

Members = dict[str, Any]

_BINARY: Final[Members] = {"type": "string", "format": "binary"}
_STRING: Final[Members] = {"type": "string"}
_NUMBER: Final[Members] = {"type": "number"}
_INTEGER: Final[Members] = {"type": "integer"}
_PICTURE_ERRORS: Final = (400, 401, 403, 408, 409, 413, 415, 422, 431, 503)
_PLAIN_ERRORS: Final = (400, 401, 403, 431)
_JOB_ERRORS: Final = (*_PLAIN_ERRORS, 404, 410)


def openapi_document(limits: Limits) -> Members:
    """Return the document.

    Args:
        limits: the daemon's, which bound sizes of pictures.
    """
    body = _picture_body()
    shape = _shape_query(limits)
    query = [*shape, *_layer_options(), _client()]
    places = _parameter(PLACE, _places_schema(), required=True)
    job = {JSON: {"schema": {"$ref": "#/components/schemas/Job"}}}
    job_id = _parameter("id", _STRING, where="path", required=True)
    wait = _parameter("wait", {"type": "number", "minimum": 0, "maximum": MAX_WAIT_S, "default": 0})
    nonce = _parameter("nonce", _matching(NONCE_PATTERN))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": PRODUCT,
            "version": __version__,
            "summary": "Colour for black-and-white photographs; see PROTOCOL.md.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}],
        "paths": {
            "/v1/health": {
                "get": _operation(
                    "health", [nonce], {200: _json_schema("Health")}, (400, 403, 431), security=[], summary="How it is."
                )
            },
            "/v1/openapi.json": {
                "get": _operation("openapi", [], {200: {JSON: {"schema": {"type": "object"}}}}, _PLAIN_ERRORS)
            },
            "/v1/colorize": {
                "post": _operation("colorize", query, {200: _picture_answer()}, _PICTURE_ERRORS, body=body)
            },
            "/v1/suggest": {
                "post": _operation(
                    "suggest",
                    [*shape, places, _client()],
                    {200: _json_schema("Suggestions")},
                    _PICTURE_ERRORS,
                    body=body,
                )
            },
            "/v1/touchups": {
                "post": _operation(
                    "touchUps",
                    _layer_query(limits),
                    {200: {RAW: {"schema": _BINARY}}},
                    _PICTURE_ERRORS,
                    body={"required": True, "content": {RAW: {"schema": _BINARY}}},
                )
            },
            "/v1/provenance": {
                "post": _operation(
                    "provenance",
                    _record_query(),
                    {200: {XMP: {"schema": _BINARY}}},
                    (400, 401, 403, 408, 413, 415, 431, 503),
                    body={"required": False, "content": {XMP: {"schema": _BINARY}}},
                )
            },
            "/v1/jobs": {
                "post": _operation(
                    "createJob", [*query, {**places, "required": False}], {202: job}, _PICTURE_ERRORS, body=body
                )
            },
            "/v1/jobs/{id}": {
                "get": _operation("showJob", [job_id, wait], {200: job}, _JOB_ERRORS),
                "delete": _operation("deleteJob", [job_id], {204: None}, _JOB_ERRORS),
            },
            "/v1/jobs/{id}/result": {
                "get": _operation(
                    "fetchResult",
                    [job_id],
                    {200: {**_picture_answer(), **_json_schema("Suggestions")}},
                    (*_JOB_ERRORS, 409),
                )
            },
            "/v1/shutdown": {
                "post": _operation("shutdown", [], {202: {JSON: {"schema": {"type": "object"}}}}, _PLAIN_ERRORS)
            },
        },
        "components": {
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": TOKEN_HEADER}},
            "schemas": {
                "Error": _error_schema(),
                "Job": _job_schema(),
                "Health": _health_schema(),
                "Suggestions": _suggestions_schema(),
            },
        },
    }


def _parameter(name: str, schema: Members, *, where: str = "query", required: bool = False) -> Members:
    return {"name": name, "in": where, "required": required, "schema": schema}


def _matching(pattern: re.Pattern[str]) -> Members:
    return {"type": "string", "pattern": f"^{pattern.pattern}$"}


def _side(limits: Limits) -> Members:
    return {"type": "integer", "minimum": MIN_SIDE, "maximum": limits.max_side}


def _client() -> Members:
    return _parameter(CLIENT_HEADER, _matching(CLIENT_PATTERN), where="header")


def _shape_query(limits: Limits) -> list[Members]:
    """Return what tells how to read a raw body."""
    return [
        _parameter("width", _side(limits)),
        _parameter("height", _side(limits)),
        _parameter("channels", {"type": "integer", "enum": [1, 2, 3, 4]}),
        _parameter("depth", {"type": "integer", "enum": [8, 16], "default": 8}),
        _parameter("profile", {"type": "string", "enum": list(PROFILES), "default": "srgb"}),
        _parameter("hints", {"type": "string", "enum": ["rgba8"]}),
    ]


def _layer_options() -> list[Members]:
    low, high = SATURATION_RANGE
    return [
        _parameter("output", {"type": "string", "enum": list(Output), "default": Output.LAYER}),
        _parameter("host", {"type": "string", "enum": list(Host), "default": Host.NONE}),
        _parameter("blend", {"type": "string", "enum": list(Blend), "default": Blend.COLOR}),
        _parameter("size", _INTEGER),
        _parameter("saturation", {"type": "number", "minimum": low, "maximum": high, "default": 1}),
        _parameter("include", {"type": "string", "enum": ["doubt", "recipe", "doubt,recipe", "recipe,doubt"]}),
        _parameter("recipe", {"type": "integer", "minimum": 1}),
    ]


def _places_schema() -> Members:
    place = {"type": "string", "pattern": "^[0-9]{1,9},[0-9]{1,9}$"}
    return {"type": "array", "items": place, "minItems": 1, "maxItems": MOST_PLACES}


def _layer_query(limits: Limits) -> list[Members]:
    side = _side(limits)
    return [_parameter("width", side, required=True), _parameter("height", side, required=True), _client()]


def _record_query() -> list[Members]:
    low, high = SATURATION_RANGE
    return [
        _parameter("size", _INTEGER),
        _parameter("saturation", {"type": "number", "minimum": low, "maximum": high}),
        _parameter("hints", {"type": "string", "enum": ["painted"]}),
        _client(),
    ]


def _picture_body() -> Members:
    parts = {
        "type": "object",
        "required": ["photo"],
        "additionalProperties": False,
        "properties": {"photo": _BINARY, "hints": _BINARY},
    }
    encoding = {"photo": {"contentType": ", ".join(ENCODED)}, "hints": {"contentType": PNG}}
    kinds = {kind: {"schema": _BINARY} for kind in (RAW, *ENCODED)}
    return {"required": True, "content": {**kinds, MULTIPART: {"schema": parts, "encoding": encoding}}}


def _picture_answer() -> Members:
    return {kind: {"schema": _BINARY} for kind in (RAW, PNG, TIFF, PSD, "multipart/mixed")}


def _suggestions_schema() -> Members:
    def numbers(of: Members) -> Members:
        return {"type": "array", "items": of, "minItems": 3, "maxItems": 3}

    colour = _object(
        {
            "lab": numbers(_NUMBER),
            "srgb": numbers({"type": "integer", "minimum": 0, "maximum": 255}),
            "share": {"type": "number", "minimum": 0, "maximum": 1},
            "used": {"type": "boolean"},
        },
        optional=("used",),
    )
    colours = {"type": "array", "items": colour, "maxItems": SUGGESTIONS}
    place = _object({"x": _INTEGER, "y": _INTEGER, "lightness": _NUMBER, "colours": colours})
    places = {"type": "array", "items": place, "minItems": 1, "maxItems": MOST_PLACES}
    return _object({"model": _STRING, "places": places})


def _json_schema(name: str) -> Members:
    return {JSON: {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _operation(
    operation_id: str,
    parameters: list[Members],
    answers: dict[int, Members | None],
    errors: tuple[int, ...],
    *,
    body: Members | None = None,
    **rest: Any,
) -> Members:
    responses: Members = {}
    for status, content in answers.items():
        responses[str(status)] = (
            {"description": "Done."} if content is None else {"description": "Done.", "content": content}
        )
    for status in errors:
        retry = {"Retry-After": {"schema": _INTEGER}} if status == 503 else {}
        responses[str(status)] = {"description": "Refused.", "headers": retry, "content": _json_schema("Error")}
    operation = {"operationId": operation_id, "parameters": parameters, "responses": responses, **rest}
    if body is not None:
        operation["requestBody"] = body
    return operation


def _object(properties: Members, *, optional: tuple[str, ...] = ()) -> Members:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _error_schema() -> Members:
    return _object({"code": _STRING, "message": _STRING, "hint": _STRING})


def _job_schema() -> Members:
    steps = ("queue", "decode", "network", "picture", "encode")
    result = _object(
        {
            "bytes": _INTEGER,
            "width": _INTEGER,
            "height": _INTEGER,
            "channels": _INTEGER,
            "depth": _INTEGER,
            "content_type": _STRING,
            "recipe_bytes": _INTEGER,
            "hinted": _INTEGER,
        },
        optional=("recipe_bytes", "hinted"),
    )
    return _object(
        {
            "id": _STRING,
            "state": {"type": "string", "enum": list(State)},
            "progress": {"type": "number", "minimum": 0, "maximum": 1},
            "position": _INTEGER,
            "timings": _object({f"{step}_ms": _NUMBER for step in steps}),
            "result": result,
            "error": {"$ref": "#/components/schemas/Error"},
        },
        optional=("result", "error"),
    )


def _health_schema() -> Members:
    nullable = {"type": ["string", "null"]}
    return _object(
        {
            "product": _STRING,
            "version": _STRING,
            "protocol": _INTEGER,
            "features": {"type": "array", "items": _STRING},
            "state": {"type": "string", "enum": ["starting", "ready", "failed", "stopping"]},
            "ready": {"type": "boolean"},
            "backend": _object(
                {
                    "requested": _STRING,
                    "active": nullable,
                    "device": nullable,
                    "providers": {"type": "array", "items": _STRING},
                    "reason": nullable,
                }
            ),
            "model": {"type": ["object", "null"]},
            "suggestions": {"type": "boolean"},
            "queue": _object({"length": _INTEGER, "running": _INTEGER, "limit": _INTEGER}),
            "limits": _object({"max_body_bytes": _INTEGER, "max_pixels": _INTEGER, "max_side": _INTEGER}),
            "error": {"$ref": "#/components/schemas/Error"},
            "proof": _STRING,
        },
        optional=("error", "proof"),
    )
