"""Join lightness and chroma to the RGB that a host needs, inside the gamut, and encode it.

Three ways to hold the photograph's lightness, one for each place the result may go:

- none: L* (D65) of the result is the photograph's.
- GIMP: LCh Color works in babl's Lab, which is relative to D50.  The layer's lightness *there* is the photograph's,
  so that GIMP's blend gives the layer's own colours back.
- Photoshop: Color keeps luma, .30 R + .59 G + .11 B of encoded values.  The layer has the photograph's luma, and the
  a*b* of our own composite, or as much of them as the gamut holds at that luma: L* moves instead, by 2 to 5 on strong
  colours.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import product
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..color.cie import f_from_relative
from ..color.gamut import chroma_in_gamut, is_in_gamut, linear_from_lab_rows
from ..color.icc import GreyProfile
from ..color.rgb import LINEAR_SRGB, LUMA_WEIGHTS, SRGB, RgbSpace
from .options import Blend, Host, Options, Output
from .photograph import Photograph

Plane: TypeAlias = NDArray[np.float32]

MULTIPLY_LIGHTNESS: Final = 88.0
"""L* of a layer for Multiply: light enough that black lines stay, dark enough that paper takes colour."""
LUMA_STEPS: Final = 3
"""Newton steps to the lightness that gives the photograph's luma; 3 bring it within 0.1 level."""
SHARE_STEPS: Final = 8
"""Halvings to the share of chroma that fits at the photograph's luma; 8 come within 1/256."""
TOUCHY_BELOW: Final = 16
TOUCHY_ABOVE: Final = 128
"""A colour with one channel below and one above these levels is rounded with care for GIMP: others shift too little."""
TOLERATED_LEVELS: Final = 1.0
"""As GIMP shows such a colour, so much of an error is left alone: most have no more, and trying costs time."""
_INDEX_LEVELS: Final = 65535


def output_space(photograph: Photograph, *, keep_profile: bool) -> RgbSpace:
    """Return the space of the result: the photograph's own for raw pixels, sRGB for files.

    Grey goes to sRGB, linear grey to linear sRGB.
    """
    if not keep_profile:
        return SRGB
    if isinstance(photograph.profile, GreyProfile):
        return LINEAR_SRGB if photograph.profile.name == "linear" else SRGB
    return photograph.profile


class Joiner:
    """Makes finished pixels of one picture from its lightness and chroma.

    Thread-safe: it holds only tables.

    Args:
        photograph: whose lightness (or luma) is kept.
        options: output, host and blend.
        space: RGB space of the result.
    """

    def __init__(self, photograph: Photograph, options: Options, space: RgbSpace) -> None:
        self._photograph = photograph
        self._space = space
        self._multiply = options.output is Output.LAYER and options.blend is Blend.MULTIPLY
        is_layer = options.output is Output.LAYER and not self._multiply
        # GIMP's composite is known exactly (it is the layer's own colours), so it can be had without GIMP as well.
        self._host = options.host if is_layer or options.host is Host.GIMP else Host.NONE
        gimp = self._host is Host.GIMP
        self._is_layer_for_gimp = gimp and is_layer
        self.white = "D50" if gimp else "D65"
        self._to_xyz = space.to_relative_xyz_d50 if gimp else space.to_relative_xyz
        self._matrix = np.linalg.inv(self._to_xyz)
        self._depth_max = photograph.levels - 1

    def pixels(self, start: int, stop: int, lightness: Plane, a: Plane, b: Plane) -> NDArray[np.uint8 | np.uint16]:
        """Return finished pixels of rows [start, stop).

        Args:
            start: first row.
            stop: row after the last.
            lightness: (rows, width) float32, L* of the photograph relative to `white`.
            a: likewise, a*.
            b: likewise, b*.

        Returns:
            (3, rows, width), the photograph's dtype; new array.
        """
        if self._multiply:
            lightness = np.full_like(lightness, MULTIPLY_LIGHTNESS)
        elif self._host is Host.PHOTOSHOP:
            # First the colour that our own composite has, then the lightness at which it has the photograph's luma.
            a, b, _ = chroma_in_gamut(lightness, a, b, self._matrix)
            return self._encode_for_photoshop(self._at_luma(self._base_luma(start, stop), lightness, a, b))
        linear = chroma_in_gamut(lightness, a, b, self._matrix)[2]
        return self._encode_for_gimp(lightness, linear) if self._is_layer_for_gimp else self._encode(linear)

    def _at_luma(self, target: Plane, lightness: Plane, a: Plane, b: Plane) -> NDArray[np.float32]:
        """Return the linear RGB of that luma with these a*b*, or with as much of them as the gamut holds there."""
        linear = linear_from_lab_rows(self._lightness_of_luma(target, lightness, a, b), a, b, self._matrix)
        outside = np.flatnonzero(~is_in_gamut(linear))
        if outside.size:
            linear.reshape(3, -1)[:, outside] = self._fitting(*(p.ravel()[outside] for p in (target, lightness, a, b)))
        np.clip(linear, 0, 1, out=linear)
        return linear

    def _fitting(self, target: Plane, lightness: Plane, a: Plane, b: Plane) -> NDArray[np.float32]:
        """Return the linear RGB of that luma with the largest share of the chroma that is inside the gamut.

        Lightness and share depend on each other: near white a bright green of the same luma is lighter than its grey,
        and at the lightness of the whole chroma the gamut may hold none of it.
        """
        low, high = np.zeros_like(a), np.ones_like(a)
        light = self._lightness_of_luma(target, lightness, low, low)
        linear = linear_from_lab_rows(light, low, low, self._matrix)
        for _ in range(SHARE_STEPS):
            share = (low + high) * np.float32(0.5)
            tried = self._lightness_of_luma(target, light, a * share, b * share)
            found = linear_from_lab_rows(tried, a * share, b * share, self._matrix)
            fits = is_in_gamut(found)
            low, high = np.where(fits, share, low), np.where(fits, high, share)
            light = np.where(fits, tried, light)
            linear = np.where(fits, found, linear)
        return linear

    def _lightness_of_luma(self, target: Plane, lightness: Plane, a: Plane, b: Plane) -> Plane:
        # The slope of luma over lightness hardly depends on chroma: take the neutral's.
        slope = np.interp(lightness, self._slope_at, self._slope).astype(np.float32)
        light = lightness.copy()
        for _ in range(LUMA_STEPS):
            linear = np.clip(linear_from_lab_rows(light, a, b, self._matrix), 0, 1)
            error = self._luma(linear)
            error -= target
            error /= slope
            light -= error
            np.clip(light, 0, 100, out=light)
        return light

    def _luma(self, linear: NDArray[np.float32]) -> Plane:
        encoded = [self._encode_table.take(_index(linear[c])) for c in range(3)]
        return _weighted(encoded, LUMA_WEIGHTS)

    def _base_luma(self, start: int, stop: int) -> Plane:
        profile = self._photograph.profile
        if not isinstance(profile, GreyProfile) and profile.name == self._space.name:
            rows = self._photograph.pixels[start:stop]
            return _weighted([rows[..., c] for c in range(3)], [w / self._depth_max for w in LUMA_WEIGHTS])
        linear = self._photograph.linear_rgb(start, stop)
        if not isinstance(profile, GreyProfile):
            matrix = (np.linalg.inv(self._space.to_xyz_d50) @ profile.to_xyz_d50).astype(np.float32)
            linear = np.clip(np.tensordot(matrix, linear, 1), 0, 1)
        return self._luma(linear)

    @cached_property
    def _encode_table(self) -> NDArray[np.float32]:
        """Encoded value 0..1 of each of 65536 steps of linear light."""
        steps = np.arange(_INDEX_LEVELS + 1, dtype=np.float64) / _INDEX_LEVELS
        return self._space.curves[0].encode(steps).astype(np.float32)

    @cached_property
    def _byte_table(self) -> NDArray[np.uint8]:
        return np.rint(self._encode_table * 255).astype(np.uint8)

    @cached_property
    def _slope_at(self) -> NDArray[np.float64]:
        return np.linspace(0, 100, 201)

    @cached_property
    def _slope(self) -> NDArray[np.float64]:
        lab = np.zeros((201, 3))
        lab[:, 0] = self._slope_at
        grey = self._space.encoded_from_lab(lab)[:, 1]
        return np.maximum(np.gradient(grey, self._slope_at), 1e-3)

    def _encode(self, linear: NDArray[np.float32]) -> NDArray[np.uint8 | np.uint16]:
        if self._depth_max == 255:
            return self._byte_table.take(_index(linear))
        encoded = np.stack([curve.encode(linear[c]) for c, curve in enumerate(self._space.curves)])
        encoded *= np.float32(65535)
        encoded += np.float32(0.5)
        return encoded.astype(np.uint16)

    def _encode_for_gimp(self, lightness: Plane, linear: NDArray[np.float32]) -> NDArray[np.uint8 | np.uint16]:
        """Encode for a mode that takes chroma from the layer, and lightness from the photograph below.

        In bytes, rounding moves the layer's lightness by up to 0.3 L*, which GIMP moves back, with all three channels.
        Of a bright colour whose one channel is nearly black that is three levels of this channel.  There every way to
        round is tried as GIMP will show it.
        """
        if self._depth_max != 255:
            return self._encode(linear)
        encoded = self._byte_table.take(_index(linear))
        flat = encoded.reshape(3, -1)
        touchy = np.flatnonzero((flat.min(axis=0) < TOUCHY_BELOW) & (flat.max(axis=0) > TOUCHY_ABOVE))
        if not touchy.size:
            return encoded
        light = lightness.ravel()[touchy]
        wanted = self._encode_table.take(_index(linear.reshape(3, -1)[:, touchy])) * np.float32(255)
        best = flat[:, touchy]
        least = np.abs(self._shown_by_gimp(light, best) - wanted).max(axis=0)
        wrong = np.flatnonzero(least > TOLERATED_LEVELS)
        touchy, light, wanted, best, least = touchy[wrong], light[wrong], wanted[:, wrong], best[:, wrong], least[wrong]
        down = np.clip(np.floor(wanted), 0, 254).astype(np.uint8)
        for up in product((0, 1), repeat=3):
            tried = down + np.array(up, np.uint8)[:, None]
            error = np.abs(self._shown_by_gimp(light, tried) - wanted).max(axis=0)
            best = np.where(error < least, tried, best)
            least = np.minimum(error, least)
        flat[:, touchy] = best
        return encoded

    def _shown_by_gimp(self, lightness: Plane, layer: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return LCh Color's result, (3, n) float32 levels, of (3, n) bytes over that lightness, (n,)."""
        linear = np.stack([table.take(layer[c]) for c, table in enumerate(self._linear_tables)])
        fx, fy, fz = f_from_relative(self._to_xyz.astype(np.float32) @ linear)
        shown = linear_from_lab_rows(lightness, 500 * (fx - fy), 200 * (fy - fz), self._matrix)
        np.clip(shown, 0, 1, out=shown)
        return self._encode_table.take(_index(shown)) * np.float32(255)

    @cached_property
    def _linear_tables(self) -> list[NDArray[np.float32]]:
        return [curve.linear_table(256) for curve in self._space.curves]

    def _encode_for_photoshop(self, linear: NDArray[np.float32]) -> NDArray[np.uint8 | np.uint16]:
        """Encode for a mode that takes nothing from the layer but the differences of its channels.

        Color adds the same amount to all three until the luma is the photograph's.  So all three may be moved by the
        same fraction of a level first: with green on a whole level, the differences to it are rounded once, not twice.
        """
        if self._depth_max != 255:
            return self._encode(linear)
        encoded = np.stack([self._encode_table.take(_index(linear[c])) for c in range(3)])
        encoded *= np.float32(255)
        encoded += np.rint(encoded[1]) - encoded[1]
        return np.clip(np.rint(encoded), 0, 255).astype(np.uint8)


def _weighted(planes: Sequence[NDArray[Any]], weights: Sequence[float]) -> Plane:
    total = planes[0] * np.float32(weights[0])
    total += planes[1] * np.float32(weights[1])
    total += planes[2] * np.float32(weights[2])
    return total


def _index(linear: NDArray[np.float32]) -> NDArray[np.uint16]:
    scaled = linear * np.float32(_INDEX_LEVELS)
    scaled += np.float32(0.5)
    return scaled.astype(np.uint16)
