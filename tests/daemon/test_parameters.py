"""Query strings, whatever is in them."""

import json

import pytest
from colorize_server.daemon.parameters import COMMON, RAW_ONLY, answer_type, task_from_query
from colorize_server.errors import ColorizeError, SizeNotOfferedError
from colorize_server.inference.task import Task
from colorize_server.media_types import ENCODED, PNG, RAW
from colorize_server.picture.options import PROFILES
from colorize_server.settings import Limits
from hypothesis import given
from hypothesis import strategies as st

LIMITS = Limits()
SIZES = [256, 384]
names = st.sampled_from((*COMMON, *RAW_ONLY, "model", ""))
values = st.one_of(
    st.text(max_size=12),
    st.integers(-10, 70_000).map(str),
    st.floats().map(str),
    st.sampled_from((*PROFILES, "layer", "composite", "gimp", "photoshop", "multiply", "rgba8", "doubt", "256", "16")),
)
sides = st.integers(8, 60_000)


@given(
    st.lists(st.tuples(names, values), max_size=8), st.sampled_from((RAW, *ENCODED, "multipart/form-data", "text/html"))
)
def test_any_query_is_a_task_or_an_error_in_words(pairs: list[tuple[str, str]], media_type: str) -> None:
    """Never another exception, and never a task beyond the limits."""
    refusal: ColorizeError | None = None
    try:
        task = task_from_query(pairs, media_type, "", LIMITS, SIZES)
    except ColorizeError as error:
        refusal = error
    if refusal is not None:
        assert 400 <= refusal.status < 500
        assert refusal.message.endswith(".")
        assert refusal.message.isprintable()
        return
    assert task.options.size in (None, *SIZES)
    assert 0 <= task.options.saturation <= 2
    assert (task.raw is not None) == (media_type == RAW)


@given(
    sides,
    sides,
    st.sampled_from([(profile, channels) for profile, counts in PROFILES.items() for channels in counts]),
    st.sampled_from([8, 16]),
    st.booleans(),
)
def test_a_task_survives_its_way_to_the_inference_process(
    width: int, height: int, kind: tuple[str, int], depth: int, has_hints: bool
) -> None:
    """As JSON, and its lengths follow from its parameters."""
    profile, channels = kind
    pairs = [("width", str(width)), ("height", str(height)), ("channels", str(channels)), ("depth", str(depth))]
    pairs += [("profile", profile)] + [("hints", "rgba8")] * has_hints
    if width * height > LIMITS.max_pixels:
        width, height = 8, 9
        pairs[:2] = [("width", "8"), ("height", "9")]

    task = task_from_query(pairs, RAW, "", LIMITS, SIZES)

    assert Task.from_members(json.loads(json.dumps(task.as_members()))) == task
    assert task.raw is not None
    assert task.raw.picture_bytes == width * height * channels * depth // 8
    assert task.raw.body_bytes == task.raw.picture_bytes + width * height * 4 * has_hints
    assert task.raw.answer_bytes == width * height * (4 if channels in (2, 4) else 3) * depth // 8


@given(st.sampled_from(ENCODED), st.text(max_size=40))
def test_any_accept_header_gets_a_format_that_we_write(media_type: str, accept: str) -> None:
    """PNG or TIFF."""
    assert answer_type(media_type, accept) in ("image/png", "image/tiff")


def test_a_size_that_is_not_offered_is_told_with_those_that_are() -> None:
    with pytest.raises(SizeNotOfferedError) as caught:
        task_from_query([("size", "300")], PNG, "*/*", LIMITS, SIZES)
    assert str(caught.value) == "The model was not tested at size 300. Use one of 256, 384."
