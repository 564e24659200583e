"""Small pictures of every kind that the decoders know, and bodies made of them."""

import functools
import io
from collections.abc import Iterator

import imagecodecs
import numpy as np
import tifffile
from PIL import Image, ImageCms, TiffImagePlugin

GREY = (np.add.outer(np.arange(24), np.arange(32)) * 4).astype(np.uint8)


def _saved(image: Image.Image, kind: str, **rest: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **rest)
    return stream.getvalue()


def _tiff(pixels: np.ndarray, **rest: object) -> bytes:  # type: ignore[type-arg]
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **rest)  # type: ignore[arg-type]
    return stream.getvalue()


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Camera"
    return exif.tobytes()


@functools.cache
def pictures() -> tuple[tuple[str, bytes], ...]:
    """Return (media type, file) pairs."""
    return tuple(_pictures())


def _pictures() -> Iterator[tuple[str, bytes]]:
    grey = Image.fromarray(GREY)
    rgb = Image.merge("RGB", (grey, grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT), grey))
    rgba = rgb.copy()
    rgba.putalpha(grey)
    grey_alpha = grey.copy()
    grey_alpha.putalpha(grey)
    palette = rgb.quantize(16)
    grey_palette = grey.quantize(16)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    deep = GREY.astype(np.uint16) * 257
    deep_rgb = np.stack([deep, deep[::-1], deep], axis=-1)
    deep_rgba = np.concatenate([deep_rgb, deep[..., None]], axis=-1)

    for image in (grey, rgb, rgba, grey_alpha, palette, grey_palette, grey.convert("1")):
        yield "image/png", _saved(image, "PNG")
    yield "image/png", _saved(palette, "PNG", transparency=3)
    yield "image/png", _saved(grey, "PNG", transparency=40)
    yield "image/png", _saved(rgb, "PNG", transparency=(0, 0, 0))
    yield "image/png", _saved(rgb, "PNG", icc_profile=srgb, dpi=(300, 300), exif=_exif(6))
    yield "image/png", _saved(grey, "PNG", icc_profile=srgb)
    yield "image/png", _saved(rgb, "PNG", icc_profile=lab)
    yield "image/png", _saved(rgb, "PNG", icc_profile=b"not a profile")
    for pixels in (deep, deep_rgb, deep_rgba, np.stack([deep, deep], axis=-1)):
        yield "image/png", bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels)))
    yield "image/jpeg", _saved(grey, "JPEG", dpi=(72, 72))
    yield "image/jpeg", _saved(rgb, "JPEG", icc_profile=srgb, exif=_exif(8), progressive=True)
    yield "image/jpeg", _saved(rgb.convert("CMYK"), "JPEG")
    yield "image/jpeg", _saved(rgb.convert("CMYK"), "JPEG", icc_profile=srgb)
    for orientation in range(2, 9):
        yield "image/jpeg", _saved(rgb, "JPEG", exif=_exif(orientation))
    for image in (rgb, rgba, grey):
        yield "image/webp", _saved(image, "WEBP", lossless=True)
    yield "image/webp", _saved(rgb, "WEBP", quality=70, icc_profile=srgb, exif=_exif(3))
    for image in (grey, rgb, rgba, grey_alpha, palette, grey.convert("1"), rgb.convert("CMYK")):
        yield "image/tiff", _saved(image, "TIFF")
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield "image/tiff", _saved(rgb, "TIFF", compression=compression)
    yield "image/tiff", _saved(grey.convert("1"), "TIFF", compression="group4")
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[274] = 6
    yield "image/tiff", _saved(rgb, "TIFF", tiffinfo=info, icc_profile=srgb, dpi=(300, 300))
    for pixels in (deep, deep_rgb, deep_rgba):
        yield "image/tiff", _tiff(pixels)
        yield "image/tiff", _tiff(pixels, compression="zlib", predictor=True)
    yield "image/tiff", _tiff(deep_rgb, byteorder=">", tile=(16, 16), photometric="rgb")
    yield "image/tiff", _tiff(np.moveaxis(deep_rgb, -1, 0), photometric="rgb", planarconfig="separate")
    yield "image/tiff", _tiff(GREY.astype(np.float32) / 255)
    broken = GREY.astype(np.float32)
    broken[3, 4] = np.nan
    yield "image/tiff", _tiff(broken)
    yield "image/tiff", _tiff(GREY.astype(np.uint32))
    yield "image/tiff", _tiff(np.stack([GREY] * 4, axis=-1), photometric="separated")
    yield "image/tiff", _tiff(255 - GREY, photometric="miniswhite")
    yield "image/tiff", _tiff(np.stack([GREY, GREY]), bigtiff=True)


@functools.cache
def hints() -> bytes:
    """Return hints that fit the pictures."""
    image = Image.new("RGBA", (GREY.shape[1], GREY.shape[0]))
    image.paste((200, 30, 30, 255), (4, 4, 12, 12))
    return _saved(image, "PNG")
