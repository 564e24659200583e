"""What the tests in a real GIMP do over and over."""

from pathlib import Path

from gimp_root import Gimp, Session

PHOTOGRAPHS = [
    "abraham-lincoln-1860s.jpg",
    "appalachian-loggers-1901.jpg",
    "apsaroke-1908.jpg",
    "girl-1870.jpg",
    "migrant-mother-1936.jpg",
    "new-york-blizzard-1899.jpg",
    "walt-whitman-1880s.jpg",
]
GIRL = "girl-1870.jpg"
LINCOLN = "abraham-lincoln-1860s.jpg"

Opened = tuple[int, int]
"""Number of an image and of the photograph's layer in it."""


def open_photograph(gimp: Gimp, session: Session, file: Path) -> Opened:
    opened = gimp.call("open_image", path=session.share(file))
    return opened["image"], opened["layers"][0]


def layer_of(description: dict, number: int) -> dict:
    return next(layer for layer in description["layers"] if layer["id"] == number)


def colorize(gimp: Gimp, image: int, layers: list[int], **values: object) -> dict:
    """Colorize and return the description of the new layer."""
    result = gimp.call("colorize", image=image, drawables=layers, **values)
    assert result["status"] == "success", result["error"]
    return layer_of(gimp.call("describe", image=image), result["layer"])


def check_layer(colour: dict, source: dict, earlier: int = 0) -> None:
    """The new layer lies above its source and so many earlier results, fits it, and colours it in LCh Color mode."""
    assert colour["mode"] == "lch-color"
    assert colour["spaces"] == ["auto", "auto"]
    assert colour["composite_mode"] == "auto"
    assert colour["opacity"] == 100
    assert colour["visible"]
    assert colour["offsets"] == source["offsets"]
    assert colour["size"] == source["size"]
    assert colour["parent"] == source["parent"]
    assert colour["position"] == source["position"] - 1 - earlier
