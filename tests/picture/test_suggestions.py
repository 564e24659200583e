"""Suggestions: from what the model says of a place to the colours that a painter is shown."""

import numpy as np
import pytest
from colorize_server.color.difference import ciede2000
from colorize_server.color.rgb import SRGB
from colorize_server.contract import CHROMA_SCALE, SUGGESTIONS
from colorize_server.errors import BadRequestError, NoSuggestionsError
from colorize_server.picture.colorizer import Colorizer
from colorize_server.picture.options import check_places
from colorize_server.picture.photograph import Photograph, profile_by_name
from colorize_server.picture.suggestions import ALIKE, LEAST_SHARE, MOST_USED, SAME, swatches, used_colours
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

NOTHING = np.empty((0, 2), np.float32)


def said(*colours: tuple[float, float, float]) -> np.ndarray:
    """What a model says of a place: a*, b* and share, as the contract has them."""
    return np.array(colours, np.float32) / np.array([CHROMA_SCALE, CHROMA_SCALE, 1], np.float32)


def strokes(*colours: tuple[int, int, int], alpha: int = 255, side: int = 40) -> np.ndarray:
    """A column of stripes, the first the broadest, on transparent ground."""
    hints = np.zeros((side, side, 4), np.uint8)
    top = 0
    for number, colour in enumerate(colours):
        height = len(colours) - number
        hints[top : top + height, :10] = (*colour, alpha)
        top += height
    return hints


@settings(deadline=None)
@given(
    chroma=arrays(np.float32, (7, 2), elements=st.floats(-1, 1, width=32)),
    weights=arrays(np.float32, 7, elements=st.floats(0.0, 1, width=32)),
    lightness=st.floats(0, 100, width=32),
    used=arrays(np.float32, (4, 2), elements=st.floats(-100, 100, width=32)),
)
def test_whatever_a_model_says_comes_out_as_colours_that_can_be_told_apart(
    chroma: np.ndarray, weights: np.ndarray, lightness: float, used: np.ndarray
) -> None:
    shares = weights / max(1.0, float(weights.sum()))
    found = swatches(np.concatenate([chroma, shares[:, None]], axis=1), lightness, used)
    assert len(found) <= SUGGESTIONS
    assert sum(one.share for one in found) <= 1 + 1e-3
    assert [one.is_used for one in found] == sorted((one.is_used for one in found), reverse=True)
    for group in (True, False):
        of_group = [one.share for one in found if one.is_used is group]
        assert of_group == sorted(of_group, reverse=True)
    for one in found:
        assert one.lab[0] == pytest.approx(lightness, abs=0.01)
        assert SRGB.lab_from_encoded(np.array(one.srgb) / 255)[0] == pytest.approx(lightness, abs=0.5)
    for number, one in enumerate(found):
        for other in found[:number]:
            if not (one.is_used and other.is_used):
                assert ciede2000(np.array(one.lab), np.array(other.lab)) >= ALIKE - 0.1


def test_a_colour_that_srgb_does_not_have_there_loses_chroma_and_keeps_its_hue() -> None:
    (found,) = swatches(said((80, 60, 0.5)), 90.0, NOTHING)
    assert np.hypot(*found.lab[1:]) < 40
    assert found.lab[2] / found.lab[1] == pytest.approx(60 / 80, abs=0.01)


def test_what_looks_alike_is_one_colour_with_the_share_of_all() -> None:
    found = swatches(said((20, 20, 0.3), (21, 22, 0.2), (-30, 0, 0.1), (0, 0, LEAST_SHARE / 2)), 60.0, NOTHING)
    assert [one.share for one in found] == [pytest.approx(0.5), pytest.approx(0.1)]
    assert found[0].lab[1:] == (20, 20)


def test_in_the_dark_few_colours_are_left() -> None:
    dark = said((0, 0, 0.5), (10, 10, 0.2), (-10, 10, 0.1), (0, -20, 0.1))
    assert len(swatches(dark, 50.0, NOTHING)) == 4
    assert len(swatches(dark, 2.0, NOTHING)) <= 2
    assert len(swatches(dark, 0.0, NOTHING)) == 1


def test_used_colours_come_first_the_likeliest_of_them_before_the_others() -> None:
    used = np.array([(60, 0), (-40, 10), (21, 19), (0, -50)], np.float32)
    found = swatches(said((0, 0, 0.5), (20, 20, 0.3), (0, -48, 0.1)), 60.0, used)
    assert [one.is_used for one in found] == [True] * MOST_USED + [False]
    assert found[0].lab[1:] == (21, 19)
    assert [one.share for one in found] == [pytest.approx(share) for share in (0.3, 0.1, 0, 0.5)]


def test_the_colours_of_strokes_are_found_whatever_their_number_of_pixels() -> None:
    colours = [(200, 30, 40), (40, 60, 200), (128, 128, 128)]
    found = used_colours(strokes(*colours))
    assert found == pytest.approx(SRGB.lab_from_encoded(np.array(colours) / 255)[:, 1:], abs=0.01)


def test_faint_strokes_and_none_at_all_are_no_colours() -> None:
    assert used_colours(None).shape == (0, 2)
    assert used_colours(strokes((200, 30, 40), alpha=100)).shape == (0, 2)


def test_shades_of_one_stroke_are_one_colour() -> None:
    rng = np.random.default_rng(0)
    hints = np.zeros((64, 64, 4), np.uint8)
    hints[:30, :10, :3] = np.array([180, 60, 60]) + rng.integers(-6, 7, (30, 10, 3))
    hints[:30, :10, 3] = 255
    found = used_colours(hints)
    assert len(found) == 1
    assert np.hypot(*(found[0] - SRGB.lab_from_encoded(np.array([180, 60, 60]) / 255)[1:])) < SAME


def test_places_are_counted_from_nought() -> None:
    check_places([(0, 0), (9, 4)], 10, 5)
    for place in ((10, 0), (0, 5), (-1, 0)):
        with pytest.raises(BadRequestError, match="10 by 5 pixels"):
            check_places([place], 10, 5)


def test_a_model_without_suggestions_says_so(colorizer: Colorizer) -> None:
    photograph = Photograph(np.full((40, 60, 1), 128, np.uint8), profile_by_name("srgb", 1))
    with pytest.raises(NoSuggestionsError, match="tiny 1 suggests no colours"):
        colorizer.suggest(photograph, [(1, 1)])
