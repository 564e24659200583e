"""Query strings into tasks: every parameter of PROTOCOL.md, checked.  Nothing here touches a body."""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, TypeVar

from ..errors import BadRequestError, PictureError, SizeNotOfferedError
from ..formats.limits import PictureLimits
from ..inference.task import RawPicture, Task
from ..media_types import ENCODED, JSON, MULTIPART, PNG, PSD, RAW, TIFF
from ..picture.options import (
    MOST_PLACES,
    PROFILES,
    SATURATION_RANGE,
    Blend,
    Host,
    Options,
    Output,
    check_not_too_small,
    check_places,
)
from ..settings import Limits

MAX_WAIT_S: Final = 30.0
"""Longest time that the answer to a question about a job is held back."""

RAW_ONLY: Final = ("width", "height", "channels", "depth", "profile", "hints", "recipe")
COMMON: Final = ("output", "host", "blend", "size", "saturation", "include")
PLACE: Final = "at"
"""The one parameter that may stand in a query more than once."""
_LIST: Final = "PROTOCOL.md lists what each parameter may be."
_Choice = TypeVar("_Choice", bound=StrEnum)


def single_values(pairs: Sequence[tuple[str, str]], known: Sequence[str]) -> dict[str, str]:
    """Return the parameters of a query string, each of which may stand there once.

    Raises:
        BadRequestError: if one is unknown or repeated.
    """
    values: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            raise BadRequestError(f"There is no parameter {_shown(name)} here.", _LIST)
        if name in values:
            raise BadRequestError(f"The parameter {name} is given twice.", "Send it once.")
        values[name] = value
    return values


def task_from_query(
    pairs: Sequence[tuple[str, str]], content_type: str, accept: str, limits: Limits, sizes: Sequence[int]
) -> Task:
    """Read what is asked for.

    Args:
        pairs: names and values of the query string, in order.
        content_type: the body's media type, in lower case and without its parameters.
        accept: the Accept header, or an empty string.
        limits: the daemon's.
        sizes: network sizes that the model was tested at; empty while they are not known.

    Raises:
        PictureError: if the media type is none we take, or the picture is too large or too small.
        BadRequestError: if a parameter is missing, unknown, repeated or out of its range.
        SizeNotOfferedError: if the network size is none of `sizes`.
    """
    is_raw = _is_raw(content_type)
    values = single_values(pairs, COMMON + RAW_ONLY)
    _check_raw_only(values, is_raw=is_raw)
    include = _include(values, is_raw=is_raw)
    if "recipe" in values:
        for name in ("hints", "size", "include"):
            if name in values:
                raise BadRequestError(
                    f"The parameter {name} makes no sense with a recipe.", "The recipe says what the network said."
                )
    chosen = RAW if is_raw else answer_type(content_type, accept)
    if chosen == PSD:
        for name in ("output", "host", "blend"):
            if name in values:
                raise BadRequestError(
                    f"The parameter {name} makes no sense with a layered file.", "It is made for all programs."
                )
    return Task(
        options=_options(values, sizes),
        media_type=content_type,
        raw=_raw_picture(values, limits) if is_raw else None,
        wants_doubt="doubt" in include,
        wants_recipe="recipe" in include,
        answer_type=chosen,
        max_pixels=limits.max_pixels,
        max_side=limits.max_side,
    )


def suggestions_task(pairs: Sequence[tuple[str, str]], content_type: str, limits: Limits) -> Task:
    """Read what ``POST /v1/suggest`` is asked: a picture and places on it.

    Raises:
        PictureError, BadRequestError: as `task_from_query`; also if there is no place, or one outside a raw picture.
    """
    is_raw = _is_raw(content_type)
    places = tuple(place(value) for name, value in pairs if name == PLACE)
    if not 1 <= len(places) <= MOST_PLACES:
        raise BadRequestError(
            "No place is named." if not places else f"{len(places)} places are more than can be asked about at once.",
            f"Name 1 to {MOST_PLACES} places, each as {PLACE}=X,Y in pixels from the left and the top.",
        )
    rest = [pair for pair in pairs if pair[0] != PLACE]
    values = single_values(rest, tuple(name for name in RAW_ONLY if name != "recipe"))
    _check_raw_only(values, is_raw=is_raw)
    raw = _raw_picture(values, limits) if is_raw else None
    if raw is not None:
        check_places(places, raw.width, raw.height)
    return Task(
        options=Options(),
        media_type=content_type,
        raw=raw,
        wants_doubt=False,
        places=places,
        answer_type=JSON,
        max_pixels=limits.max_pixels,
        max_side=limits.max_side,
    )


def _is_raw(content_type: str) -> bool:
    """Tell whether a body is raw pixels; refuse what is no picture."""
    if content_type != RAW and content_type not in ENCODED and content_type != MULTIPART:
        raise PictureError(
            f"A body of the type {_shown(content_type)} cannot be colorized.",
            "Send a PNG, JPEG, TIFF or WebP picture, or raw pixels as application/octet-stream.",
            code="unsupported_media_type",
            status=415,
        )
    return content_type == RAW


def _check_raw_only(values: Mapping[str, str], *, is_raw: bool) -> None:
    if not is_raw:
        for name in RAW_ONLY:
            if name in values:
                raise BadRequestError(f"The parameter {name} is for raw pixels only.", _LIST)


def place(text: str) -> tuple[int, int]:
    """Read a place, ``X,Y``."""
    parts = text.split(",")
    if len(parts) != 2:
        raise BadRequestError(f"The parameter {PLACE} must be two whole numbers X,Y, not {_shown(text)}.", _LIST)
    x, y = (_integer({PLACE: part}, PLACE) for part in parts)
    return x, y


def touch_ups_task(pairs: Sequence[tuple[str, str]], content_type: str, limits: Limits) -> Task:
    """Read what ``POST /v1/touchups`` is asked: two layers of RGBA8 of one size.

    Raises:
        PictureError, BadRequestError: as `task_from_query`.
    """
    if content_type != RAW:
        raise PictureError(
            f"A body of the type {_shown(content_type)} holds no layers.",
            "Send both layers as raw pixels, as application/octet-stream.",
            code="unsupported_media_type",
            status=415,
        )
    values = single_values(pairs, ("width", "height"))
    raw = _raw_picture({**values, "channels": "4", "hints": "rgba8"}, limits)
    return Task(
        options=Options(),
        media_type=RAW,
        raw=raw,
        wants_doubt=False,
        lifts_touch_ups=True,
        answer_type=RAW,
        max_pixels=limits.max_pixels,
        max_side=limits.max_side,
    )


def record_settings(pairs: Sequence[tuple[str, str]]) -> tuple[dict[str, str], bool]:
    """Read what ``POST /v1/provenance`` is told of a run: its settings as they are written, and whether it had hints.

    Raises:
        BadRequestError: as `task_from_query`.
    """
    values = single_values(pairs, ("size", "saturation", "hints"))
    settings = {}
    if "size" in values:
        settings["size"] = str(_integer(values, "size"))
    if "saturation" in values:
        settings["saturation"] = f"{number(values, 'saturation', *SATURATION_RANGE, default=1.0):g}"
    return settings, one_of(values, "hints", ("", "painted"), "") == "painted"


def _include(values: Mapping[str, str], *, is_raw: bool) -> set[str]:
    """Return what is to come with the picture."""
    if "include" not in values:
        return set()
    wanted = values["include"].split(",")
    offered = ("doubt", "recipe") if is_raw else ("doubt",)
    if len(set(wanted)) != len(wanted) or not set(wanted) <= set(offered):
        raise BadRequestError(
            f"The parameter include cannot be {_shown(values['include'])}.",
            f"It names, with commas between them, any of {', '.join(offered)}.",
        )
    return set(wanted)


def answer_type(content_type: str, accept: str) -> str:
    """Choose the format of an encoded answer: what Accept names, else that of the picture, else PNG."""
    for choice in accept.split(","):
        wanted = choice.split(";")[0].strip().lower()
        if wanted in (PNG, TIFF, PSD):
            return wanted
    return TIFF if content_type == TIFF else PNG


def check_shape(width: int, height: int, limits: Limits) -> None:
    """Refuse a picture that is too large or too small.

    Raises:
        PictureError: with the reason.
    """
    check_not_too_small(width, height)
    PictureLimits(limits.max_pixels, limits.max_side).check(width, height)


def _options(values: Mapping[str, str], sizes: Sequence[int]) -> Options:
    size = _integer(values, "size") if "size" in values else None
    if size is not None and sizes and size not in sizes:
        raise SizeNotOfferedError.for_size(size, sizes)
    return Options(
        output=_choice(values, "output", Output, Output.LAYER),
        host=_choice(values, "host", Host, Host.NONE),
        blend=_choice(values, "blend", Blend, Blend.COLOR),
        size=size,
        saturation=number(values, "saturation", *SATURATION_RANGE, default=1.0),
    )


def _raw_picture(values: Mapping[str, str], limits: Limits) -> RawPicture:
    for name in ("width", "height", "channels"):
        if name not in values:
            raise BadRequestError(f"The parameter {name} is missing.", "Raw pixels need width, height and channels.")
    width, height = _integer(values, "width"), _integer(values, "height")
    channels = int(one_of(values, "channels", ("1", "2", "3", "4"), ""))
    profile = one_of(values, "profile", tuple(PROFILES), "srgb")
    if channels not in PROFILES[profile]:
        raise BadRequestError(f"The profile {profile} is not for pictures of {channels} channels.", _LIST)
    check_shape(width, height, limits)
    return RawPicture(
        width=width,
        height=height,
        channels=channels,
        depth=int(one_of(values, "depth", ("8", "16"), "8")),
        profile=profile,
        has_hints=one_of(values, "hints", ("", "rgba8"), "") == "rgba8",
        recipe_bytes=_recipe_bytes(values),
    )


def _recipe_bytes(values: Mapping[str, str]) -> int:
    n_bytes = _integer(values, "recipe") if "recipe" in values else 0
    if "recipe" in values and n_bytes == 0:
        raise BadRequestError("A recipe of no length is none.", "The parameter recipe is its number of bytes.")
    return n_bytes


def _integer(values: Mapping[str, str], name: str) -> int:
    text = values[name]
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise BadRequestError(f"The parameter {name} must be a whole number, not {_shown(text)}.", _LIST)
    return int(text)


def number(values: Mapping[str, str], name: str, low: float, high: float, *, default: float) -> float:
    """Return a parameter that is a number in a range, or its default.

    Raises:
        BadRequestError: if it is none.
    """
    if name not in values:
        return default
    try:
        number = float(values[name])
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or not low <= number <= high:
        raise BadRequestError(
            f"The parameter {name} must be a number from {low:g} to {high:g}, not {_shown(values[name])}.", _LIST
        )
    return number


def one_of(values: Mapping[str, str], name: str, choices: Sequence[str], default: str) -> str:
    """Return a parameter that is one of some words, or its default.

    Raises:
        BadRequestError: if it is none of them.
    """
    if name not in values:
        return default
    if not values[name] or values[name] not in choices:
        offered = ", ".join(choice for choice in choices if choice)
        raise BadRequestError(f"The parameter {name} cannot be {_shown(values[name])}.", f"It is one of {offered}.")
    return values[name]


def _choice(values: Mapping[str, str], name: str, kind: type[_Choice], default: _Choice) -> _Choice:
    return kind(one_of(values, name, tuple(kind), default))


def _shown(text: str) -> str:
    """Quote what a client sent, short and printable, so that an error message cannot be made to say anything."""
    clean = "".join(character if character.isprintable() else "?" for character in text[:40])
    return f"“{clean}”"
