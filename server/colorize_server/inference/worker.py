"""The product's worker: model, backend and picture path, over pixels that lie in shared memory."""

import io
import json
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ..backends import open_backend
from ..errors import OutOfMemoryError, PictureError
from ..media_types import PSD
from ..model import load_model, shipped_model_path
from ..picture.colorizer import Colorizer
from ..picture.control import Control
from ..picture.hints import Rgba
from ..picture.photograph import Photograph, Pixels, profile_by_name
from ..picture.recipe import unpack
from .memory import SharedBuffer
from .page_worker import colours, opened, read_strokes, suggestions
from .task import Answer, PageStep, RawPicture, Task, WorkerInfo, WorkerRequest

if TYPE_CHECKING:
    from ..formats.decode import PictureLimits

_SAMPLE_TYPES: Final[dict[int, np.dtype[Any]]] = {8: np.dtype("u1"), 16: np.dtype("<u2")}
_BYTES_PER_LAYERED_PIXEL: Final = 48
"""Likewise for a layered file, which holds the photograph, its colours, and the picture of both."""
_BYTES_PER_ENCODED_PIXEL: Final = 24
"""Memory for decoding, colorizing and encoding: 4 bytes a pixel twice (8 bits, alpha), and as much again and more
for what decoders and encoders hold meanwhile.  A few kilobytes can decode to gigabytes, so this is checked first."""


def open_worker(request: WorkerRequest) -> "PictureWorker":
    """Load the model, open the backend, and do one forward pass."""
    return PictureWorker(request)


class PictureWorker:
    """See `colorize_server.inference.task.Worker`."""

    def __init__(self, request: WorkerRequest) -> None:
        self._model = load_model(request.model or shipped_model_path())
        self._backend = open_backend(
            request.backend, self._model, device=request.device, require_gpu=request.require_gpu
        )
        self._colorizer = Colorizer(self._backend, self._model)
        self._colorizer.warm_up()

    def describe(self) -> WorkerInfo:
        """See `Worker.describe`."""
        card = self._model.card
        return WorkerInfo(
            backend={
                "active": self._backend.name,
                "device": self._backend.device,
                "providers": list(self._backend.providers),
                "reason": self._backend.reason,
            },
            model={
                "name": card.name,
                "version": card.version,
                "sha256": self._model.sha256,
                "multiple_of": card.multiple_of,
                "sizes": list(card.sizes),
                "default_size": card.default_size,
            },
            suggests_colours=self._model.suggests_colours,
        )

    def run(self, task: Task, inputs: Sequence[SharedBuffer], control: Control) -> tuple[Answer, SharedBuffer]:
        """See `Worker.run`."""
        if task.raw is not None:
            return self._run_raw(task, task.raw, inputs[0], control)
        if task.page is not None and task.page is not PageStep.EXPORT:
            return self._run_page(task, inputs, control)
        return self._run_encoded(task, inputs, control)

    def _run_raw(
        self, task: Task, raw: RawPicture, body: SharedBuffer, control: Control
    ) -> tuple[Answer, SharedBuffer]:
        """Colorize from shared memory into shared memory; no pixel is copied on the way."""
        shape = (raw.height, raw.width)
        samples = _SAMPLE_TYPES[raw.depth]
        pixels = _array(body, samples, 0, (*shape, raw.channels))
        hints = _array(body, np.dtype("u1"), raw.picture_bytes, (*shape, 4)) if raw.has_hints else None
        if task.lifts_touch_ups:
            assert hints is not None  # noqa: S101 - the daemon asks for both layers
            return self._lift(raw, pixels, hints, control)
        began = time.perf_counter()
        photograph = Photograph(pixels, profile_by_name(raw.profile, raw.channels))
        if task.places:
            return self._suggest(task, photograph, hints, control)
        if raw.recipe_bytes:
            recipe = unpack(body.view[raw.picture_bytes : raw.body_bytes], raw.width, raw.height)
            generated = self._colorizer.recall(photograph, recipe, control=control)
        else:
            generated = self._colorizer.generate(photograph, task.options, hints=hints, control=control)
        packed = generated.recipe.pack() if task.wants_recipe else b""
        doubt_bytes = raw.width * raw.height if task.wants_doubt else 0
        buffer = SharedBuffer.create(raw.answer_bytes + doubt_bytes + len(packed))
        try:
            self._colorizer.lay(
                photograph,
                task.options,
                generated,
                out=_array(buffer, samples, 0, (*shape, raw.answer_channels)),
                doubt_out=_array(buffer, np.dtype("u1"), raw.answer_bytes, shape) if task.wants_doubt else None,
                control=control,
            )
            buffer.view[raw.answer_bytes + doubt_bytes :] = packed
        except BaseException:
            buffer.close()
            raise
        answer = Answer(
            width=raw.width,
            height=raw.height,
            channels=raw.answer_channels,
            depth=raw.depth,
            size=generated.recipe.size,
            picture_bytes=raw.answer_bytes,
            doubt_bytes=doubt_bytes,
            recipe_bytes=len(packed),
            hinted=_painted(hints),
            timings_ms={
                "network": generated.network_ms,
                "picture": 1e3 * (time.perf_counter() - began) - generated.network_ms,
            },
        )
        return answer, buffer

    def _lift(self, raw: RawPicture, laid: Rgba, painted: Rgba, control: Control) -> tuple[Answer, SharedBuffer]:
        """Find what was painted on a layer."""
        from ..picture.touchups import lift

        began = time.perf_counter()
        strokes = lift(laid, painted, control)
        buffer = SharedBuffer.of(strokes.reshape(-1).data)
        answer = Answer(
            width=raw.width,
            height=raw.height,
            channels=4,
            depth=8,
            size=0,
            picture_bytes=strokes.nbytes,
            doubt_bytes=0,
            touched=_painted(strokes),
            timings_ms={"picture": 1e3 * (time.perf_counter() - began)},
        )
        return answer, buffer

    def _suggest(
        self, task: Task, photograph: Photograph, hints: Rgba | None, control: Control, decode_ms: float = 0.0
    ) -> tuple[Answer, SharedBuffer]:
        """Ask the model which colours places may have; the answer is JSON."""
        from ..picture.suggestions import as_members

        places, timings = self._colorizer.suggest(photograph, task.places, hints=hints, control=control)
        card = self._model.card
        members = {"model": f"{card.name} {card.version}", "places": as_members(places)}
        buffer = SharedBuffer.of(json.dumps(members).encode())
        answer = Answer(
            width=photograph.width,
            height=photograph.height,
            channels=0,
            depth=0,
            size=card.default_size,
            picture_bytes=buffer.n_bytes,
            doubt_bytes=0,
            timings_ms={"decode": decode_ms, "network": timings.network_ms, "picture": timings.picture_ms},
        )
        return answer, buffer

    def _run_page(self, task: Task, inputs: Sequence[SharedBuffer], control: Control) -> tuple[Answer, SharedBuffer]:
        """Look at a photograph for the page, or answer its strokes."""
        from ..picture.suggestions import as_members

        began = time.perf_counter()
        if task.page is PageStep.OPEN:
            content = opened(self._colorizer, self._decoded(task, inputs[0], control)[0], control)
        elif task.page is PageStep.SUGGEST:
            places = suggestions(self._colorizer, task.places, inputs, control)
            content = json.dumps({"places": as_members(places)}).encode()
        else:
            content = colours(self._colorizer, inputs, control)
        buffer = SharedBuffer.of(content)
        answer = Answer(
            width=0,
            height=0,
            channels=0,
            depth=0,
            size=self._model.card.default_size,
            picture_bytes=len(content),
            doubt_bytes=0,
            timings_ms={"picture": 1e3 * (time.perf_counter() - began)},
        )
        return answer, buffer

    def _decoded(self, task: Task, encoded: SharedBuffer, control: Control) -> tuple[Photograph, "PictureLimits"]:
        """Decode a photograph, if the memory for it is there.

        Returns:
            the photograph, and the limits that it was decoded with.
        """
        # Here, so that a server that is only asked for raw pixels starts without the decoders.
        import psutil

        from ..formats.decode import PictureLimits, decode_picture

        is_layered = task.answer_type == PSD
        bytes_per_pixel = _BYTES_PER_LAYERED_PIXEL if is_layered else _BYTES_PER_ENCODED_PIXEL
        affordable = psutil.virtual_memory().available // bytes_per_pixel
        limits = PictureLimits(min(task.max_pixels, affordable), task.max_side)
        try:
            with control.alive():
                return decode_picture(encoded.view, task.media_type, limits), limits
        except PictureError as error:
            if error.code == "picture_too_large" and affordable < task.max_pixels:
                raise OutOfMemoryError(
                    "The picture needs more memory than is left.", "Close other programs, or use a smaller picture."
                ) from error
            raise

    def _run_encoded(self, task: Task, inputs: Sequence[SharedBuffer], control: Control) -> tuple[Answer, SharedBuffer]:
        """Decode, colorize, encode."""
        from ..formats.decode import decode_hints, remark_on_pages
        from ..formats.layered import in_document_space, layer_options

        began = time.perf_counter()
        is_layered = task.answer_type == PSD
        photograph, limits = self._decoded(task, inputs[0], control)
        hints = None
        if task.page is not None:
            hints = read_strokes(inputs[1], photograph.height, photograph.width, control)
        elif len(inputs) > 1:
            hints = decode_hints(inputs[1].view, limits)
        decode_ms = 1e3 * (time.perf_counter() - began)
        control.check()
        if task.places:
            return self._suggest(task, photograph, hints, control, decode_ms)
        doubt: NDArray[np.uint8] | None = None
        if task.wants_doubt:
            doubt = np.empty((photograph.height, photograph.width), np.uint8)
        options = task.options
        remarks: list[str | None] = [*remark_on_pages(photograph.pages - 1), *photograph.remarks]
        if is_layered:
            photograph, changed = in_document_space(photograph)
            remarks = [*remarks, changed]
            options = layer_options(options)
        pixels, timings = self._colorizer.colorize(
            photograph, options, hints=hints, doubt_out=doubt, control=control, keep_profile=is_layered
        )
        began = time.perf_counter()
        control.check()
        with control.alive():
            picture, doubt_picture, remark = self._encode(task, photograph, pixels, hints, doubt)
        buffer = SharedBuffer.create(len(picture) + len(doubt_picture))
        buffer.view[: len(picture)] = picture
        buffer.view[len(picture) :] = doubt_picture
        answer = Answer(
            width=photograph.width,
            height=photograph.height,
            channels=pixels.shape[2],
            depth=8 * pixels.itemsize,
            size=self._model.card.check_size(task.options.size),
            picture_bytes=len(picture),
            doubt_bytes=len(doubt_picture),
            hinted=_painted(hints),
            remarks=tuple(told for told in (*remarks, remark) if told),
            timings_ms={
                "decode": decode_ms,
                "network": timings.network_ms,
                "picture": timings.picture_ms,
                "encode": 1e3 * (time.perf_counter() - began),
            },
        )
        return answer, buffer

    def _encode(
        self, task: Task, photograph: Photograph, pixels: Pixels, hints: Rgba | None, doubt: NDArray[np.uint8] | None
    ) -> tuple[bytes | memoryview, bytes, str | None]:
        """Return the file with its record, the doubt picture (none if the file has it as a layer), and a remark."""
        from ..formats.encode import encode_grey, encode_picture
        from ..formats.layered import layered_document
        from ..formats.psd import write_psd
        from ..provenance.of_run import record_of
        from ..provenance.record import merge

        is_layered = task.answer_type == PSD
        record = record_of(self._model, task.options, with_hints=hints is not None, is_layered=is_layered)
        merged = merge(photograph.metadata.xmp, record, task.answer_type)
        metadata = replace(photograph.metadata, xmp=merged.packet)
        if is_layered:
            stream = io.BytesIO()
            write_psd(stream, layered_document(photograph, pixels, metadata, doubt=doubt, hints=hints))
            return stream.getbuffer(), b"", merged.remark
        doubt_picture = b"" if doubt is None else encode_grey(doubt)
        return encode_picture(pixels, metadata, task.answer_type), doubt_picture, merged.remark


def _painted(strokes: Rgba | None) -> int | None:
    """Return how many pixels of (height, width, 4) are not wholly transparent; None for none."""
    return None if strokes is None else int(np.count_nonzero(strokes[..., 3]))


def _array(buffer: SharedBuffer, samples: np.dtype[Any], offset_bytes: int, shape: tuple[int, ...]) -> NDArray[Any]:
    """Look at part of a buffer as an array, without a copy.

    By `frombuffer`, which keeps the memory in place for as long as the array is used (`np.ndarray` does not):
    when a picture is cancelled, threads may still be at their last strip while its buffers are closed.
    """
    return np.frombuffer(buffer.view, samples, math.prod(shape), offset_bytes).reshape(shape)
