"""The record of a run of the picture path."""

from .. import __version__
from ..model import Model
from ..picture.options import Host, Options, Output
from .record import Record


def record_of(
    model: Model, options: Options, *, with_hints: bool, source: str | None = None, is_layered: bool = False
) -> Record:
    """Return the record of one picture.

    Args:
        model: that ran.
        options: that it ran with.
        with_hints: whether colours were painted.
        source: name of the photograph's file, without its folder; None where it is not known.
        is_layered: whether the output is a layered file.
    """
    is_layer = options.output is Output.LAYER and not is_layered
    settings = {
        "output": "layers" if is_layered else options.output.value,
        **({"host": options.host.value} if options.host is not Host.NONE else {}),
        **({"blend": options.blend.value} if is_layer else {}),
        "size": str(model.card.check_size(options.size)),
        "saturation": f"{options.saturation:g}",
    }
    return Record(
        version=__version__,
        model=f"{model.card.name} {model.card.version}",
        model_sha256=model.sha256,
        settings=settings,
        with_hints=with_hints,
        is_layer=is_layer,
        source=source,
    )
