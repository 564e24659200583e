"""Samples and batches: which picture comes at which index, how it is cut, and a prefetching loader.

Sample ``i`` of a run is a pure function of (seed, i) and the side of its crop, which the step decides: picture, crop,
degradation and hints.  That is what makes an exact resume, and equal losses on one or more processes, possible without
saving any random state.
"""

import itertools
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from colorize_server import contract
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from colorize_training import color
from colorize_training.config import DataConfig, TrainConfig, crop_side
from colorize_training.data.shards import Picture, PictureStore, read_manifest
from colorize_training.data.splits import split_pictures
from colorize_training.errors import DataError, TrainingError
from colorize_training.samples.degrade import backdrop_masks, degrade, draw_plan
from colorize_training.samples.faces import dark_faces, oversampled
from colorize_training.samples.hints import draw_hints, turn_hue
from colorize_training.samples.objects import recolour_objects
from colorize_training.samples.sitters import with_grey_backdrop

cv2.setNumThreads(0)  # its threads do not outlive the fork of the loading processes, which would wait for them

PEOPLE: Final = "people"
"""Name of the set that ``people_share`` speaks of."""


@dataclass(frozen=True)
class Batch:
    """One batch in network units; see :mod:`colorize_server.contract`."""

    luminance: Tensor  # (N, 1, H, W) of the degraded picture
    hints: Tensor  # (N, 3, H, W)
    chroma: Tensor  # (N, 2, H, W) of the clean picture
    rgb: Tensor  # (N, 3, H, W) uint8, the clean crops


class SampleOrder:
    """The order of pictures: two sets interleaved by share, each reshuffled every time it runs out.

    Args:
        others: pictures of the first set.
        people: pictures of the second set.
        people_share: share of samples from the second set, 0..1.
        seed: of the shuffles.
    """

    def __init__(self, others: Sequence[Picture], people: Sequence[Picture], people_share: float, seed: int) -> None:
        self._sets = (list(others), list(people))
        self._share = people_share if others and people else float(bool(people))
        self._seed = seed
        self._permutations: dict[tuple[int, int], NDArray[np.int64]] = {}

    def __getitem__(self, index: int) -> Picture:
        people_before, people_after = int(index * self._share), int((index + 1) * self._share)
        which = int(people_after > people_before)
        rank = people_before if which else index - people_before
        pictures = self._sets[which]
        epoch, place = divmod(rank, len(pictures))
        key = (which, epoch)
        if key not in self._permutations:
            self._permutations[key] = np.random.default_rng([self._seed, 2, which, epoch]).permutation(len(pictures))
        return pictures[int(self._permutations[key][place])]


def make_order(pictures: Sequence[Picture], config: DataConfig, seed: int, dark: Sequence[Picture] = ()) -> SampleOrder:
    """Order the training pictures of a configuration.

    Args:
        pictures: to learn from.
        config: shares of the sets.
        seed: of the shuffles.
        dark: faces with dark skin, drawn more often.

    Raises:
        DataError: if there is nothing to train on.
    """
    people = [p for p in pictures if p.set == PEOPLE]
    others = [p for p in pictures if p.set != PEOPLE]
    if not pictures:
        raise DataError("There is no picture to train on.", "Prepare a folder with more colour photographs.")
    return SampleOrder(others, oversampled(people, dark, config.dark_skin_share), config.people_share, seed)


def cut_crop(image: Image.Image, rng: np.random.Generator, config: DataConfig, crop: int) -> NDArray[np.uint8]:
    """Cut a random square crop and resize it.

    From the whole short side (reduced) to natural size, one time in five enlarged up to ``enlarge_max``.

    Args:
        image: to cut from.
        rng: of the sample.
        config: enlargement, jitter and mirroring.
        crop: side of the result, px.

    Returns:
        (crop, crop, 3) uint8 sRGB.
    """
    width, height = image.size
    short = min(width, height)
    is_enlarged = rng.random() < 0.2
    side = crop / rng.uniform(1.0, config.enlarge_max) if is_enlarged else rng.uniform(min(crop, short), short)
    side = min(side, short)
    jitter = 1 + rng.uniform(-config.aspect_jitter, config.aspect_jitter)
    box_w, box_h = min(side * jitter**0.5, width), min(side / jitter**0.5, height)
    left, top = rng.uniform(0, width - box_w), rng.uniform(0, height - box_h)
    resized = image.resize((crop, crop), Image.Resampling.BICUBIC, box=(left, top, left + box_w, top + box_h))
    pixels = np.asarray(resized)
    if config.flip and rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def training_pictures(folder: Path, config: DataConfig) -> list[Picture]:
    """List the pictures that a run may learn from."""
    pictures = read_manifest(folder)
    return split_pictures(pictures)["train"] if config.has_splits else pictures


class Samples:
    """Make batches of a configuration from a shard folder."""

    def __init__(self, folder: Path, config: TrainConfig, pictures: Sequence[Picture] | None = None) -> None:
        chosen = training_pictures(folder, config.data) if pictures is None else pictures
        self.config = config
        self.pictures = list(chosen)
        self._store = PictureStore(folder, chosen)
        dark = dark_faces(self._store, chosen) if config.data.dark_skin_share > 0 else []
        self._order = make_order(chosen, config.data, config.seed, dark)

    def batch(self, indices: Sequence[int], side: int = 0) -> Batch:
        """Make the batch of the given sample indices.

        Args:
            indices: of the samples.
            side: of the crops, px; 0 = as they are at the start of the run.
        """
        side = side or self.config.data.crop_px
        rngs = [np.random.default_rng([self.config.seed, 3, index]) for index in indices]
        crops = np.stack([self._crop(self._order[i], rng, side) for i, rng in zip(indices, rngs, strict=True)])
        return batch_from_crops(crops, rngs, self.config)

    def _crop(self, picture: Picture, rng: np.random.Generator, side: int) -> NDArray[np.uint8]:
        image, config = self._store.open(picture), self.config.data
        if picture.set == PEOPLE and config.grey_backdrop > 0 and rng.random() < config.grey_backdrop:
            image = Image.fromarray(with_grey_backdrop(np.array(image), rng))
        return cut_crop(image, rng, config, side)


def batch_from_crops(crops: NDArray[np.uint8], rngs: list[np.random.Generator], config: TrainConfig) -> Batch:
    """Degrade crops and simulate hints.

    Args:
        crops: (N, H, W, 3) uint8 sRGB.
        rngs: one generator a sample.
        config: degradations and hints.
    """
    rgb = torch.from_numpy(crops).permute(0, 3, 1, 2).contiguous()
    linear = color.linear_from_srgb8(rgb)
    lab = color.lab_from_linear(linear)
    chroma = lab[:, 1:] / contract.CHROMA_SCALE
    plans = [draw_plan(rng, config.degrade) for rng in rngs]
    masks = backdrop_masks(plans, *rgb.shape[-2:])
    if any(plan.backdrop for plan in plans):
        chroma = chroma * masks
    lightness = degrade(linear, plans, rngs, masks)
    hints = torch.zeros(len(rngs), contract.CHANNELS[contract.INPUT_HINTS], *rgb.shape[-2:])
    for i, rng in enumerate(rngs):
        local = None
        if rng.random() < config.hints.local:
            truth, local = recolour_objects(lab[i, 0].numpy(), chroma[i].numpy(), rng)
            chroma[i] = torch.from_numpy(truth)
        drawn = draw_hints(chroma[i].numpy(), rng, config.hints)
        if local is not None:  # an object's own dabs lie on top
            drawn = np.where(local[2:] > 0, local, drawn)
        if not drawn[2].any():
            continue
        hints[i] = torch.from_numpy(drawn)
        if rng.random() < config.hints.recolour:
            # The painter's colour is not always the likely one: turn truth and hints alike, so that hints are obeyed.
            angle = float(rng.uniform(-np.pi, np.pi))
            chroma[i] = turn_hue(chroma[i], angle)
            hints[i, :2] = turn_hue(hints[i, :2], angle)
    return Batch(lightness / contract.LIGHTNESS_SCALE - 1, hints, chroma, rgb)


def batch_indices(seen: int, batch: int, rank: int = 0) -> list[int]:
    """List the sample indices of one process in the step after so many pictures; the processes' are consecutive."""
    first = seen + rank * batch
    return list(range(first, first + batch))


class _Steps(Dataset[Batch | TrainingError]):
    """The batches of one process, by the pictures that all processes have seen before.

    An error is returned: what a loading process raises, PyTorch raises again as another one, without its words.
    """

    def __init__(self, samples: Samples, batch: int, rank: int) -> None:
        self._samples, self._batch, self._rank = samples, batch, rank

    def __getitem__(self, seen: int) -> Batch | TrainingError:
        side = crop_side(self._samples.config, seen)  # the same in every process
        try:
            return self._samples.batch(batch_indices(seen, self._batch, self._rank), side)
        except TrainingError as error:
            return error


def _start_worker(_index: int) -> None:
    torch.set_num_threads(1)
    # Signals go to the whole process group; the training process decides when to stop, and its end ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def batches(
    samples: Samples, seen: int, batch: int, rank: int = 0, world: int = 1, workers: int = 1
) -> Iterator[Batch]:
    """Yield the batches of the steps to come, prepared ahead in other processes.

    Processes, not threads: array work in a second thread has an OpenMP team of its own, and the two teams' spinning
    cost two thirds of the speed on two cores.

    Args:
        samples: where batches come from.
        seen: pictures of this stage seen before; a run may go on with other processes or another batch size.
        batch: samples of this process in a step.
        rank: of this process.
        world: number of processes.
        workers: loading processes; 0 prepares batches in this one.

    Raises:
        DataError: if a picture or a shard is damaged.
    """
    loader: DataLoader[Batch | TrainingError] = DataLoader(
        _Steps(samples, batch, rank),
        sampler=itertools.count(seen, batch * world),  # endless: the caller decides when to stop
        batch_size=None,
        num_workers=workers,
        prefetch_factor=3 if workers else None,
        worker_init_fn=_start_worker,
    )
    for found in loader:
        if isinstance(found, TrainingError):
            raise found
        yield found
