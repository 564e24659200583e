"""Evaluation with models whose answer is known: the truth, grey, and a loud one."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from colorize_server import contract
from colorize_training.data.shards import PictureStore, read_manifest, write_manifest
from colorize_training.data.splits import split_pictures
from colorize_training.errors import DataError
from colorize_training.measure import metrics, skin
from colorize_training.measure.evaluate import EvaluateOptions, card_metrics, evaluate, text_table, write_report
from colorize_training.measure.evaluation import (
    degraded_truth,
    evaluate_degradations,
    evaluate_hints,
    evaluate_rows,
    load_scenes,
    mean_training_chroma,
    summarise,
)
from colorize_training.samples.hints import uniform_hints


@dataclass
class KnownModel:
    """Knows the true chroma by the luminance it is shown; answers with it times a factor."""

    answers: dict[bytes, torch.Tensor]
    factor: float = 1.0
    multiple_of: int = 1
    pictures_seen: int = 7

    def __call__(self, luminance, hints):
        chroma = torch.stack([self.answers[plane.numpy().tobytes()] for plane in luminance])
        return chroma * self.factor, (chroma.norm(dim=1, keepdim=True) * abs(1 - self.factor))


@pytest.fixture(scope="module")
def scenes(shards):
    pictures = read_manifest(shards)[:6]
    return load_scenes(PictureStore(shards, pictures), pictures)


def _model(scenes, factor):
    answers = {}
    for scene in scenes:
        luminance = scene.lab[:1] / contract.LIGHTNESS_SCALE - 1
        answers[luminance.numpy().tobytes()] = scene.lab[1:] / contract.CHROMA_SCALE
    return KnownModel(answers, factor)


MEAN = torch.tensor([3.0, 7.0])[:, None, None]


def test_the_truth_is_perfect(scenes):
    found = summarise(evaluate_rows(_model(scenes, 1.0), scenes, MEAN))
    assert found["cosine"].value == pytest.approx(1, abs=1e-5)
    assert found["rmse"].value == pytest.approx(0, abs=1e-3)
    assert found["CIEDE2000"].value == pytest.approx(0, abs=1e-2)
    assert found["colourfulness ratio"].value == pytest.approx(1, abs=0.03)
    assert found["blotch / truth"].value == pytest.approx(1, abs=1e-4)


def test_grey_is_seen_as_grey_whatever_its_psnr(scenes):
    found = summarise(evaluate_rows(_model(scenes, 0.0), scenes, MEAN))
    assert found["cosine"].value == 0
    assert found["rmse / grey"].value == pytest.approx(1)
    assert found["colourfulness ratio"].value == pytest.approx(0, abs=0.05)
    assert found["CIEDE2000"].value == pytest.approx(found["CIEDE2000 of grey"].value, rel=0.05)


def test_too_loud_is_seen_although_the_cosine_is_perfect(scenes):
    found = summarise(evaluate_rows(_model(scenes, 2.5), scenes, MEAN))
    assert found["cosine"].value == pytest.approx(1, abs=1e-4)
    assert found["rmse / grey"].value == pytest.approx(1.5, rel=1e-3)
    assert found["blotch / truth"].value == pytest.approx(2.5, rel=1e-3)


def test_a_doubt_that_is_the_error_correlates_fully(scenes):
    found = summarise(evaluate_rows(_model(scenes, 0.5), scenes, MEAN))
    assert found["doubt correlation"].value == pytest.approx(1, abs=1e-3)
    assert abs(found["lightness correlation"].value) < 0.9


def test_intervals_hold_the_value_and_widen_with_fewer_pictures(scenes):
    rows = evaluate_rows(_model(scenes, 0.5), scenes, MEAN)
    many, few = summarise(rows * 4), summarise(rows)
    for name in many:
        assert many[name].low <= many[name].value <= many[name].high
    assert few["rmse"].high - few["rmse"].low > many["rmse"].high - many["rmse"].low


def test_hints_reach_the_model_and_counts_nest(scenes):
    asked = {}

    class Listener:
        multiple_of = 1
        pictures_seen = 0

        def __call__(self, luminance, hints):
            for plane, hint in zip(luminance, hints, strict=True):
                asked.setdefault(plane.numpy().tobytes(), []).append(float(hint[2].sum()))
            return torch.zeros_like(hints[:, :2]), torch.zeros_like(luminance)

    table = evaluate_hints(Listener(), scenes)
    assert list(table) == ["0", "1", "5", "20"]
    for coverages in asked.values():
        assert coverages[0] == 0
        assert coverages == sorted(coverages)
        assert coverages[-1] > coverages[1]


def test_a_hint_is_the_truth_at_its_place():
    # On a slope the mean over 3x3 px is the value in their middle, and no other place has it.
    slope = torch.linspace(-0.5, 0.5, 30)
    chroma = torch.stack([slope[:, None].expand(30, 30), slope[None, :].expand(30, 30)])
    before = torch.zeros(3, 30, 30)
    for count in range(1, 5):
        hints = uniform_hints(chroma, count, seed=1)
        new = (hints != before).any(dim=0)
        ys, xs = torch.where(new)
        assert len(ys) == 9
        assert (hints[2][new] == 1).all()
        true = chroma[:, ys.sum() // 9, xs.sum() // 9]
        torch.testing.assert_close(hints[:2, new], true[:, None].expand(2, 9))
        before = hints


def test_one_colour_all_over_measures_as_its_own_baseline(scenes):
    """The baselines' rows: what a model that answers grey, or the mean chroma, gets itself."""

    class Constant:
        multiple_of = 1
        pictures_seen = 0

        def __init__(self, chroma):
            self._chroma = chroma / contract.CHROMA_SCALE

        def __call__(self, luminance, hints):
            return self._chroma.expand(len(luminance), 2, *luminance.shape[-2:]), torch.ones_like(luminance)

    for name, chroma in (("grey", torch.zeros_like(MEAN)), ("mean chroma", MEAN)):
        found = summarise(evaluate_rows(Constant(chroma), scenes, MEAN))
        for measure in ("cosine", "rmse", "CIEDE2000", "CIEDE2000 on edges", "colourfulness ratio", "blotch"):
            if (measure, name) != ("cosine", "grey"):  # undefined
                baseline = found[f"{measure} of {name}"]
                assert found[measure].value == pytest.approx(baseline.value, rel=0.08, abs=0.02), (measure, name)
    assert found["CIEDE2000 on edges of grey"].value != found["CIEDE2000 on edges of mean chroma"].value


def test_a_backdrop_is_measured_against_grey_and_the_rest_against_the_photograph(scenes):
    class Grey:
        multiple_of = 1
        pictures_seen = 0

        def __call__(self, luminance, hints):
            return torch.zeros_like(hints[:, :2]), torch.zeros_like(luminance)

    true = degraded_truth(scenes[0], "studio backdrop")
    assert true[:, :9, :9].abs().max() < 0.1
    assert torch.equal(degraded_truth(scenes[0], "blur 2"), scenes[0].lab[1:])
    middle = tuple(side // 2 for side in true.shape[1:])
    torch.testing.assert_close(true[:, *middle], scenes[0].lab[1:, *middle], rtol=1e-4, atol=1e-4)
    table = evaluate_degradations(Grey(), scenes[:2])
    assert table["studio backdrop"].value < 0.95 * table["clean"].value  # grey is right there
    assert {"clean", "blur 2", "halftone", "damage"} < set(table)
    assert all(interval == table["clean"] for name, interval in table.items() if name != "studio backdrop")


def test_the_whole_report_is_written(shards, tmp_path):
    class Constant:
        multiple_of = 32
        pictures_seen = 123

        def __call__(self, luminance, hints):
            return torch.full_like(hints[:, :2], 0.1), torch.rand_like(luminance)

    options = EvaluateOptions(data=shards, split="train", pictures=3, probe_pictures=1, painter_pictures=1)
    found, measured = evaluate(Constant(), options)
    write_report(Constant(), found, measured, tmp_path)
    values = json.loads((tmp_path / "evaluation.json").read_text())
    assert values["pictures_seen"] == 123
    assert len(values["rows"]) == 6
    assert set(values["summary"]) == {"people", "scenes"}
    assert set(values["degradations"]["people"]) >= {"clean", "orthochromatic", "blur 2", "studio backdrop"}
    assert set(values["sizes"]["scenes"]) == {"256", "384", "512"}
    assert set(values["hints"]["people"]) == {"0", "1", "5", "20"}
    intervals = [*values["degradations"]["people"].values(), *values["hints"]["people"].values()]
    intervals += [interval for size in values["sizes"]["scenes"].values() for interval in size.values()]
    assert all(interval["low"] <= interval["value"] <= interval["high"] for interval in intervals)
    assert json.loads((tmp_path / "card.json").read_text()) == {k: v for k, v in values.items() if k != "rows"}
    page = (tmp_path / "evaluation.html").read_text()
    assert page.count("<img ") >= 6
    assert "cosine" in page
    assert "share of strokes that make it worse" in page
    assert "worst" in page
    assert "rows" not in card_metrics(found)
    text = text_table(found)
    for word in ("people:", "rmse of mean chroma", "studio backdrop", "512: blotch"):
        assert word in text
    assert text.count("[") == sum(len(table) for table in found.summary.values()) + 2 * (4 + 15 + 6 + 8)


def test_unknown_and_empty_splits_are_named(shards, tmp_path):
    with pytest.raises(DataError, match="There is no split"):
        evaluate(_model([], 1.0), EvaluateOptions(data=shards, split="test"))
    write_manifest(tmp_path, read_manifest(shards)[:1])
    empty = [name for name, members in split_pictures(read_manifest(tmp_path)).items() if not members]
    assert len(empty) == 2
    for name in empty:
        with pytest.raises(DataError, match=f"'{name}' holds no picture"):
            evaluate(_model([], 1.0), EvaluateOptions(data=tmp_path, split=name))


def test_the_mean_chroma_is_that_of_the_pictures(shards, scenes):
    pictures = [s.picture for s in scenes]
    expected = torch.stack([s.lab[1:].mean(dim=(1, 2)) for s in scenes]).mean(dim=0)
    assert torch.allclose(mean_training_chroma(shards, pictures)[:, 0, 0], expected, atol=1e-3)


def test_skin_that_is_blue_or_grey_is_counted(scenes):
    square = [[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]]
    tan = torch.tensor([15.0, 20.0])[:, None, None]
    found = []
    for index, (scene, answer) in enumerate(zip(scenes, (tan, tan * 0.1, tan * -1, tan, tan, tan), strict=True)):
        lab = scene.lab.clone()
        lab[0] = 20 + 12 * index
        lab[1:] = tan
        person = type(scene)(scene.picture, scene.rgb, lab)
        found.append((person, answer.expand_as(lab[1:]), square))

    def plain(rows):
        return {name: statistic(rows) for name, statistic in skin.statistics().items()}

    result = plain(skin.skin_rows(found))
    assert result["dark: grey"] == pytest.approx(0.5, abs=0.1)
    assert result["middle: wrong"] == pytest.approx(0.5, abs=0.1)
    assert result["light: wrong"] == result["light: grey"] == 0
    assert result["light: CIEDE2000"] == pytest.approx(0, abs=1e-6)
    # Nothing is exactly true in life; what is, has no ratio of differences.
    found = [(person, given + 0.1, polygons) for person, given, polygons in found]
    rows = skin.skin_rows(found)
    result = plain(rows)
    intervals = {name: metrics.bootstrap(statistic, rows) for name, statistic in skin.statistics().items()}
    assert set(intervals) == set(result)
    for name, interval in intervals.items():
        assert interval.value == pytest.approx(result[name]), name
        assert interval.low <= interval.value <= interval.high
    assert intervals["all: wrong"].low < intervals["all: wrong"].high
    assert intervals["dark: grey"].low == 0  # a resample may leave the grey one out


def test_the_outlines_cover_fifty_pictures_and_lie_inside_them():
    outlines = skin.read_outlines()
    assert len(outlines) >= 50
    for polygons in outlines.values():
        points = np.array([point for polygon in polygons for point in polygon])
        assert points.min() > 0
        assert points.max() < 1
        share = skin.mask_from_polygons(polygons, 256, 256).mean()
        assert 0.0005 < share < 0.2
