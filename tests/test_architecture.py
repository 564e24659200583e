"""Who may import whom: the floors of the house, as CONTRIBUTING draws them.

A room may import rooms on lower floors only, wherever in a file the import stands.
"""

import ast
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

SERVER = (
    ("errors", "privacy", "interrupts", "settings", "color", "contract", "media_types"),
    ("files", "folders"),
    ("model", "installation"),
    ("backends",),
    ("picture",),
    ("formats", "provenance"),
    ("samples",),
    ("tensorrt",),
    ("inference", "install"),
    ("archive", "daemon"),
    ("cli",),
    ("entry",),
)
TRAINING = (
    ("errors", "color"),
    ("config", "files"),
    ("data", "networks"),
    ("samples",),
    ("models",),
    ("measure",),
    ("loop",),
    ("finetune",),
    ("cli",),
    ("entry",),
)
"""From the ground up; a room is a folder, or a file beside the folders; rooms that share one do not know each other."""

Edges = set[tuple[str, str]]


def imported(path: Path, module: str) -> Iterable[str]:
    """Yield the full names of what a file imports, relative names resolved; `a.b` for `from a import b` too."""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def files_of(package: Path) -> Iterable[tuple[Path, str]]:
    for path in sorted(package.rglob("*.py")):
        parts = [package.name, *path.relative_to(package).with_suffix("").parts]
        yield path, ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def edges_between_rooms(package: Path, rooms: set[str]) -> Edges:
    """Return (importing room, imported room)."""
    edges = set()
    for path, module in files_of(package):
        own = module.split(".")[1:2]
        for name in imported(path, module):
            parts = name.split(".")
            if own and parts[0] == package.name and len(parts) > 1 and parts[1] in rooms and parts[1] != own[0]:
                edges.add((own[0], parts[1]))
    return edges


def upward(edges: Edges, floors: tuple[tuple[str, ...], ...]) -> Edges:
    """Return the edges that do not lead down."""
    floor_of = {room: floor for floor, names in enumerate(floors) for room in names}
    return {(a, b) for a, b in edges if floor_of[b] >= floor_of[a]}


def rooms_on_disk(package: Path) -> set[str]:
    folders = {path.name for path in package.iterdir() if (path / "__init__.py").exists()}
    return folders | {path.stem for path in package.glob("*.py") if path.name != "__init__.py"}


PACKAGES = [
    pytest.param(REPOSITORY / "server/colorize_server", SERVER, id="server"),
    pytest.param(REPOSITORY / "training/colorize_training", TRAINING, id="training"),
]


@pytest.mark.parametrize(("package", "floors"), PACKAGES)
def test_every_room_has_its_floor(package: Path, floors: tuple[tuple[str, ...], ...]):
    assert rooms_on_disk(package) == {room for names in floors for room in names}


@pytest.mark.parametrize(("package", "floors"), PACKAGES)
def test_imports_lead_down(package: Path, floors: tuple[tuple[str, ...], ...]):
    rooms = {room for names in floors for room in names}
    assert upward(edges_between_rooms(package, rooms), floors) == set()


@pytest.mark.parametrize(("package", "floors"), PACKAGES)
def test_no_files_import_each_other_in_a_circle(package: Path, floors: tuple[tuple[str, ...], ...]):
    modules = {module: path for path, module in files_of(package)}
    graph = {
        module: {
            known for name in imported(path, module) for known in (name, name.rpartition(".")[0]) if known in modules
        }
        - {module}
        for module, path in modules.items()
        if path.name != "__init__.py"  # a folder's face hands names on
    }
    while leaves := {module for module, names in graph.items() if not names & graph.keys()}:
        graph = {module: names for module, names in graph.items() if module not in leaves}
    assert graph == {}


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("server/colorize_server", {"torch", "colorize_training"}),
        ("server/colorize_server/daemon", {"onnxruntime", "tensorrt", "PIL", "tifffile"}),
        ("training/colorize_training", {"aiohttp", "colorize_server.daemon", "colorize_server.inference"}),
    ],
)
def test_what_must_stay_outside_stays_outside(folder: str, forbidden: set[str]):
    package = REPOSITORY / folder
    found = {
        (module, name)
        for path, module in files_of(package)
        for name in imported(path, f"colorize_server.{module}" if package.name == "daemon" else module)
        if any(name == word or name.startswith(f"{word}.") for word in forbidden)
    }
    assert found == set()


def test_the_gimp_plug_in_needs_the_standard_library_and_gimp_only():
    folder = REPOSITORY / "gimp_plugin/colorize"
    allowed = sys.stdlib_module_names | {"gi"} | {path.stem for path in folder.glob("*.py")}
    found = {name.split(".")[0] for path in folder.glob("*.py") for name in imported(path, path.stem)}
    assert found - allowed == set()


def test_an_import_that_leads_up_is_seen(tmp_path: Path):
    """The check can fail."""
    package = tmp_path / "house"
    for room, text in {"ground": "from ..top.tower import bell\n", "top": "from ..ground import floor\n"}.items():
        (package / room).mkdir(parents=True)
        (package / room / "__init__.py").touch()
        (package / room / ("tower.py" if room == "top" else "floor.py")).write_text(text)
    edges = edges_between_rooms(package, {"ground", "top"})
    assert edges == {("ground", "top"), ("top", "ground")}
    assert upward(edges, (("ground",), ("top",))) == {("ground", "top")}
