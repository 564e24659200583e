"""Media types of what goes in and what comes out, each written down once."""

from typing import Final

RAW: Final = "application/octet-stream"
"""Raw pixels."""
JSON: Final = "application/json"
MULTIPART: Final = "multipart/form-data"
PNG: Final = "image/png"
JPEG: Final = "image/jpeg"
TIFF: Final = "image/tiff"
WEBP: Final = "image/webp"
GIF: Final = "image/gif"
BMP: Final = "image/bmp"
PSD: Final = "image/vnd.adobe.photoshop"
"""Layered files, which are written and never read."""
XMP: Final = "application/rdf+xml"
"""A record of where colours came from."""
NAMES: Final = {PNG: "PNG", JPEG: "JPEG", TIFF: "TIFF", WEBP: "WebP", GIF: "GIF", BMP: "BMP"}
"""Pictures that are read, and what people call their formats."""
ENCODED: Final = (PNG, JPEG, TIFF, WEBP)
"""Kinds of encoded pictures that the daemon takes; nothing else reaches a decoder there."""
