"""A photograph in memory: its pixels, what their numbers mean, and what its file carried besides."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..color.cie import lightness_from_y
from ..color.icc import GreyProfile
from ..color.rgb import ADOBE_RGB, GRAY_GAMMA_22, LINEAR_CURVE, LINEAR_SRGB, PROPHOTO, SRGB, SRGB_CURVE, RgbSpace
from ..errors import BadRequestError, PictureError

Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
Lightness: TypeAlias = NDArray[np.float32]

Profile: TypeAlias = RgbSpace | GreyProfile

GREY_PROFILES: Final = {
    "srgb": GreyProfile("srgb", SRGB_CURVE),
    "linear": GreyProfile("linear", LINEAR_CURVE),
    "gray-gamma-2.2": GreyProfile("gray-gamma-2.2", GRAY_GAMMA_22),
}
"""Names of PROTOCOL.md for pictures of 1 or 2 channels."""
RGB_PROFILES: Final = {"srgb": SRGB, "linear": LINEAR_SRGB, "adobe-rgb": ADOBE_RGB, "prophoto": PROPHOTO}
"""Names of PROTOCOL.md for pictures of 3 or 4 channels."""


def profile_by_name(name: str, channels: int) -> Profile:
    """Return the profile that PROTOCOL.md calls `name` for pictures of `channels` channels.

    Raises:
        BadRequestError: there is none of that name for that number of channels.
    """
    table: dict[str, Profile] = dict(GREY_PROFILES) if channels <= 2 else dict(RGB_PROFILES)
    if name not in table:
        raise BadRequestError(
            f"profile={name} is not known for pictures of {channels} channel(s).", f"Use one of {', '.join(table)}."
        )
    return table[name]


@dataclass(frozen=True)
class Metadata:
    r"""What the file carried besides its pixels, for the output to carry on.

    Attributes:
        dpi: horizontal and vertical resolution in pixels per inch, or None.
        exif: an EXIF block ("Exif\\0\\0" not included) with Orientation reset to 1 and no thumbnail, or None.
        xmp: an XMP packet; in a photograph as its file has it, in an output as it is written; or None.
        iptc: IPTC-IIM records, or None.
        icc: the profile of the file's colours (RGB) that the photograph's profile was read from, or None.
    """

    dpi: tuple[float, float] | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    icc: bytes | None = None


@dataclass(frozen=True)
class Photograph:
    """The pixels of a photograph and their meaning.

    Attributes:
        pixels: (height, width, channels) uint8 or uint16 (0..65535), channels 1 grey, 2 grey + alpha, 3 RGB,
            4 RGB + alpha; alpha straight. Not copied, never written to.
        profile: an RgbSpace for 3 or 4 channels, a GreyProfile for 1 or 2.
        metadata: what the file carried besides.
        pages: how many pictures its file holds, smaller copies not counted.
        remarks: what a painter should know of how it was read, one sentence each.
    """

    pixels: Pixels
    profile: Profile
    metadata: Metadata = field(default_factory=Metadata)
    pages: int = 1
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or not 1 <= self.pixels.shape[2] <= 4:
            raise PictureError("A photograph has 1 to 4 channels.")
        if self.pixels.dtype not in (np.uint8, np.uint16):
            raise PictureError("A photograph has 8 or 16 bits a channel.")
        if (self.pixels.shape[2] <= 2) != isinstance(self.profile, GreyProfile):
            raise PictureError("A grey picture needs a grey profile, a colour picture one for RGB.")

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is alpha."""
        return self.pixels.shape[2] in (2, 4)

    @property
    def levels(self) -> int:
        """Number of codes a channel has: 256 or 65536."""
        return 256 if self.pixels.dtype == np.uint8 else 65536

    @cached_property
    def _linear_tables(self) -> list[NDArray[np.float32]]:
        if isinstance(self.profile, GreyProfile):
            return [self.profile.curve.linear_table(self.levels)]
        return [curve.linear_table(self.levels) for curve in self.profile.curves]

    @cached_property
    def _lightness_table(self) -> NDArray[np.float32]:
        # For grey, lightness is a function of one code: a table is exact.
        return lightness_from_y(self._linear_tables[0].astype(np.float64)).astype(np.float32)

    def linear_rgb(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return rows [start, stop) as linear light, (3, rows, width) float32 in the profile's own primaries."""
        rows = self.pixels[start:stop]
        if isinstance(self.profile, GreyProfile):
            grey = self._linear_tables[0].take(rows[..., 0])
            return np.broadcast_to(grey, (3, *grey.shape))
        return np.stack([table.take(rows[..., c]) for c, table in enumerate(self._linear_tables)])

    def lightness(self, start: int, stop: int, *, white: str = "D65") -> Lightness:
        """Return L* of rows [start, stop), (rows, width) float32, 0..100, whatever the tint of the scan.

        Args:
            start: first row.
            stop: row after the last.
            white: "D65", or "D50" for the Lab of ICC, babl and Photoshop.  A grey picture has the same L* in both.
        """
        if isinstance(self.profile, GreyProfile):
            return self._lightness_table.take(self.pixels[start:stop, :, 0])
        matrix = self.profile.to_relative_xyz if white == "D65" else self.profile.to_relative_xyz_d50
        weights = matrix[1].astype(np.float32)
        linear = self.linear_rgb(start, stop)
        y = linear[0] * weights[0]
        y += linear[1] * weights[1]
        y += linear[2] * weights[2]
        return lightness_from_y(y)

    def alpha(self, start: int, stop: int) -> NDArray[np.float32] | None:
        """Return alpha of rows [start, stop), (rows, width) float32 0..1, or None."""
        if not self.has_alpha:
            return None
        return self.pixels[start:stop, :, -1].astype(np.float32) / np.float32(self.levels - 1)
