"""From a photograph to colour: the one place where the picture path is put together.

Full-resolution work goes in strips over a few threads (numpy releases the interpreter lock), so memory stays bounded
by the network's planes and a strip per thread, whatever the size of the scan.
"""

import os
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ..backends import Backend
from ..color.rgb import lab_d50_from_d65
from ..contract import CHROMA_SCALE, COLOURS_STRIDE, LIGHTNESS_SCALE
from ..errors import NoSuggestionsError
from ..model import Model
from .control import Control
from .exchange import Generated, Planes, Question, Seen, Timings
from .geometry import pad_by_reflection, plan_network
from .hints import Rgba, anchor_at_network_size, anchor_rows, check_hints, network_hints, without_faint_strokes
from .join import Joiner, output_space
from .options import Options, check_places
from .photograph import Photograph, Pixels
from .recipe import Recipe, quantized
from .reduce import reduce_area
from .suggestions import Place, swatches, used_colours
from .upsample import JointUpsampler, enlarge_linear

if TYPE_CHECKING:
    from ..backends.onnxruntime_backend import OnnxRuntimeBackend

DOUBT_FULL_SCALE: Final = 40.0
"""C*; doubt of this size is white in the doubt picture (PROTOCOL.md)."""
MAX_THREADS: Final = 8
"""Strip workers; beyond this memory bandwidth, not arithmetic, is the limit."""
_TRANSPARENT_LIGHTNESS: Final = 50.0
"""L* that the network sees where the picture is transparent: its input is 0 there."""
_SHARE_REDUCE, _SHARE_NETWORK = 0.1, 0.5
"""Where the progress stands after the reduction and after the network."""


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Colorizer:
    """Colours photographs with one model; one picture at a time.

    Args:
        backend: runs the generator.
        model: its card says which sizes may be used.
        threads: strip workers; None takes one for each core, up to `MAX_THREADS`.

    Attributes:
        model: that it colours with.
    """

    def __init__(self, backend: Backend, model: Model, *, threads: int | None = None) -> None:
        self._backend = backend
        self.model = model
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
        seen = self.look(photograph, options.size, control)
        if hints is not None:
            check_hints(hints, photograph.height, photograph.width)
        control.report(_SHARE_REDUCE)
        return self.react(seen, hints, control)

    def look(self, photograph: Photograph, size: int | None, control: Control) -> Seen:
        """Look at a photograph as the network does.

        Args:
            photograph: the photograph.
            size: the network's short side in pixels; None takes the model's default.
            control: cancellation.

        Raises:
            PictureError, SizeNotOfferedError, CancelledError: see `colorize`.
        """
        plan = plan_network(photograph.height, photograph.width, self._card.check_size(size), self._card.multiple_of)
        return Seen(plan, self.lightness_at(photograph, (plan.network_height, plan.network_width), control))

    def react(self, seen: Seen, hints: Rgba | None, control: Control) -> Generated:
        """Ask the network about a photograph that it has looked at.

        Args:
            seen: from `look`.
            hints: (any height, any width, 4) uint8 of the photograph's shape, strokes of colour; None for none.
            control: cancellation.

        Raises:
            CancelledError, BackendError, OutOfMemoryError: see `colorize`.
        """
        asked = self._question(seen, hints, control)
        control.on_cancel(self._backend.cancel)
        control.check()
        began = time.perf_counter()
        padded_chroma, padded_doubt = self._backend.run(asked.luminance, asked.network_hints)
        network_ms = 1000 * (time.perf_counter() - began)
        control.check()
        h, w = seen.lightness.shape
        chroma = quantized(padded_chroma[0, :, :h, :w] * np.float32(CHROMA_SCALE * self._card.saturation))
        doubt = padded_doubt[0, 0, :h, :w] * np.float32(CHROMA_SCALE)
        recipe = Recipe(seen.plan.width, seen.plan.height, seen.plan.size, chroma, asked.hints)
        return Generated(recipe, seen.lightness, asked.hint_planes, doubt, network_ms)

    def suggest(
        self,
        photograph: Photograph,
        places: Sequence[tuple[int, int]],
        *,
        hints: Rgba | None = None,
        control: Control | None = None,
    ) -> tuple[list[Place], Timings]:
        """Ask the network which colours places of a photograph may have.

        Args:
            photograph: the photograph.
            places: x and y in pixels.
            hints: see `colorize`; the network takes them into account, and the colours used in them come first.
            control: progress and cancellation.

        Returns:
            One entry for each place, and how long it took.

        Raises:
            NoSuggestionsError: the model suggests no colours.
            BadRequestError: a place is outside the photograph.
            ModelError: ONNX Runtime, which is asked whatever the backend, cannot load the model.
            See `colorize` for the rest.
        """
        control = control or Control()
        began = time.perf_counter()
        seen = self.look(photograph, None, control)
        if hints is not None:
            check_hints(hints, photograph.height, photograph.width)
        control.report(_SHARE_REDUCE)
        found, network_ms = self.suggest_for(seen, places, hints, control)
        return found, Timings(network_ms, 1000 * (time.perf_counter() - began) - network_ms)

    def suggest_for(
        self, seen: Seen, places: Sequence[tuple[int, int]], hints: Rgba | None, control: Control
    ) -> tuple[list[Place], float]:
        """Ask the network which colours places may have of a photograph that it has looked at.

        Args:
            seen: from `look`.
            places: see `suggest`.
            hints: see `react`.
            control: cancellation.

        Returns:
            One entry for each place, and the milliseconds of the forward pass.

        Raises:
            NoSuggestionsError, BadRequestError, ModelError: see `suggest`.
        """
        if not self.model.suggests_colours:
            raise NoSuggestionsError.of_model(f"{self._card.name} {self._card.version}")
        check_places(places, seen.plan.width, seen.plan.height)
        asked = self._question(seen, hints, control)
        backend = self._suggesting
        control.on_cancel(backend.cancel)
        control.check()
        network_began = time.perf_counter()
        colours = backend.colours(asked.luminance, asked.network_hints)[0]
        network_ms = 1000 * (time.perf_counter() - network_began)
        control.check()
        used = used_colours(asked.hints)
        found = []
        for x, y in places:
            row = int((y + 0.5) * seen.plan.network_height / seen.plan.height)
            column = int((x + 0.5) * seen.plan.network_width / seen.plan.width)
            lightness = float(seen.lightness[row, column])
            cell = colours[..., row // COLOURS_STRIDE, column // COLOURS_STRIDE]
            found.append(Place(x, y, lightness, swatches(cell, lightness, used)))
        return found, network_ms

    @cached_property
    def _suggesting(self) -> "OnnxRuntimeBackend":
        from ..backends.suggesting import suggesting_backend  # what only asks a GPU need not load ONNX Runtime

        return suggesting_backend(self._backend, self.model)

    def _question(self, seen: Seen, hints: Rgba | None, control: Control) -> Question:
        """Return what the network is shown of a photograph and its strokes."""
        if hints is not None and not hints[..., 3].any():
            hints = None
        low, plan = seen.lightness, seen.plan
        hint_planes = self._hint_planes(hints, low.shape, control)
        padded = (plan.padded_height, plan.padded_width)
        luminance = pad_by_reflection(low / np.float32(LIGHTNESS_SCALE) - 1, *padded)[None, None]
        if hint_planes is None:
            told = np.zeros((1, 3, *padded), np.float32)
        else:
            told = pad_by_reflection(without_faint_strokes(hint_planes), *padded)[None]
        return Question(hints, hint_planes, luminance, told)

    def recall(self, photograph: Photograph, recipe: Recipe, *, control: Control | None = None) -> Generated:
        """Return what the network said about a photograph (which may have been mended since), from its recipe."""
        control = control or Control()
        low = self.lightness_at(photograph, recipe.chroma.shape[1:], control)
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

    def lightness_at(self, photograph: Photograph, small: tuple[int, ...], control: Control) -> Planes:
        """Return a photograph's L* reduced to (h, w), float32; transparent places count as middle grey."""

        def read(start: int, stop: int) -> Planes:
            lightness = photograph.lightness(start, stop)
            alpha = photograph.alpha(start, stop)
            if alpha is not None:
                lightness = _TRANSPARENT_LIGHTNESS + (lightness - _TRANSPARENT_LIGHTNESS) * alpha
            return lightness[None]

        shape = (photograph.height, photograph.width)
        reduced: Planes = reduce_area(read, shape, (small[0], small[1]), 1, executor=self._executor, control=control)[0]
        return reduced

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
    d50 = lab_d50_from_d65(np.stack([lightness, *chroma], axis=-1))
    return np.ascontiguousarray(np.moveaxis(d50[..., 1:], -1, 0))
