"""Evaluate a model on pictures that it never trained on, so that neither grey nor loud pictures look good.

Protocol "native": the short side resized to 256 px, aspect kept, as the server runs it.  Protocol "square": resized to
256 x 256 px, as papers do.  Baselines: grey (no chroma) and the mean chroma of the training set.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from colorize_server import contract
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from colorize_training import color
from colorize_training.data.shards import Picture, PictureStore
from colorize_training.measure import metrics
from colorize_training.models.predictor import Predictor, predict_padded
from colorize_training.samples.degrade import Backdrop, DegradePlan, backdrop_masks, degrade, draw_emulsion
from colorize_training.samples.hints import uniform_hints

SIDE_PX: Final = 256
SIZES: Final = (256, 384, 512)
HINT_COUNTS: Final = (0, 1, 5, 20)
_BATCH: Final = 8
_DOUBT_SAMPLES: Final = 4000
_SEED: Final = 20261123
_BASELINE_STRIDE: Final = 4
"""Of the pixels at which the baselines are measured: they have no detail, so that fewer will do."""


@dataclass(frozen=True)
class Scene:
    """A picture as evaluation sees it."""

    picture: Picture
    rgb: NDArray[np.uint8]  # (H, W, 3) sRGB at the protocol's size
    lab: Tensor  # (3, H, W) float32


@dataclass(frozen=True)
class Row:
    """Measures of one picture; mean squared errors in a*b* units squared.

    ``_grey`` and ``_mean`` are the baselines: no chroma, and the mean chroma of the training set.
    """

    key: str
    set: str
    cosine: float
    cosine_mean: float
    mse: float
    mse_grey: float
    mse_mean: float
    delta_e: float
    delta_e_grey: float
    delta_e_mean: float
    delta_e_edges: float
    delta_e_edges_grey: float
    delta_e_edges_mean: float
    colorfulness: float
    colorfulness_mean: float
    colorfulness_true: float
    blotch: float
    blotch_true: float
    doubt_spearman: float
    lightness_spearman: float
    unrest: float
    unrest_true: float
    neutral: float  # of dark pixels; not a number where few are dark
    neutral_true: float
    brownish: float
    brownish_true: float


@dataclass
class Evaluation:
    """Everything that evaluation found; JSON-ready through :func:`asdict`."""

    pictures_seen: int
    split: str
    rows: list[Row] = field(default_factory=list)
    summary: dict[str, dict[str, metrics.Interval]] = field(default_factory=dict)
    square: dict[str, dict[str, metrics.Interval]] = field(default_factory=dict)
    sizes: dict[str, dict[str, dict[str, metrics.Interval]]] = field(default_factory=dict)
    hints: dict[str, dict[str, metrics.Interval]] = field(default_factory=dict)
    painter: dict[str, dict[str, metrics.Interval]] = field(default_factory=dict)
    degradations: dict[str, dict[str, metrics.Interval]] = field(default_factory=dict)
    skin: dict[str, metrics.Interval] = field(default_factory=dict)
    skin_pictures: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return plain dictionaries and numbers; an interval is ``{"value", "low", "high"}``."""
        return asdict(self)


def load_scene(store: PictureStore, picture: Picture, is_square: bool = False) -> Scene:
    """Decode a picture at the protocol's size."""
    image = store.open(picture)
    width, height = image.size
    scale = SIDE_PX / min(width, height)
    size = (SIDE_PX, SIDE_PX) if is_square else (round(width * scale), round(height * scale))
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    rgb = np.array(image)
    planes = torch.from_numpy(rgb).permute(2, 0, 1)
    return Scene(picture, rgb, color.lab_from_linear(color.linear_from_srgb8(planes)))


def load_scenes(store: PictureStore, pictures: Sequence[Picture], is_square: bool = False) -> list[Scene]:
    """Decode pictures, those of equal size beside each other so that they can share a batch."""
    scenes = [load_scene(store, picture, is_square) for picture in pictures]
    return sorted(scenes, key=lambda s: (s.rgb.shape, s.picture.key))


def _batches(scenes: Sequence[Scene]) -> Iterator[list[Scene]]:
    batch: list[Scene] = []
    for scene in scenes:
        if batch and (len(batch) == _BATCH or batch[0].rgb.shape != scene.rgb.shape):
            yield batch
            batch = []
        batch.append(scene)
    if batch:
        yield batch


def predict_scenes(
    predictor: Predictor,
    scenes: Sequence[Scene],
    lightness_of: Callable[[Scene], Tensor] | None = None,
    hints_of: Callable[[Scene], Tensor] | None = None,
    size: int = SIDE_PX,
) -> Iterator[tuple[Scene, Tensor, Tensor]]:
    """Yield each scene with its chroma (2, H, W) in a*b* units and doubt (1, H, W), a*b* units, at the scene's size.

    Args:
        predictor: the model.
        scenes: as :func:`load_scenes` sorts them.
        lightness_of: the input's L* (1, H, W); the clean one if not given.
        hints_of: (3, H, W) hints; none if not given.
        size: network short side; chroma comes back at the scene's own size, area-averaged.
    """
    for batch in _batches(scenes):
        lightness = torch.stack([lightness_of(s) if lightness_of else s.lab[:1] for s in batch])
        luminance = lightness / contract.LIGHTNESS_SCALE - 1
        shape = luminance.shape[-2:]
        hints = torch.stack([hints_of(s) for s in batch]) if hints_of else torch.zeros(len(batch), 3, *shape)
        if size != SIDE_PX:
            network = [round(side * size / SIDE_PX) for side in shape]
            luminance = functional.interpolate(luminance, network, mode="bicubic", align_corners=False).clamp(-1, 1)
            hints = functional.interpolate(hints, network, mode="nearest")
        chroma, doubt = predict_padded(predictor, luminance, hints)
        if size != SIDE_PX:
            chroma = functional.interpolate(chroma, shape, mode="area")
            doubt = functional.interpolate(doubt, shape, mode="area")
        yield from zip(batch, chroma * contract.CHROMA_SCALE, doubt * contract.CHROMA_SCALE, strict=True)


def measure(scene: Scene, chroma: Tensor, doubt: Tensor, mean_chroma: Tensor) -> Row:
    """Measure one picture.

    Args:
        scene: the truth.
        chroma: (2, H, W) given a*b*.
        doubt: (1, H, W) expected error.
        mean_chroma: (2, 1, 1) mean a*b* of the training set, the second baseline.
    """
    lightness, true = scene.lab[:1], scene.lab[1:]
    grey, mean = torch.zeros_like(true), mean_chroma.expand_as(true)
    slope = metrics.sobel_magnitude(lightness[None])
    de, de_edges = metrics.delta_e(lightness, chroma, true, slope=slope)
    de_grey, de_edges_grey = metrics.delta_e(lightness, grey, true, _BASELINE_STRIDE, slope)
    de_mean, de_edges_mean = metrics.delta_e(lightness, mean, true, _BASELINE_STRIDE, slope)
    coarse = (slice(None), slice(None, None, _BASELINE_STRIDE), slice(None, None, _BASELINE_STRIDE))
    error = (chroma - true).norm(dim=0).flatten().double().numpy()
    picks = np.random.default_rng(_SEED).choice(error.size, min(_DOUBT_SAMPLES, error.size), replace=False)
    unrest, unrest_true = metrics.unrest(chroma, true)
    return Row(
        key=scene.picture.key,
        set=scene.picture.set,
        cosine=metrics.chroma_cosine(chroma, true),
        cosine_mean=metrics.chroma_cosine(mean, true),
        mse=metrics.chroma_mse(chroma, true),
        mse_grey=metrics.chroma_mse(grey, true),
        mse_mean=metrics.chroma_mse(mean, true),
        delta_e=de,
        delta_e_grey=de_grey,
        delta_e_mean=de_mean,
        delta_e_edges=de_edges,
        delta_e_edges_grey=de_edges_grey,
        delta_e_edges_mean=de_edges_mean,
        colorfulness=color.colorfulness(color.srgb8_from_lab(lightness, chroma)),
        colorfulness_mean=color.colorfulness(color.srgb8_from_lab(lightness[coarse], mean[coarse])),
        colorfulness_true=color.colorfulness(scene.rgb),
        blotch=metrics.blotch(lightness, chroma),
        blotch_true=metrics.blotch(lightness, true),
        doubt_spearman=metrics.spearman(doubt.flatten().double().numpy()[picks], error[picks]),
        lightness_spearman=metrics.spearman(lightness.flatten().double().numpy()[picks], error[picks]),
        unrest=unrest,
        unrest_true=unrest_true,
        neutral=metrics.neutral_share(lightness, chroma),
        neutral_true=metrics.neutral_share(lightness, true),
        brownish=metrics.brownish_share(lightness, chroma),
        brownish_true=metrics.brownish_share(lightness, true),
    )


def summarise(rows: Sequence[Row]) -> dict[str, metrics.Interval]:
    """Summarise the rows of one set, each number with its interval and the two baselines after it.

    One colour all over has neither blotches nor, where it is grey, colourfulness or a cosine: those baselines are zero
    by definition, or left out.
    """

    def column(*names: str) -> NDArray[np.float64]:
        return np.array([[getattr(row, name) for name in names] for row in rows])

    def mean(name: str) -> metrics.Interval:
        return metrics.bootstrap(metrics.mean_of, column(name))

    def rmse(name: str) -> metrics.Interval:
        return metrics.bootstrap(metrics.rmse_of, column(name))

    def colorfulness_ratio(name: str) -> metrics.Interval:
        ratio = column(name) / np.maximum(column("colorfulness_true"), 1.0)
        return metrics.bootstrap(metrics.median_of, ratio)

    dark = column("neutral", "neutral_true")
    dark = dark[~np.isnan(dark).any(axis=1)]
    neutral = {} if len(dark) == 0 else {"dark neutral - truth": metrics.bootstrap(metrics.difference_of_means, dark)}
    brownish = column("brownish", "brownish_true")
    zero = metrics.Interval(0.0, 0.0, 0.0)
    return {
        "cosine": mean("cosine"),
        "cosine of mean chroma": mean("cosine_mean"),
        "rmse": rmse("mse"),
        "rmse of grey": rmse("mse_grey"),
        "rmse of mean chroma": rmse("mse_mean"),
        "rmse / grey": metrics.bootstrap(metrics.rmse_ratio_of, column("mse", "mse_grey")),
        "mean-chroma rmse / grey": metrics.bootstrap(metrics.rmse_ratio_of, column("mse_mean", "mse_grey")),
        "CIEDE2000": mean("delta_e"),
        "CIEDE2000 of grey": mean("delta_e_grey"),
        "CIEDE2000 of mean chroma": mean("delta_e_mean"),
        "CIEDE2000 on edges": mean("delta_e_edges"),
        "CIEDE2000 on edges of grey": mean("delta_e_edges_grey"),
        "CIEDE2000 on edges of mean chroma": mean("delta_e_edges_mean"),
        "colourfulness ratio": colorfulness_ratio("colorfulness"),
        "colourfulness ratio of grey": zero,
        "colourfulness ratio of mean chroma": colorfulness_ratio("colorfulness_mean"),
        "blotch": mean("blotch"),
        "blotch of truth": mean("blotch_true"),
        "blotch / truth": metrics.bootstrap(metrics.mean_ratio_of, column("blotch", "blotch_true")),
        "blotch of grey": zero,
        "blotch of mean chroma": zero,
        "unrest / truth where calm": metrics.bootstrap(metrics.mean_ratio_of, column("unrest", "unrest_true")),
        **neutral,
        "dark brownish - truth": metrics.bootstrap(metrics.difference_of_means, brownish),
        "doubt correlation": metrics.bootstrap(metrics.median_of, column("doubt_spearman")),
        "lightness correlation": metrics.bootstrap(metrics.median_of, column("lightness_spearman")),
    }


def by_set(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Sort rows by picture set."""
    sets: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        sets[row.set].append(row)
    return dict(sorted(sets.items()))


def evaluate_rows(predictor: Predictor, scenes: Sequence[Scene], mean_chroma: Tensor) -> list[Row]:
    """Measure every scene without hints."""
    return [measure(s, c, d, mean_chroma) for s, c, d in predict_scenes(predictor, scenes)]


def _rmse(errors: Sequence[float]) -> metrics.Interval:
    """Join the mean squared errors of pictures."""
    return metrics.bootstrap(metrics.rmse_of, np.array(errors)[:, None])


def evaluate_sizes(predictor: Predictor, scenes: Sequence[Scene]) -> dict[str, dict[str, metrics.Interval]]:
    """Return RMSE and blotch by network size, measured at 256 px short side."""
    table = {}
    for size in SIZES:
        found = [
            (metrics.chroma_mse(c, s.lab[1:]), metrics.blotch(s.lab[:1], c))
            for s, c, _ in predict_scenes(predictor, scenes, size=size)
        ]
        table[str(size)] = {
            "rmse": _rmse([mse for mse, _ in found]),
            "blotch": metrics.bootstrap(metrics.mean_of, np.array([[b] for _, b in found])),
        }
    return table


def evaluate_hints(predictor: Predictor, scenes: Sequence[Scene]) -> dict[str, metrics.Interval]:
    """Return RMSE by number of hints (3x3 px means of the truth at seeded uniform positions)."""
    table = {}
    for count in HINT_COUNTS:

        def hints_of(scene: Scene, count: int = count) -> Tensor:
            seed = int(scene.picture.phash % 2**32)
            return uniform_hints(scene.lab[1:] / contract.CHROMA_SCALE, count, seed)

        table[str(count)] = _rmse(
            [metrics.chroma_mse(c, s.lab[1:]) for s, c, _ in predict_scenes(predictor, scenes, hints_of=hints_of)]
        )
    return table


def degradation_plans() -> dict[str, Callable[[np.random.Generator], DegradePlan]]:
    """Name the degradations that are measured apart, each at one fixed strength."""
    return {
        "clean": lambda rng: DegradePlan(),
        "panchromatic": lambda rng: DegradePlan(weights=draw_emulsion(rng, "panchromatic")),
        "orthochromatic": lambda rng: DegradePlan(weights=draw_emulsion(rng, "orthochromatic")),
        "blue-sensitive": lambda rng: DegradePlan(weights=draw_emulsion(rng, "blue-sensitive")),
        "blur 1": lambda rng: DegradePlan(blur_sigma=1.0),
        "blur 2": lambda rng: DegradePlan(blur_sigma=2.0),
        "grain 3": lambda rng: DegradePlan(grain=3.0, grain_sigma=0.6),
        "faded": lambda rng: DegradePlan(black=20.0, white=80.0),
        "dark tone": lambda rng: DegradePlan(gamma=1.35),
        "light tone": lambda rng: DegradePlan(gamma=0.75),
        "vignette": lambda rng: DegradePlan(vignette=0.4),
        "JPEG 30": lambda rng: DegradePlan(jpeg_quality=30),
        "halftone": lambda rng: DegradePlan(halftone=8.0, halftone_period=3.5),
        "damage": lambda rng: DegradePlan(damage_seed=int(rng.integers(2**31))),
        "studio backdrop": lambda rng: DegradePlan(backdrop=Backdrop(60.0, 0.4, 0.5, slope_x=20.0)),
    }


def _drawn_plan(scene: Scene, name: str) -> tuple[DegradePlan, np.random.Generator]:
    rng = np.random.default_rng([_SEED, scene.picture.phash % 2**32])
    return degradation_plans()[name](rng), rng


def degraded_lightness(scene: Scene, name: str) -> Tensor:
    """Degrade one scene on a fixed seed; (1, H, W) L*."""
    plan, rng = _drawn_plan(scene, name)
    linear = color.linear_from_srgb8(torch.from_numpy(scene.rgb).permute(2, 0, 1))[None]
    return degrade(linear, [plan], [rng], backdrop_masks([plan], *linear.shape[-2:]))[0]


def degraded_truth(scene: Scene, name: str) -> Tensor:
    """Return the a*b* that a degraded scene should get, (2, H, W): its own, but for a backdrop, which is grey."""
    plan, _ = _drawn_plan(scene, name)
    if plan.backdrop is None:
        return scene.lab[1:]
    return scene.lab[1:] * backdrop_masks([plan], *scene.lab.shape[-2:])[0]


def evaluate_degradations(predictor: Predictor, scenes: Sequence[Scene]) -> dict[str, metrics.Interval]:
    """Return RMSE under each degradation, against :func:`degraded_truth`."""
    table = {}
    for name in degradation_plans():

        def lightness_of(scene: Scene, name: str = name) -> Tensor:
            return degraded_lightness(scene, name)

        predicted = predict_scenes(predictor, scenes, lightness_of=lightness_of)
        table[name] = _rmse([metrics.chroma_mse(c, degraded_truth(s, name)) for s, c, _ in predicted])
    return table


def mean_training_chroma(store_folder: Path, pictures: Sequence[Picture], count: int = 400) -> Tensor:
    """Return the mean a*b* of (a fixed sample of) the training pictures, (2, 1, 1)."""
    picks = np.random.default_rng(_SEED).permutation(len(pictures))[:count]
    chosen = [pictures[int(i)] for i in picks]
    store = PictureStore(store_folder, chosen)
    return torch.stack([load_scene(store, p).lab[1:].mean(dim=(1, 2)) for p in chosen]).mean(dim=0)[:, None, None]
