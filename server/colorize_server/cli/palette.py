"""``colorize palette``: which colours places of a photograph may have, as a file that GIMP and Photoshop load."""

import argparse
from pathlib import Path

from ..backends import open_backend
from ..errors import ColorizeError, HintsError, NoSuggestionsError, OutputError, PictureError
from ..files import write_whole
from ..formats.decode import decode_hints, decode_picture
from ..formats.swatches import Swatch, encode_palette
from ..model import load_model, shipped_model_path
from ..picture.colorizer import Colorizer
from ..picture.hints import Rgba, check_strokes
from ..picture.options import MOST_PLACES
from ..picture.suggestions import Place
from .main import Subparsers
from .model_option import add_model_option


def add_parser(subparsers: Subparsers) -> None:
    """See `colorize_server.cli.main.Command.add_parser`."""
    parser = subparsers.add_parser(
        "palette",
        help="colours that places of a photograph may have, for GIMP and Photoshop",
        description=(
            "Write the colours that places of a photograph may have as a palette: up to seven for each place, at the "
            "photograph's lightness, the likeliest first."
        ),
        epilog="Example:  colorize palette grandmother.jpg --at 410,220 --at 380,600",
    )
    parser.add_argument("photo", type=Path, metavar="PHOTO", help="the photograph")
    parser.add_argument(
        "--at",
        dest="places",
        type=_place,
        action="append",
        required=True,
        metavar="X,Y",
        help=f"a place, in pixels from the left and the top; up to {MOST_PLACES} times",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="the palette: .ase and .aco for Photoshop, .gpl for GIMP and Krita, and GIMP loads all three "
        "(default: beside the photograph, .ase)",
    )
    parser.add_argument(
        "--hints",
        type=Path,
        metavar="FILE",
        help="PNG as large as the photograph, with the strokes that you have painted: their colours come first",
    )
    add_model_option(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")


def run(args: argparse.Namespace) -> int:
    """See `colorize_server.cli.main.Command.run`."""
    photo: Path = args.photo
    target: Path = args.output or photo.with_name(f"{photo.stem}-palette.ase")
    encode_palette(target.suffix.lower(), "", [])  # an ending that cannot be written is told before anything is done
    if len(args.places) > MOST_PLACES:
        raise OutputError(f"{len(args.places)} places are too many for one palette.", f"Name up to {MOST_PLACES}.")
    if target.exists() and not args.overwrite:
        raise OutputError(f"{target} exists already.", "Use --overwrite to replace it.", code="output_exists")
    for read in (photo, args.hints):
        if read is not None and target.exists() and read.exists() and target.samefile(read):
            raise OutputError(f"{target} is a picture that is read.", "Write the palette elsewhere.")
    places = _suggestions(photo, args.places, args.hints, args.model)
    swatches = [swatch for place in places for swatch in _swatches(place)]
    palette = encode_palette(target.suffix.lower(), f"Colours for {photo.name}", swatches)
    write_whole(target, palette, "name another file with -o")
    for swatch in swatches:
        print("#{:02x}{:02x}{:02x}".format(*swatch.srgb), f" {swatch.name}")
    print(target)
    return 0


def _place(text: str) -> tuple[int, int]:
    parts = text.split(",")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise argparse.ArgumentTypeError(f"{text} is not a place: write X,Y, two whole numbers, as in 410,220")
    return int(parts[0]), int(parts[1])


def _suggestions(
    photo: Path, places: list[tuple[int, int]], hints: Path | None, model_path: Path | None
) -> list[Place]:
    model = load_model(model_path or shipped_model_path())
    if not model.suggests_colours:  # before a large scan is read
        raise NoSuggestionsError.of_model(f"{model.card.name} {model.card.version}")
    try:
        photograph = decode_picture(_read(photo))
    except ColorizeError as error:
        raise PictureError(f"{photo}: {error.message}", error.hint) from error
    strokes = None if hints is None else _strokes(hints)
    backend = open_backend("onnxruntime", model)  # computes suggestions whatever lays the colours
    colorizer = Colorizer(backend, model)
    try:
        found, _ = colorizer.suggest(photograph, places, hints=strokes)
    finally:
        colorizer.close()
        backend.close()
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PictureError(f"It cannot be read: {error.strerror or error}.") from error


def _strokes(path: Path) -> Rgba:
    try:
        strokes = decode_hints(_read(path))
        check_strokes(strokes)
    except ColorizeError as error:
        raise HintsError(f"The hints, {path}: {error.message}", error.hint) from error
    return strokes


def _swatches(place: Place) -> list[Swatch]:
    return [
        Swatch(
            f"{place.x},{place.y}: {'used here, ' if colour.is_used else ''}{100 * colour.share:.0f} %",
            colour.lab,
            colour.srgb,
        )
        for colour in place.colours
    ]
