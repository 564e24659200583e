"""From a photograph to colour: the one place where the picture path is put together.

Full-resolution work goes in strips over a few threads (numpy releases the interpreter lock), so memory stays bounded
by the network's planes and a strip per thread, whatever the size of the scan.
"""

import os
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..backends import Backend
from ..color.cie import lab_from_relative_xyz, relative_xyz_from_lab
from ..color.rgb import SRGB
from ..contract import CHROMA_SCALE, LIGHTNESS_SCALE
from ..model import Model
from .control import Control
from .geometry import NetworkPlan, pad_by_reflection, plan_network
from .hints import Rgba, anchor_at_network_size, anchor_rows, check_hints, network_hints, without_faint_strokes
from .join import Joiner, output_space
from .options import Options
from .photograph import Photograph, Pixels
from .recipe import Recipe, quantized
from .reduce import reduce_area
from .upsample import JointUpsampler, enlarge_linear

Planes: TypeAlias = NDArray[np.float32]

DOUBT_FULL_SCALE: Final = 40.0
"""C*; doubt of this size is white in the doubt picture (PROTOCOL.md)."""
MAX_THREADS: Final = 8
"""Strip workers; beyond this memory bandwidth, not arithmetic, is the limit."""
_TRANSPARENT_LIGHTNESS: Final = 50.0
"""L* that the network sees where the picture is transparent: its input is 0 there."""
_SHARE_REDUCE, _SHARE_NETWORK = 0.1, 0.5
"""Where the progress stands after the reduction and after the network."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds that the steps of one picture took.

    Attributes:
        network_ms: the generator's forward pass.
        picture_ms: everything else, from pixels to pixels.
    """

    network_ms: float
    picture_ms: float


@dataclass(frozen=True, slots=True)
class Generated:
    """What the network said about one photograph.

    Attributes:
        recipe: its chroma, and the strokes that it was given.
        lightness: (h, w) float32, L* of the photograph at network size.
        hint_planes: the strokes at network size, see `network_hints`; None for none.
        doubt: (h, w) float32, C* at network size.
        network_ms: milliseconds of the generator's forward pass.
    """

    recipe: Recipe
    lightness: Planes
    hint_planes: Planes | None
    doubt: Planes
    network_ms: float


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Colorizer:
    """Colours photographs with one model; one picture at a time.

    Args:
        backend: runs the generator.
        model: its card says which sizes may be used.
        threads: strip workers; None takes one for each core, up to `MAX_THREADS`.
    """

    def __init__(self, backend: Backend, model: Model, *, threads: int | None = None) -> None:
        self._backend = backend
        self._card = model.card
        self._threads = min(threads or usable_cores(), MAX_THREADS)
        self._executor: Executor = ThreadPoolExecutor(self._threads, thread_name_prefix="strips")

    def close(self) -> None:
        """End the worker threads; the backend is the caller's."""
        self._executor.shutdown(cancel_futures=True)

    def warm_up(self) -> None:
        """Do one forward pass of the smallest size, so that the first picture does not wait for it."""
        side = -(-self._card.sizes[0] // self._card.multiple_of) * self._card.multiple_of
        self._backend.run(np.zeros((1, 1, side, side), np.float32), np.zeros((1, 3, side, side), np.float32))

    def colorize(
        self,
        photograph: Photograph,
        options: Options,
        *,
        hints: Rgba | None = None,
        out: Pixels | None = None,
        doubt_out: NDArray[np.uint8] | None = None,
        control: Control | None = None,
        keep_profile: bool = True,
    ) -> tuple[Pixels, Timings]:
        """Colour one photograph.

        Args:
            photograph: the photograph.
            options: what is wanted.
            hints: (height, width, 4) uint8, sRGB, straight alpha: strokes of colour; None for none.
            out: (height, width, 3), or 4 where the photograph has alpha, of its dtype: written to; None allocates it.
            doubt_out: (height, width) uint8, written to: level 255 = `DOUBT_FULL_SCALE`; None for none.
            control: progress and cancellation.
            keep_profile: the result is in the photograph's own RGB space (raw pixels); else in sRGB (files).

        Returns:
            The finished pixels (`out`), and how long it took.

        Raises:
            PictureError, HintsError, SizeNotOfferedError: the request makes no sense.
            CancelledError: `control` was cancelled.
            BackendError, OutOfMemoryError: the generator failed.
        """
        control = control or Control()
        began = time.perf_counter()
        generated = self.generate(photograph, options, hints=hints, control=control)
        control.report(_SHARE_NETWORK)
        out = self.lay(
            photograph, options, generated, out=out, doubt_out=doubt_out, control=control, keep_profile=keep_profile
        )
        return out, Timings(generated.network_ms, 1000 * (time.perf_counter() - began) - generated.network_ms)

    def generate(
        self, photograph: Photograph, options: Options, *, hints: Rgba | None = None, control: Control | None = None
    ) -> Generated:
        """Ask the network about a photograph.

        Args:
            photograph: the photograph.
            options: of these the network's size counts.
            hints: see `colorize`.
            control: progress and cancellation.

        Raises:
            See `colorize`.
        """
        control = control or Control()
        height, width = photograph.height, photograph.width
        size = self._card.check_size(options.size)
        plan = plan_network(height, width, size, self._card.multiple_of)
        if hints is not None:
            check_hints(hints, height, width)
            if not hints[..., 3].any():
                hints = None
        low = self._network_lightness(photograph, (plan.network_height, plan.network_width), control)
        hint_planes = self._hint_planes(hints, low.shape, control)
        control.report(_SHARE_REDUCE)
        began = time.perf_counter()
        chroma, doubt = self._run(low, hint_planes, plan, control)
        network_ms = 1000 * (time.perf_counter() - began)
        chroma = quantized(chroma * np.float32(CHROMA_SCALE * self._card.saturation))
        return Generated(Recipe(width, height, size, chroma, hints), low, hint_planes, doubt, network_ms)

    def recall(self, photograph: Photograph, recipe: Recipe, *, control: Control | None = None) -> Generated:
        """Return what the network said about a photograph (which may have been mended since), from its recipe."""
        control = control or Control()
        low = self._network_lightness(photograph, recipe.chroma.shape[1:], control)
        return Generated(recipe, low, self._hint_planes(recipe.hints, low.shape, control), np.zeros_like(low), 0.0)

    def lay(
        self,
        photograph: Photograph,
        options: Options,
        generated: Generated,
        *,
        out: Pixels | None = None,
        doubt_out: NDArray[np.uint8] | None = None,
        control: Control | None = None,
        keep_profile: bool = True,
    ) -> Pixels:
        """Lay a photograph's colours from what the network said about it.

        Args:
            photograph: the photograph.
            options: what is wanted; the network's size does not count any more.
            generated: from `generate` or `recall`.
            out: see `colorize`.
            doubt_out: see `colorize`.
            control: see `colorize`.
            keep_profile: see `colorize`.

        Returns:
            The finished pixels (`out`).

        Raises:
            CancelledError: `control` was cancelled.
        """
        control = control or Control()
        height, width = photograph.height, photograph.width
        channels = 4 if photograph.has_alpha else 3
        if out is None:
            out = np.empty((height, width, channels), photograph.pixels.dtype)
        if out.shape != (height, width, channels) or out.dtype != photograph.pixels.dtype:
            raise ValueError(f"out must be {(height, width, channels)} {photograph.pixels.dtype}")
        low, hints = generated.lightness, generated.recipe.hints
        chroma = generated.recipe.chroma * np.float32(options.saturation)
        if generated.hint_planes is not None:
            chroma = anchor_at_network_size(chroma, generated.hint_planes, low)
        joiner = Joiner(photograph, options, output_space(photograph, keep_profile=keep_profile))
        if joiner.white == "D50":
            chroma = _chroma_for_d50(low, chroma)
        self._finish(photograph, low, chroma, generated.doubt, joiner, hints, out, doubt_out, control)
        return out

    def _hint_planes(self, hints: Rgba | None, shape: tuple[int, ...], control: Control) -> Planes | None:
        if hints is None:
            return None
        return network_hints(hints, (shape[0], shape[1]), executor=self._executor, control=control)

    def _network_lightness(self, photograph: Photograph, small: tuple[int, ...], control: Control) -> Planes:
        def read(start: int, stop: int) -> Planes:
            lightness = photograph.lightness(start, stop)
            alpha = photograph.alpha(start, stop)
            if alpha is not None:
                lightness = _TRANSPARENT_LIGHTNESS + (lightness - _TRANSPARENT_LIGHTNESS) * alpha
            return lightness[None]

        shape = (photograph.height, photograph.width)
        reduced: Planes = reduce_area(read, shape, (small[0], small[1]), 1, executor=self._executor, control=control)[0]
        return reduced

    def _run(
        self, low: Planes, hint_planes: Planes | None, plan: NetworkPlan, control: Control
    ) -> tuple[Planes, Planes]:
        padded = (plan.padded_height, plan.padded_width)
        luminance = pad_by_reflection(low / np.float32(LIGHTNESS_SCALE) - 1, *padded)[None, None]
        if hint_planes is None:
            hints = np.zeros((1, 3, *padded), np.float32)
        else:
            hints = pad_by_reflection(without_faint_strokes(hint_planes), *padded)[None]
        control.on_cancel(self._backend.cancel)
        control.check()
        chroma, doubt = self._backend.run(luminance, hints)
        control.check()
        h, w = plan.network_height, plan.network_width
        return chroma[0, :, :h, :w].copy(), doubt[0, 0, :h, :w] * np.float32(CHROMA_SCALE)

    def _finish(
        self,
        photograph: Photograph,
        low: Planes,
        chroma: Planes,
        doubt: Planes,
        joiner: Joiner,
        hints: Rgba | None,
        out: Pixels,
        doubt_out: NDArray[np.uint8] | None,
        control: Control,
    ) -> None:
        """Enlarge, join and write, strip by strip."""
        height, width = photograph.height, photograph.width
        upsampler = JointUpsampler(low, chroma, height, width)
        strips = upsampler.strips()
        rows_done = 0

        def work(part: list[tuple[int, int]]) -> int:
            worker = upsampler.worker()
            for start, stop in part:
                control.check()
                lightness = photograph.lightness(start, stop, white=joiner.white)
                a, b = worker.enlarge(lightness, start)
                if hints is not None:
                    anchor_rows(a, b, hints[start:stop], white=joiner.white)
                for c, plane in enumerate(joiner.pixels(start, stop, lightness, a, b)):
                    out[start:stop, :, c] = plane
                if photograph.has_alpha:
                    out[start:stop, :, 3] = photograph.pixels[start:stop, :, -1]
                if doubt_out is not None:
                    level = enlarge_linear(doubt, (height, width), start, stop) * np.float32(255 / DOUBT_FULL_SCALE)
                    doubt_out[start:stop] = np.clip(level + np.float32(0.5), 0, 255).astype(np.uint8)
            return part[-1][1] - part[0][0]

        per_part = max(1, len(strips) // (self._threads * 16))
        parts = [strips[i : i + per_part] for i in range(0, len(strips), per_part)]
        for done in [self._executor.submit(work, part) for part in parts]:
            rows_done += done.result()
            control.report(_SHARE_NETWORK + (1 - _SHARE_NETWORK) * rows_done / height)


def _chroma_for_d50(lightness: Planes, chroma: Planes) -> Planes:
    """Return (2, h, w) a*b* relative to D50 of the colours that (L*, a*b*) relative to D65 name, by way of sRGB."""
    lab = np.stack([lightness, *chroma], axis=-1)
    linear = relative_xyz_from_lab(lab) @ np.linalg.inv(SRGB.to_relative_xyz).T.astype(np.float32)
    d50 = lab_from_relative_xyz(linear @ SRGB.to_relative_xyz_d50.T.astype(np.float32))
    return np.ascontiguousarray(np.moveaxis(d50[..., 1:], -1, 0))
