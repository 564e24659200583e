"""What the plug-in says when the picture changed while the server worked on it; GIMP is stood in for.

What GIMP itself does is tested in a real GIMP; there, an image cannot be made to vanish at a chosen moment.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import MagicMock

import pytest


@pytest.fixture
def source_module() -> Iterator[ModuleType]:
    """The plug-in's module, with stand-ins for what only GIMP's Python has."""
    stand_ins = {"gi": MagicMock(), "gi.repository": MagicMock()}
    names = [*stand_ins, "source", "provenance"]
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.modules.update(stand_ins)
    import source

    yield source
    for name in names:
        sys.modules.pop(name, None)
    sys.modules.update(before)


def make_source(module: ModuleType, *, image_valid: bool = True, layer_valid: bool = True, x: int = 0) -> object:
    layer = SimpleNamespace(
        is_valid=lambda: layer_valid,
        get_offsets=lambda: (True, x, 0),
        get_width=lambda: 64,
        get_height=lambda: 48,
    )
    return module.Source(SimpleNamespace(is_valid=lambda: image_valid), layer, 64, 48, 0, 0, False, 8)


def test_a_picture_that_is_as_it_was_is_accepted(source_module: ModuleType) -> None:
    make_source(source_module).check_unchanged()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_valid": False}, "The picture was closed .+; nothing was changed. Open it and colorize it again."),
        ({"layer_valid": False}, "The layer was deleted .+; nothing was changed. Click the photograph's layer"),
        ({"x": 5}, "was moved or resized .+; nothing was changed. Colorize it again."),
    ],
)
def test_a_picture_that_changed_is_refused_in_words(
    source_module: ModuleType, change: dict[str, object], message: str
) -> None:
    with pytest.raises(source_module.RefusalError, match=message):
        make_source(source_module, **change).check_unchanged()


@pytest.mark.parametrize(("depth", "sample"), [(8, 1), (16, 2)])
def test_alpha_that_is_all_zero_is_seen(source_module: ModuleType, depth: int, sample: int) -> None:
    """Whatever grey lies under it; in 16 bits either byte of alpha counts."""
    clear = (b"\x68" * sample + b"\0" * sample) * 100
    assert source_module._is_clear(clear, depth)
    for byte in range(sample):
        touched = bytearray(clear)
        touched[2 * sample * 50 + sample + byte] = 1
        assert not source_module._is_clear(bytes(touched), depth)


def test_the_plug_ins_version_is_the_servers() -> None:
    import ast

    from colorize_server import __version__

    script = Path(__file__).parents[3] / "gimp_plugin" / "colorize" / "colorize.py"
    tree = ast.parse(script.read_text())
    values = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}
    assert ast.literal_eval(values["VERSION"]) == __version__
