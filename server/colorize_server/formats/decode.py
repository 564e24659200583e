"""Pictures from files: PNG, JPEG, TIFF and WebP, at their full depth, with their profile and orientation.

Pillow decodes what it can do without loss; 16-bit PNG go to imagecodecs and TIFF to tifffile, because Pillow would cut
them to 8 bits.  Nothing else is ever tried: a decoder that is not listed here cannot be reached.
"""

import contextlib
import io
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import imagecodecs
import numpy as np
import tifffile
from PIL import ExifTags, Image, ImageCms, PngImagePlugin, UnidentifiedImageError

from ..color.icc import GreyProfile, UnreadableProfileError, read_profile
from ..color.rgb import SRGB
from ..errors import HintsError, PictureError
from ..picture.photograph import GREY_PROFILES, Metadata, Photograph, Pixels, Profile
from .embedded import read_embedded
from .exif import PREFIX, block_from_tiff, clean_block
from .tiff import STRIP_PIXELS, check_samples, full_range, straight
from .tiff_page import full_picture, mend_palette, orientation_is_bytes, orientation_of, photometric_of

_LYING: Final = (5, 6, 7, 8)
"""Orientations that exchange width and height."""
MEDIA_TYPES: Final = {"image/png": "PNG", "image/jpeg": "JPEG", "image/tiff": "TIFF", "image/webp": "WEBP"}
"""Media type to Pillow's name of the format."""

_DAMAGED_EXIF: Final = (SyntaxError, struct.error, ValueError, TypeError, KeyError, OverflowError)
"""What reading a damaged block raises: common in old scans, where the picture matters more."""

# Pillow's bound on pixels only warns at first and cannot be set per call; `PictureLimits` is checked instead, always.
Image.MAX_IMAGE_PIXELS = None
# Profiles of scanners and monitors that hold tables are larger than the megabyte that Pillow takes in a PNG.
PngImagePlugin.MAX_TEXT_CHUNK = 16 << 20


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """Bounds on a picture, checked on its header, before any pixel is decoded.

    Attributes:
        max_pixels: largest width x height.
        max_side: largest width or height.
    """

    max_pixels: int = 300_000_000
    max_side: int = 60_000

    def check(self, width: int, height: int) -> None:
        """Raise PictureError if a picture of that size is too large, or empty."""
        if width < 1 or height < 1:
            raise PictureError("The picture has no pixels.", "Save it again from the program that made it.")
        if width * height > self.max_pixels or max(width, height) > self.max_side:
            raise PictureError(
                f"The picture has {width} x {height} pixels, which is too large.",
                f"At most {self.max_pixels // 1_000_000} megapixels and {self.max_side} pixels a side are taken.",
                code="picture_too_large",
                status=413,
            )


def media_type_of(data: bytes | memoryview) -> str | None:
    """Return the media type that the first bytes of a file show, or None if it is none of `MEDIA_TYPES`."""
    head = bytes(data[:12])
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "image/tiff"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return None


def decode_picture(
    data: bytes | memoryview, media_type: str | None = None, limits: PictureLimits | None = None
) -> Photograph:
    """Decode a photograph.

    Args:
        data: the file's bytes.
        media_type: what the sender says it is; None finds out.
        limits: bounds on its size.

    Returns:
        Its pixels at full depth, upright, with its profile (pictures that only a colour management module can read
        are converted to sRGB) and the metadata worth keeping.

    Raises:
        PictureError: it is not a picture of that kind, is damaged or cut off, or too large.
    """
    limits = limits or PictureLimits()
    found = media_type_of(data)
    if found is None:
        if not len(data):
            raise PictureError("The file is empty.", "Copy it again from its source.")
        raise PictureError("The file is no picture that can be read.", "Save it as a PNG, JPEG, TIFF or WebP.")
    if media_type is not None and media_type != found:
        raise PictureError(f"The file is {found}, not {media_type} as it claims.", "Give it its right type.")
    with _decoder_errors(found):
        photograph = _decode_tiff(data, limits) if found == "image/tiff" else _decode_with_pillow(data, found, limits)
    embedded = read_embedded(data)
    return replace(photograph, metadata=replace(photograph.metadata, xmp=embedded.xmp, iptc=embedded.iptc))


def decode_hints(data: bytes | memoryview, limits: PictureLimits | None = None) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Decode strokes of colour.

    Args:
        data: a PNG with transparent ground.
        limits: bounds on its size.

    Returns:
        (height, width, 4) uint8, sRGB, straight alpha.

    Raises:
        HintsError: it is not a PNG with an alpha channel.
        PictureError: it is damaged or too large.
    """
    if media_type_of(data) != "image/png":
        raise HintsError("The hints are not a PNG picture.", "Save the strokes as a PNG with transparency.")
    with _decoder_errors("image/png"):
        photograph = _decode_with_pillow(data, "image/png", limits or PictureLimits())
    if not photograph.has_alpha:
        raise HintsError("The hints have no transparency.", "Paint them on a transparent layer and save that as a PNG.")
    pixels = photograph.pixels
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    if pixels.shape[2] == 2:
        pixels = pixels[..., (0, 0, 0, 1)]
    hints = np.ascontiguousarray(pixels, np.uint8)
    if photograph.profile is SRGB or photograph.profile is GREY_PROFILES["srgb"]:
        return hints
    return np.concatenate([_colours_in_srgb(photograph), hints[..., 3:]], axis=-1)


def _colours_in_srgb(photograph: Photograph) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the colours of a photograph, (height, width, 3) uint8, sRGB; those that sRGB has not are clipped."""
    profile = photograph.profile
    matrix = np.eye(3)
    if not isinstance(profile, GreyProfile):
        matrix = np.linalg.inv(SRGB.to_relative_xyz) @ profile.to_relative_xyz
    colours = np.empty((photograph.height, photograph.width, 3), np.uint8)
    rows = max(1, STRIP_PIXELS // photograph.width)
    for start in range(0, photograph.height, rows):
        linear = np.tensordot(matrix.astype(np.float32), photograph.linear_rgb(start, start + rows), 1)
        encoded = SRGB.encoded_from_linear(np.clip(np.moveaxis(linear, 0, -1), 0, 1))
        colours[start : start + rows] = np.rint(encoded * 255)
    return colours


@contextlib.contextmanager
def _decoder_errors(media_type: str) -> Iterator[None]:
    """Turn whatever a decoder raises into a PictureError."""
    name = MEDIA_TYPES[media_type]
    try:
        with warnings.catch_warnings():
            # Decoders warn of oddities in metadata; a picture that decodes is good enough for a painter.
            warnings.simplefilter("ignore")
            yield
    except (PictureError, HintsError):
        raise
    except MemoryError:
        raise
    except Exception as error:  # decoders raise whatever they like on damaged files
        raise PictureError(
            f"The {name} picture is damaged or cut off.", "Copy it again from its source, or save it again."
        ) from error


def _decode_with_pillow(data: bytes | memoryview, media_type: str, limits: PictureLimits) -> Photograph:
    # Our own limits are checked below; Pillow's would only warn.
    with _opened_by_pillow(data, media_type) as image:
        limits.check(*image.size)
        icc = image.info.get("icc_profile")
        if media_type == "image/png" and "exif" not in image.info:
            image.load()  # the block may come after the pixels
        orientation = _orientation(image)
        metadata = _metadata(image)
        if media_type == "image/png" and _png_bit_depth(data) == 16:
            pixels = _as_channels(imagecodecs.png_decode(bytes(data)))
            if "transparency" in image.info and pixels.shape[2] in (1, 3):
                pixels = _with_keyed_alpha(pixels, image.info["transparency"])
            return _upright(_photograph(pixels, icc, metadata), orientation)
        image.load()
        bits = _png_bit_depth(data) if media_type == "image/png" else 8
        return _upright(_from_pillow(image, icc, metadata, bits), orientation)


def _opened_by_pillow(data: bytes | memoryview, media_type: str) -> Image.Image:
    formats = [MEDIA_TYPES[media_type]]
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    except UnidentifiedImageError:
        if media_type != "image/jpeg" or PREFIX not in bytes(data):
            raise
    # Pillow looks for the resolution in EXIF, and takes a JPEG for none where it stumbles over it.
    return Image.open(io.BytesIO(bytes(data).replace(PREFIX, b"none\0\0", 1)), formats=formats)


def _png_bit_depth(data: bytes | memoryview) -> int:
    return int(bytes(data[24:25])[0]) if len(data) > 25 else 0


def _with_keyed_alpha(pixels: Pixels, key: object) -> Pixels:
    """Add alpha for a PNG that names one transparent colour (tRNS)."""
    colour = np.array(key if isinstance(key, tuple) else (key,), pixels.dtype)
    opaque = np.any(pixels != colour, axis=-1, keepdims=True)
    alpha = opaque.astype(pixels.dtype) * np.iinfo(pixels.dtype).max
    return np.concatenate([pixels, alpha.astype(pixels.dtype)], axis=-1)


def _from_pillow(image: Image.Image, icc: bytes | None, metadata: Metadata, bits: int = 8) -> Photograph:
    keyed = "transparency" in image.info
    if keyed and image.mode == "L" and bits in (2, 4):
        image.info["transparency"] *= 255 // ((1 << bits) - 1)  # the pixels are spread over 8 bits, the level is not
    if image.mode in ("1", "L", "LA", "La") or (image.mode == "P" and not keyed and _palette_is_grey(image)):
        wanted = "LA" if keyed or image.mode in ("LA", "La") else "L"
    elif image.mode in ("I;16", "I;16B", "I;16L", "I"):
        return _photograph(_as_channels(np.asarray(image).astype(np.uint16)), icc, metadata)
    elif image.mode == "CMYK":
        return Photograph(np.asarray(_cmyk_to_srgb(image, icc)), SRGB, metadata)
    else:
        wanted = "RGBA" if keyed or image.mode in ("RGBA", "RGBa", "PA") else "RGB"
    converted = image if image.mode == wanted else image.convert(wanted)
    return _photograph(_as_channels(np.asarray(converted)), icc, metadata)


def _palette_is_grey(image: Image.Image) -> bool:
    palette = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    return bool(np.all(palette == palette[:, :1]))


def _as_channels(pixels: Any) -> Pixels:
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _photograph(pixels: Any, icc: bytes | None, metadata: Metadata) -> Photograph:
    """Give pixels the meaning that their profile says, or sRGB where there is none that fits."""
    if icc and pixels.shape[2] <= 2 and icc[16:20] == b"RGB ":
        # An indexed picture's profile is that of its colours, grey ones too (PNG and TIFF say so).
        pixels = pixels[..., [0, 0, 0, *range(1, pixels.shape[2])]]
    grey = pixels.shape[2] <= 2
    default: Profile = GREY_PROFILES["srgb"] if grey else SRGB
    if not icc:
        return Photograph(pixels, default, metadata)
    try:
        profile = read_profile(icc)
    except UnreadableProfileError:
        return Photograph(_managed_to_srgb(pixels, icc), default, metadata)
    if isinstance(profile, GreyProfile) != grey:
        # A profile for another kind of picture says nothing about this one.
        return Photograph(pixels, default, metadata)
    return Photograph(pixels, profile, metadata if grey else replace(metadata, icc=icc))


def _managed_to_srgb(pixels: Pixels, icc: bytes) -> Pixels:
    """Convert pixels through a profile that only LittleCMS can read; alpha is carried over.

    A damaged profile is as good as none: the pixels come back unchanged.
    """
    grey, has_alpha = pixels.shape[2] <= 2, pixels.shape[2] in (2, 4)
    colour = pixels[..., :1] if grey else pixels[..., :3]
    try:
        target = imagecodecs.cms_profile("srgb")
        rgb = imagecodecs.cms_transform(
            np.ascontiguousarray(colour[..., 0] if grey else colour),
            icc,
            target,
            colorspace="gray" if grey else "rgb",
            outcolorspace="rgb",
        )
    except Exception:  # noqa: BLE001  (LittleCMS through imagecodecs raises its own class, or a plain ValueError)
        return pixels
    result = rgb[..., 1:2] if grey else rgb
    return np.concatenate([result, pixels[..., -1:]], axis=-1) if has_alpha else result


def _cmyk_to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    if icc:
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            converted = ImageCms.profileToProfile(
                image, io.BytesIO(icc), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if converted is not None:
                return converted
    return image.convert("RGB")


def _orientation(image: Image.Image) -> int:
    with contextlib.suppress(*_DAMAGED_EXIF):
        return _whole_number(image.getexif().get(ExifTags.Base.Orientation))
    return 1


def _whole_number(value: object) -> int:
    """Return an orientation as it should be written; 1 for what is none, the first of several."""
    first = value[0] if isinstance(value, tuple) and value else value
    return int(first) if isinstance(first, int) else 1


def _metadata(image: Image.Image) -> Metadata:
    block = image.info.get("exif")
    if block is None:  # from an old PNG's text
        with contextlib.suppress(*_DAMAGED_EXIF):
            exif = image.getexif()
            block = exif.tobytes() if exif else None
    return Metadata(_dpi(image), clean_block(block.removeprefix(PREFIX)) if block else None)


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    dpi = image.info.get("dpi")
    if isinstance(dpi, tuple) and len(dpi) == 2:
        horizontal, vertical = float(dpi[0]), float(dpi[1])
        if 1 <= horizontal <= 100_000 and 1 <= vertical <= 100_000:
            return (horizontal, vertical)
    return None


def _upright(photograph: Photograph, orientation: int) -> Photograph:
    """Turn a photograph as EXIF's Orientation asks: 1..8; anything else means upright."""
    pixels: Any = photograph.pixels
    metadata = photograph.metadata
    if orientation not in range(2, 9):
        return photograph
    if orientation in _LYING:
        pixels = np.swapaxes(pixels, 0, 1)
        if metadata.dpi is not None:
            metadata = replace(metadata, dpi=metadata.dpi[::-1])
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return Photograph(np.ascontiguousarray(pixels), photograph.profile, metadata)


def _decode_tiff(data: bytes | memoryview, limits: PictureLimits) -> Photograph:
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        page, directory = full_picture(tiff)
        limits.check(page.imagewidth, page.imagelength)
        check_samples(page)
        tag = page.tags.get(34675)
        icc = bytes(tag.value) if tag is not None and isinstance(tag.value, bytes) else None
        orientation = orientation_of(page)
        photometric = photometric_of(page)
        simple = 8 <= page.bitspersample <= 16 and photometric in (0, 1, 2)
        pixels = full_range(page.asarray(), page.bitspersample) if simple else None
        extra = tuple(int(e) for e in page.extrasamples)
        planar = int(page.planarconfig)
    metadata = _tiff_metadata(data)
    if pixels is None:
        # Palettes, bilevel, YCbCr and CMYK are 8-bit matters, which Pillow knows well.
        with Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
            image.seek(directory)
            if image.size not in ((page.imagewidth, page.imagelength), (page.imagelength, page.imagewidth)):
                raise PictureError("The whole picture is hidden in the TIFF file.", "Save it as a TIFF of its own.")
            image.load()  # turns it upright, unlike pictures of other formats
            mend_palette(image, page)
            if orientation_is_bytes(page):
                return _upright(_from_pillow(image, icc, metadata), orientation)
            if orientation in _LYING and metadata.dpi is not None:
                metadata = replace(metadata, dpi=metadata.dpi[::-1])
            return _from_pillow(image, icc, metadata)
    if pixels.ndim == 3 and planar == 2:
        pixels = np.moveaxis(pixels, 0, -1)
    pixels = _as_channels(pixels)
    if photometric == 0:
        pixels[..., 0] = np.iinfo(pixels.dtype).max - pixels[..., 0]  # not what follows: alpha counts from transparent
    wanted = (1 if photometric in (0, 1) else 3) + (1 if extra and extra[0] in (1, 2) else 0)
    pixels = pixels[..., :wanted]
    if extra and extra[0] == 1:
        pixels = straight(pixels)
    return _upright(_photograph(np.ascontiguousarray(pixels), icc, metadata), orientation)


def _tiff_metadata(data: bytes | memoryview) -> Metadata:
    dpi = None
    # Pillow cannot open every TIFF that tifffile can; its resolution is a bonus.
    with contextlib.suppress(Exception), Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
        dpi = _dpi(image)
    return Metadata(dpi, block_from_tiff(data))
