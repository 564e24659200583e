"""Evaluation with models whose answer is known: the truth, grey, and a loud one."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from colorize_server import contract
from colorize_training import skin
from colorize_training.errors import DataError
from colorize_training.evaluate import EvaluateOptions, card_metrics, evaluate, text_table, write_report
from colorize_training.evaluation import (
    evaluate_hints,
    evaluate_rows,
    load_scenes,
    mean_training_chroma,
    summarise,
)
from colorize_training.hints import uniform_hints
from colorize_training.shards import PictureStore, read_manifest


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
    chroma = torch.rand(2, 30, 30) - 0.5
    hints = uniform_hints(chroma, 3, seed=1)
    ys, xs = torch.where(hints[2] > 0)
    assert len(ys) > 9
    assert (hints[:2, ys, xs].abs() <= 0.5).all()


def test_the_whole_report_is_written(shards, tmp_path):
    class Constant:
        multiple_of = 32
        pictures_seen = 123

        def __call__(self, luminance, hints):
            return torch.full_like(hints[:, :2], 0.1), torch.rand_like(luminance)

    options = EvaluateOptions(data=shards, split="train", pictures=3, probe_pictures=1)
    found, measured = evaluate(Constant(), options)
    write_report(Constant(), found, measured, tmp_path)
    values = json.loads((tmp_path / "evaluation.json").read_text())
    assert values["pictures_seen"] == 123
    assert len(values["rows"]) == 6
    assert set(values["summary"]) == {"people", "scenes"}
    assert set(values["degradations"]["people"]) >= {"clean", "orthochromatic", "blur 2"}
    assert set(values["sizes"]["scenes"]) == {"256", "384", "512"}
    page = (tmp_path / "evaluation.html").read_text()
    assert page.count("<img ") >= 6
    assert "cosine" in page
    assert "worst" in page
    assert "rows" not in card_metrics(found)
    assert "people:" in text_table(found)


def test_unknown_and_empty_splits_are_named(shards):
    with pytest.raises(DataError, match="There is no split"):
        evaluate(_model([], 1.0), EvaluateOptions(data=shards, split="test"))


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
    result = skin.evaluate_skin(found)
    assert result["dark: grey"] == pytest.approx(0.5, abs=0.1)
    assert result["middle: wrong"] == pytest.approx(0.5, abs=0.1)
    assert result["light: wrong"] == result["light: grey"] == 0
    assert result["light: CIEDE2000"] == pytest.approx(0, abs=1e-6)


def test_the_outlines_cover_fifty_pictures_and_lie_inside_them():
    outlines = skin.read_outlines()
    assert len(outlines) >= 50
    for polygons in outlines.values():
        points = np.array([point for polygon in polygons for point in polygon])
        assert points.min() > 0
        assert points.max() < 1
        share = skin.mask_from_polygons(polygons, 256, 256).mean()
        assert 0.0005 < share < 0.2
