"""How large a picture may be, checked on its header."""

from dataclasses import dataclass

from ..errors import PictureError
from ..settings import MAX_PIXELS, MAX_SIDE


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """Bounds on a picture, checked on its header, before any pixel is decoded.

    Attributes:
        max_pixels: largest width x height.
        max_side: largest width or height.
    """

    max_pixels: int = MAX_PIXELS
    max_side: int = MAX_SIDE

    def check(self, width: int, height: int) -> None:
        """Raise PictureError if a picture of that size is too large, or empty."""
        if width < 1 or height < 1:
            raise PictureError("The picture has no pixels.", "Save it again from the program that made it.")
        if width * height > self.max_pixels or max(width, height) > self.max_side:
            raise PictureError(
                f"A picture of {width} by {height} pixels is too large.",
                f"At most {self.max_pixels // 1_000_000} megapixels and {self.max_side} pixels a side are taken.",
                code="picture_too_large",
                status=413,
            )


def unsupported(message: str, hint: str) -> PictureError:
    """Return the error for a picture that is whole, but of a kind that nothing here reads."""
    return PictureError(message, hint, code="unsupported_media_type", status=415)
