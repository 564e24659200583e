"""The HTML page of an evaluation: tables with intervals, and grids of input, ours, truth and doubt."""

import base64
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from colorize_training import color
from colorize_training.measure import metrics
from colorize_training.measure.evaluation import Evaluation, Scene

_STYLE: Final = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:75em;color:#222}"
    "table{border-collapse:collapse;margin:.6em 0 1.6em}td,th{padding:.2em .8em;text-align:right;"
    "border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}"
    "figure{display:inline-block;margin:.3em}figcaption{font-size:12px;color:#555}"
)
_DOUBT_WHITE: Final = 40.0
"""Expected error, a*b* units, that is drawn white."""


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["<tr>" + "".join(f"<th>{html.escape(cell)}</th>" for cell in header) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return "<table>" + "\n".join(lines) + "</table>"


def _interval_table(columns: Mapping[str, Mapping[str, metrics.Interval]], first: str = "") -> str:
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    # A set without dark pixels, say, lacks what is measured on them.
    return _table([first, *columns], [[name, *(str(columns[c].get(name, "-")) for c in columns)] for name in names])


def figure_png(scene: Scene, chroma: Tensor, doubt: Tensor) -> NDArray[np.uint8]:
    """Lay input, ours, truth and doubt side by side; (H, 4 W, 3) uint8."""
    lightness, true = scene.lab[:1], scene.lab[1:]
    grey = color.srgb8_from_lab(lightness, true * 0)
    level = (doubt[0] / _DOUBT_WHITE).clamp(0, 1).mul(255).byte().numpy()
    parts = [grey, color.srgb8_from_lab(lightness, chroma), scene.rgb, np.repeat(level[..., None], 3, axis=2)]
    return np.concatenate(parts, axis=1)


def _figure(rgb: NDArray[np.uint8], caption: str) -> str:
    buffer = io.BytesIO()
    image = Image.fromarray(rgb)
    image.thumbnail((1000, 1000))
    image.save(buffer, "JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" alt="{html.escape(caption)}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def page(evaluation: Evaluation, figures: Mapping[str, Sequence[tuple[str, NDArray[np.uint8]]]]) -> str:
    """Write the page.

    Args:
        evaluation: the numbers.
        figures: title of a grid to (caption, picture) pairs.
    """
    parts = [
        "<!doctype html><meta charset=utf-8><title>colorize-train evaluate</title>",
        f"<style>{_STYLE}</style><h1>Evaluation on the split {html.escape(evaluation.split)}</h1>",
        f"<p>{len(evaluation.rows):,} pictures; the model saw {evaluation.pictures_seen:,} in training. "
        "95 % intervals: percentile bootstrap over pictures.</p>",
        "<h2>Native aspect, short side 256 px (as shipped)</h2>",
        _interval_table(evaluation.summary),
    ]
    if evaluation.square:
        parts += ["<h2>Square, 256 x 256 px (as papers do)</h2>", _interval_table(evaluation.square)]
    for name, sizes in evaluation.sizes.items():
        parts += [f"<h2>Network size: {html.escape(name)}</h2>", _interval_table(sizes)]
    if evaluation.hints:
        parts += ["<h2>RMSE by number of hints</h2>", _interval_table(evaluation.hints, "hints")]
    if evaluation.degradations:
        parts += ["<h2>RMSE by degradation</h2>", _interval_table(evaluation.degradations, "degradation")]
    if evaluation.painter:
        parts += ["<h2>A painter's strokes</h2>", _interval_table(evaluation.painter)]
    if evaluation.skin:
        parts += ["<h2>Skin</h2>", _interval_table({f"{evaluation.skin_pictures} pictures": evaluation.skin}, "skin")]
    for title, pictures in figures.items():
        parts.append(f"<h2>{html.escape(title)}: input, ours, truth, doubt</h2>")
        parts += [_figure(rgb, caption) for caption, rgb in pictures]
    return "\n".join(parts)
