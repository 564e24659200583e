"""What the plug-in says when the picture changed while the server worked on it; GIMP is stood in for.

What GIMP itself does is tested in a real GIMP; there, an image cannot be made to vanish at a chosen moment.
"""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest


@pytest.fixture
def source_module(stood_in: Callable[[str], ModuleType]) -> ModuleType:
    return stood_in("source")


def make_source(
    module: ModuleType, *, image_valid: bool = True, layer_valid: bool = True, x: int = 0, locked: bool = False
) -> object:
    group = SimpleNamespace(
        get_name=lambda: "Scans",
        get_lock_content=lambda: False,
        get_lock_position=lambda: locked,
        get_parent=lambda: None,
    )
    layer = SimpleNamespace(
        is_valid=lambda: layer_valid,
        get_offsets=lambda: (True, x, 0),
        get_width=lambda: 64,
        get_height=lambda: 48,
        get_parent=lambda: group,
    )
    return module.Source(SimpleNamespace(is_valid=lambda: image_valid), layer, 64, 48, 0, 0, False, 8)


def test_a_picture_that_is_as_it_was_is_accepted(source_module: ModuleType) -> None:
    make_source(source_module).check_unchanged()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_valid": False}, "The picture was closed .+; nothing was changed. Open it and colorize it again."),
        ({"layer_valid": False}, "The layer was deleted .+; nothing was changed. Click the photograph's layer"),
        ({"locked": True}, "group “Scans”, whose position is locked.+; nothing was changed. Unlock the group"),
        ({"x": 5}, "was moved or resized .+; nothing was changed. Colorize it again."),
    ],
)
def test_a_picture_that_changed_is_refused_in_words(
    source_module: ModuleType, change: dict[str, object], message: str
) -> None:
    with pytest.raises(source_module.RefusalError, match=message):
        make_source(source_module, **change).check_unchanged()


def test_the_plug_ins_version_is_the_servers() -> None:
    import ast

    from colorize_server import __version__

    script = Path(__file__).parents[3] / "gimp_plugin" / "colorize" / "commands.py"
    tree = ast.parse(script.read_text())
    values = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}
    assert ast.literal_eval(values["VERSION"]) == __version__
