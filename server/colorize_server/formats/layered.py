"""A coloured photograph as one layered file: which layers it has, and what their pixels mean.

One file serves all programs.  The layer of colour is made for Photoshop's Color, which keeps luma; GIMP reads that mode
as LCh Color, which keeps lightness, and shows the same colours to 0.11 dE76 in the mean.
"""

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..color.icc import GreyProfile, matrix_profile
from ..color.rgb import LUMA_WEIGHTS, SRGB, RgbSpace
from ..picture.hints import Rgba
from ..picture.options import Host, Options, Output
from ..picture.photograph import Metadata, Photograph, Pixels
from .encode import srgb_profile
from .psd import ALPHA, BLUE, GREEN, RED, Blend, Document, Layer, group

PHOTOGRAPH: Final = "Photograph"
GROUP: Final = "Colour (inferred)"
COLOUR: Final = "Colour"
TOUCH_UPS: Final = "Touch-ups"
DOUBT: Final = "Where the model guesses"
HINTS: Final = "Colour hints"
"""Names of layers; those of doubt, touch-ups and hints are the plug-ins'."""

DOUBT_COLOUR: Final = (255, 96, 0)
DOUBT_OPACITY: Final = 0.75
"""Of the overlay where the doubt is greatest, as in the GIMP plug-in."""
_STRIP_PIXELS: Final = 1 << 18
_CONVERTED: Final = (
    "Its profile has another curve for each colour; the layers are in sRGB with 16 bits, which shows the same."
)


def layer_options(options: Options) -> Options:
    """Return what the picture path is asked for the layer of colour."""
    return replace(options, output=Output.LAYER, host=Host.PHOTOSHOP)


def in_document_space(photograph: Photograph) -> tuple[Photograph, str | None]:
    """Return a photograph as a document of RGB has it, and what the painter should know of that.

    Its codes and its profile stay.  Grey becomes three equal channels, in a space with the grey's curve.
    """
    profile, pixels = photograph.profile, photograph.pixels
    if isinstance(profile, GreyProfile):
        space = replace(SRGB, name=profile.name, curves=(profile.curve,) * 3)
        shape = (photograph.height, photograph.width, 3)
        same: Any = pixels[..., (0, 0, 0, 1)] if photograph.has_alpha else np.broadcast_to(pixels, shape)
        return Photograph(same, space, photograph.metadata), None
    levels = photograph.levels
    red, green, blue = (curve.linear_table(levels) for curve in profile.curves)
    if np.allclose(red, green, atol=1e-3) and np.allclose(red, blue, atol=1e-3):
        return photograph, None
    return _in_srgb(photograph, profile), _CONVERTED


def layered_document(
    photograph: Photograph,
    colour: Pixels,
    metadata: Metadata,
    *,
    doubt: NDArray[np.uint8] | None = None,
    hints: Rgba | None = None,
) -> Document:
    """Put the layers of a coloured photograph together.

    Args:
        photograph: from `in_document_space`.
        colour: (height, width, 3 or 4), its layer for Photoshop, in its space.
        metadata: for the file.
        doubt: (height, width) uint8, for a hidden overlay; None for none.
        hints: (height, width, 4) uint8, sRGB, for a hidden layer; None for none.
    """
    planes = _colour_planes(colour)
    # Where the photograph is transparent in part, colour above it would add to what is covered.
    clipped = photograph.has_alpha
    base = Layer(PHOTOGRAPH, _colour_planes(photograph.pixels) | _alpha_plane(photograph.pixels))
    layers = [
        Layer(COLOUR, planes, Blend.COLOR, is_clipped=clipped),
        Layer(TOUCH_UPS, blend=Blend.COLOR, is_clipped=clipped),
    ]
    extras = []
    if doubt is not None:
        extras.append(Layer(DOUBT, _doubt_planes(doubt), is_hidden=True))
    if hints is not None:
        extras.append(Layer(HINTS, _hint_planes(hints, photograph), is_hidden=True))
    above = [*layers, *extras] if clipped else group(GROUP, [*layers, *extras])
    return Document(_InColorMode(photograph.pixels, colour), [base, *above], profile_of(photograph), metadata)


def profile_of(photograph: Photograph) -> bytes:
    """Return the ICC profile of a photograph in its document's space."""
    space = photograph.profile
    if photograph.metadata.icc is not None:
        return photograph.metadata.icc
    if not isinstance(space, RgbSpace) or space.name == SRGB.name:
        return srgb_profile()
    return matrix_profile(space)


class _InColorMode:
    """What Photoshop's Color shows of a layer over a photograph (PDF 32000-1:2008, 11.3.5.3), computed by rows.

    A layer that was made for it comes back as it is, up to the rounding of its own luma.
    """

    def __init__(self, photograph: Pixels, layer: Pixels) -> None:
        self._photograph = photograph
        self._layer = layer
        self.shape = photograph.shape
        self.dtype = photograph.dtype
        self._top = np.float32(np.iinfo(photograph.dtype).max)

    def __getitem__(self, rows: slice, /) -> Pixels:
        base, layer = self._photograph[rows], self._layer[rows]
        shown = np.ascontiguousarray(np.moveaxis(layer[..., :3], -1, 0), np.float32)
        missing = np.zeros(shown.shape[1:], np.float32)
        for channel, weight in enumerate(LUMA_WEIGHTS):
            missing += np.float32(weight) * (base[..., channel] - shown[channel])
        shown += missing
        self._clip(shown.reshape(3, -1))
        result = np.empty(base.shape, self.dtype)
        np.rint(shown, out=shown)
        for channel in range(3):
            result[..., channel] = shown[channel]
        result[..., 3:] = base[..., 3:]
        return result

    def _clip(self, shown: NDArray[np.float32]) -> None:
        """Draw colours outside the range, (3, n), towards their grey (ClipColor), in place."""
        low, high = shown.min(axis=0), shown.max(axis=0)
        outside = np.flatnonzero((low < 0) | (high > self._top))
        colours, low, high = shown[:, outside], low[outside], high[outside]
        luma = (np.array(LUMA_WEIGHTS, np.float32) @ colours).clip(0, self._top)
        share = np.minimum(
            np.where(low < 0, luma / np.maximum(luma - low, 1e-6), 1),
            np.where(high > self._top, (self._top - luma) / np.maximum(high - luma, 1e-6), 1),
        )
        shown[:, outside] = np.clip(luma + (colours - luma) * share, 0, self._top)


def _colour_planes(pixels: Pixels) -> dict[int, NDArray[np.uint8] | NDArray[np.uint16]]:
    return {RED: pixels[..., 0], GREEN: pixels[..., 1], BLUE: pixels[..., 2]}


def _alpha_plane(pixels: Pixels) -> dict[int, NDArray[np.uint8] | NDArray[np.uint16]]:
    return {ALPHA: pixels[..., 3]} if pixels.shape[2] == 4 else {}


def _doubt_planes(doubt: NDArray[np.uint8]) -> dict[int, NDArray[np.uint8] | NDArray[np.uint16]]:
    table = np.rint(np.arange(256) * DOUBT_OPACITY).astype(np.uint8)
    levels = [np.broadcast_to(np.uint8(level), doubt.shape) for level in DOUBT_COLOUR]
    return {ALPHA: table.take(doubt), RED: levels[0], GREEN: levels[1], BLUE: levels[2]}


def _hint_planes(hints: Rgba, photograph: Photograph) -> dict[int, NDArray[np.uint8] | NDArray[np.uint16]]:
    """Return strokes in the document's space; colours that it has not are clipped."""
    space = photograph.profile
    colours = hints[..., :3]
    if isinstance(space, RgbSpace) and space.name != SRGB.name:
        painted = hints[..., 3] > 0
        matrix = np.linalg.inv(space.to_xyz_d50) @ SRGB.to_xyz_d50
        linear = SRGB.linear_from_encoded(colours[painted] / 255) @ matrix.T
        colours = colours.copy()
        colours[painted] = np.rint(space.encoded_from_linear(np.clip(linear, 0, 1)) * 255)
    return {ALPHA: hints[..., 3]} | _colour_planes(colours)


def _in_srgb(photograph: Photograph, space: RgbSpace) -> Photograph:
    matrix = (np.linalg.inv(SRGB.to_xyz_d50) @ space.to_xyz_d50).astype(np.float32)
    pixels = np.empty(photograph.pixels.shape, np.uint16)
    rows = max(1, _STRIP_PIXELS // photograph.width)
    for start in range(0, photograph.height, rows):
        linear = np.clip(np.tensordot(matrix, photograph.linear_rgb(start, start + rows), 1), 0, 1)
        pixels[start : start + rows, :, :3] = np.rint(SRGB.encoded_from_linear(np.moveaxis(linear, 0, -1)) * 65535)
        if photograph.has_alpha:
            alpha = photograph.pixels[start : start + rows, :, 3]
            pixels[start : start + rows, :, 3] = alpha.astype(np.uint16) * (65535 // (photograph.levels - 1))
    return Photograph(pixels, SRGB, replace(photograph.metadata, icc=None))
