"""Strokes as lines: read, drawn, erased; and the anchoring near them."""

import itertools

import numpy as np
import pytest
from colorize_server.errors import HintsError
from colorize_server.picture.hints import SPREAD_STEPS, anchor_at_network_size
from colorize_server.picture.strokes import MAX_POINTS, MAX_STROKES, Stroke, draw, strokes_from_members
from hypothesis import given, settings
from hypothesis import strategies as st

RED, BLUE = (200, 30, 20), (20, 40, 190)
shares = st.floats(-0.5, 1.5)
strokes = st.builds(
    Stroke,
    st.one_of(st.none(), st.tuples(*[st.integers(0, 255)] * 3)),
    st.floats(1e-4, 0.3),
    st.floats(0, 1),
    st.lists(st.tuples(shares, shares), min_size=1, max_size=6).map(tuple),
)


def distances(stroke: Stroke, height: int, width: int) -> np.ndarray:
    """Return each pixel centre's distance from a stroke's line, by sampling the line densely."""
    points = np.array(stroke.points) * (width, height)
    dense = [points[:1]]
    for first, last in itertools.pairwise(points):
        dense.append(first + np.linspace(0, 1, 400)[:, None] * (last - first))
    line = np.concatenate(dense)
    y, x = np.mgrid[:height, :width] + 0.5
    return np.sqrt(((x[..., None] - line[:, 0]) ** 2 + (y[..., None] - line[:, 1]) ** 2).min(axis=-1))


def test_a_hard_stroke_is_a_line_of_its_width() -> None:
    stroke = Stroke(RED, 0.1, 0.0, ((0.2, 0.3), (0.7, 0.6)))
    layer = draw([stroke], 60, 80)
    away = distances(stroke, 60, 80)
    assert (layer[away < 7.4, 3] == 255).all()
    assert (layer[away > 8.6, 3] == 0).all()
    assert (layer[layer[..., 3] > 0, :3] == RED).all()


def test_a_soft_stroke_fades_from_its_line() -> None:
    stroke = Stroke(RED, 0.25, 1.0, ((0.5, 0.5),))
    alpha = draw([stroke], 81, 81)[40, :, 3].astype(int)
    assert alpha[40] > 245
    assert (np.diff(alpha[40:62]) < 0).all()


@settings(max_examples=60, deadline=None)
@given(stroke=strokes.filter(lambda s: s.colour is not None), height=st.integers(8, 50), width=st.integers(8, 50))
def test_coverage_depends_on_the_distance_alone(stroke: Stroke, height: int, width: int) -> None:
    radius = max(stroke.radius * max(height, width), 0.5)
    edge = max(1.0, stroke.softness * radius)
    expected = 255 * np.clip((radius + 0.5 - distances(stroke, height, width)) / edge, 0, 1)
    # Points nearer to each other than a tenth of the radius may be left out.
    assert np.abs(draw([stroke], height, width)[..., 3] - expected).max() <= 1 + 255 * (0.12 * radius + 0.1) / edge


def test_later_strokes_lie_above_and_an_eraser_takes_away() -> None:
    below = Stroke(RED, 0.5, 0.0, ((0.5, 0.5),))
    above = Stroke(BLUE, 0.1, 0.0, ((0.5, 0.5),))
    layer = draw([below, above, Stroke(None, 0.05, 0.0, ((0.2, 0.5),))], 40, 40)
    assert tuple(layer[20, 20]) == (*BLUE, 255)
    assert tuple(layer[5, 20]) == (*RED, 255)
    assert layer[20, 8, 3] == 0


@settings(max_examples=40, deadline=None)
@given(drawn=st.lists(strokes, max_size=4))
def test_what_is_sent_as_json_comes_back(drawn: list[Stroke]) -> None:
    members = [
        {
            "colour": None if s.colour is None else list(s.colour),
            "radius": s.radius,
            "softness": s.softness,
            "points": [list(p) for p in s.points],
        }
        for s in drawn
    ]
    assert strokes_from_members(members) == drawn


def test_strokes_have_bounds() -> None:
    one = {"colour": None, "radius": 0.1, "softness": 0, "points": [[0.5, 0.5]]}
    for members in (
        [one] * (MAX_STROKES + 1),
        [{**one, "points": [[0.5, 0.5]] * MAX_POINTS}, one],
        [{**one, "colour": [True, 0, 0]}],
        [{**one, "more": 1}],
        [{**one, "points": [[0.5, 1e9]]}],
    ):
        with pytest.raises(HintsError):
            strokes_from_members(members)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), row=st.integers(0, 149), column=st.integers(0, 199))
def test_a_correction_stays_as_it_was_beyond_its_reach(seed: int, row: int, column: int) -> None:
    """What is left out of the diffusion is what it never reached: far away the network's colours are untouched."""
    random = np.random.default_rng(seed)
    chroma = random.normal(0, 20, (2, 150, 200)).astype(np.float32)
    hints = np.zeros((4, 150, 200), np.float32)
    hints[:, row, column] = (0.3, -0.2, 1, 1)
    anchored = anchor_at_network_size(chroma, hints, np.full((150, 200), 50, np.float32))
    far = np.abs(np.arange(150)[:, None] - row) + np.abs(np.arange(200) - column) > SPREAD_STEPS
    assert np.array_equal(anchored[:, far], chroma[:, far])
    assert np.allclose(anchored[:, row, column], (33, -22), atol=1.5)
