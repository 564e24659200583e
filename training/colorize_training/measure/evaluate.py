"""The command ``colorize-train evaluate``: all measures on one split, as a table, JSON and an HTML page."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from colorize_training.data.shards import Picture, PictureStore, read_manifest
from colorize_training.data.splits import SPLITS, split_pictures
from colorize_training.errors import DataError
from colorize_training.files import write_atomically
from colorize_training.measure import metrics, skin
from colorize_training.measure.evaluation import (
    Evaluation,
    Row,
    Scene,
    by_set,
    evaluate_degradations,
    evaluate_hints,
    evaluate_rows,
    evaluate_sizes,
    load_scenes,
    mean_training_chroma,
    predict_scenes,
    summarise,
)
from colorize_training.measure.painter import evaluate_painter
from colorize_training.measure.report_html import figure_png, page
from colorize_training.models.predictor import Predictor

_FIGURES: Final = 6


@dataclass(frozen=True)
class EvaluateOptions:
    """How much to measure."""

    data: Path
    split: str = "choose"  # numbers are told from "report" only; settings are chosen on "choose"
    pictures: int = 0  # of each set; 0 = all of the split
    probe_pictures: int = 150  # of each set, for sizes, hints and degradations
    painter_pictures: int = 40  # of each set, for a painter's strokes: one run of the network a stroke
    is_quick: bool = False  # the main table only


def _chosen(pictures: Sequence[Picture], limit: int) -> list[Picture]:
    """Take the first pictures of each set in a random order that depends on the manifest alone."""
    sets: dict[str, list[Picture]] = {}
    rng_order = np.random.default_rng(0).permutation(len(pictures))
    for index in rng_order:
        sets.setdefault(pictures[int(index)].set, []).append(pictures[int(index)])
    return [p for members in sets.values() for p in (members[:limit] if limit else members)]


def _of_set(scenes: Sequence[Scene], name: str, limit: int) -> list[Scene]:
    """Take ``limit`` scenes of a set, spread evenly over the sorted shapes."""
    members = [s for s in scenes if s.picture.set == name]
    picks = np.linspace(0, len(members) - 1, min(limit, len(members))).round().astype(int)
    return [members[int(i)] for i in picks]


def evaluate(predictor: Predictor, options: EvaluateOptions) -> tuple[Evaluation, list[Scene]]:
    """Measure a model on one split.

    Returns:
        The evaluation and the scenes that were measured.

    Raises:
        DataError: if the split is unknown or empty, or nothing is to be measured.
    """
    if options.split not in SPLITS:
        raise DataError(f"There is no split {options.split!r}.", f"Use one of {', '.join(SPLITS)}.")
    if not options.is_quick and options.probe_pictures < 1:
        raise DataError("No picture is left to try sizes, hints and degradations on.", "Use 1 or more, or --quick.")
    splits = split_pictures(read_manifest(options.data))
    pictures = _chosen(splits[options.split], options.pictures)
    if not pictures:
        raise DataError(f"The split {options.split!r} holds no picture.", "Prepare more photographs.")
    store = PictureStore(options.data, pictures)
    mean_chroma = mean_training_chroma(options.data, splits["train"] or pictures)
    scenes = load_scenes(store, pictures)
    found = Evaluation(predictor.pictures_seen, options.split)
    found.rows = evaluate_rows(predictor, scenes, mean_chroma)
    sets = by_set(found.rows)
    found.summary = {name: summarise(rows) for name, rows in sets.items()}
    if options.is_quick:
        return found, scenes
    square = evaluate_rows(predictor, load_scenes(store, pictures, is_square=True), mean_chroma)
    found.square = {name: summarise(rows) for name, rows in by_set(square).items()}
    for name in sets:
        probe = _of_set(scenes, name, options.probe_pictures)
        found.sizes[name] = evaluate_sizes(predictor, probe)
        found.hints[name] = evaluate_hints(predictor, probe)
        found.degradations[name] = evaluate_degradations(predictor, probe)
        found.painter[name] = evaluate_painter(predictor, _of_set(scenes, name, options.painter_pictures))
    masks = skin.masks_for(splits[options.split])
    if len(masks) >= len(skin.THIRDS):
        skin_store = PictureStore(options.data, list(masks))
        skin_scenes = load_scenes(skin_store, list(masks))
        found.skin_pictures = len(masks)
        rows = skin.skin_rows([(s, c, masks[s.picture]) for s, c, _ in predict_scenes(predictor, skin_scenes)])
        found.skin = {name: metrics.bootstrap(statistic, rows) for name, statistic in skin.statistics().items()}
    return found, scenes


def _figures(
    predictor: Predictor, scenes: Sequence[Scene], rows: Sequence[Row]
) -> dict[str, list[tuple[str, NDArray[np.uint8]]]]:
    """Draw the best, the worst and some middling pictures of each set, by cosine."""
    scene_of = {(s.picture.set, s.picture.key): s for s in scenes}
    figures: dict[str, list[tuple[str, NDArray[np.uint8]]]] = {}
    for name, members in by_set(rows).items():
        ordered = sorted(members, key=lambda row: row.cosine)
        middle = np.linspace(0, len(ordered) - 1, min(len(ordered), _FIGURES)).round().astype(int)
        picks = {
            f"{name}, worst": ordered[:_FIGURES],
            f"{name}, across the range": [ordered[int(i)] for i in middle],
            f"{name}, best": ordered[-_FIGURES:],
        }
        for title, chosen in picks.items():
            figures[title] = []
            for row in chosen:
                scene, chroma, doubt = next(iter(predict_scenes(predictor, [scene_of[row.set, row.key]])))
                caption = f"{row.key}: cosine {row.cosine:.2f}, rmse {row.mse**0.5:.1f}"
                figures[title].append((caption, figure_png(scene, chroma, doubt)))
    return figures


def write_report(predictor: Predictor, found: Evaluation, scenes: Sequence[Scene], out: Path) -> None:
    """Write ``evaluation.json``, ``evaluation.html`` and ``card.json``, what the model card holds of it.

    Raises:
        DiskError: if they cannot be written.
    """
    write_atomically(out / "evaluation.json", json.dumps(found.to_json(), indent=1).encode())
    html = page(found, _figures(predictor, scenes, found.rows))
    write_atomically(out / "evaluation.html", html.encode())
    write_atomically(out / "card.json", json.dumps(card_metrics(found)).encode())


def card_metrics(found: Evaluation) -> dict[str, object]:
    """Reduce an evaluation to what the model card holds: the summaries without the rows."""
    values = found.to_json()
    del values["rows"]
    return values


def text_table(found: Evaluation) -> str:
    """Lay the summary out as text."""
    lines = [f"split {found.split}, {len(found.rows):,} pictures, {found.pictures_seen:,} seen in training"]
    for name, summary in found.summary.items():
        lines.append(f"{name}:")
        lines += [f"  {measure:34} {value}" for measure, value in summary.items()]
    for title, table in (("RMSE by hints", found.hints), ("RMSE by degradation", found.degradations)):
        for name, values in table.items():
            first = next(iter(values.values())).value
            lines.append(f"{title} (and over that of {next(iter(values))}), {name}:")
            lines += [f"  {key:34} {value} ({value.value / first:.2f})" for key, value in values.items()]
    for name, sizes in found.sizes.items():
        lines.append(f"by size, {name}:")
        lines += [f"  {size + ': ' + measure:34} {value}" for size, v in sizes.items() for measure, value in v.items()]
    for name, values in found.painter.items():
        lines.append(f"a painter's strokes, {name}:")
        lines += [f"  {key:34} {value}" for key, value in values.items()]
    if found.skin:
        lines.append(f"skin, {found.skin_pictures} pictures:")
        lines += [f"  {measure:34} {value}" for measure, value in found.skin.items()]
    return "\n".join(lines)
