"""Fixtures: the plug-in's modules, the real server, and a real GIMP 3."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
# The plug-in's modules are not a package: GIMP runs them from their folder.
PLUG_IN = REPOSITORY / "gimp_plugin" / "colorize"
sys.path[:0] = [str(HERE), str(PLUG_IN)]

import faults  # noqa: E402 - the path comes first
from actions import GIRL, LINCOLN, Opened, open_photograph  # noqa: E402 - the path comes first
from gimp_root import Gimp, Session, root_folder  # noqa: E402
from real_daemon import SHIPPED_MODEL, Daemon  # noqa: E402

REQUIRE_VARIABLE = "COLORIZE_REQUIRE_GIMP"


@pytest.fixture
def stood_in() -> Iterator[Callable[[str], ModuleType]]:
    """Import a module of the plug-in by name, where GIMP and what only its Python has are stood in for."""
    gi = MagicMock()
    gi.repository.Gimp.PlugIn = object
    stand_ins = {"gi": gi, "gi.repository": gi.repository}
    names = [*stand_ins, *(file.stem for file in PLUG_IN.glob("*.py"))]
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.modules.update(stand_ins)
    yield import_module
    for name in names:
        sys.modules.pop(name, None)
    sys.modules.update(before)


@pytest.fixture(scope="session")
def tiny_daemon(tmp_path_factory: pytest.TempPathFactory, tiny_model_path: Path) -> Iterator[Daemon]:
    """The real server with a model that takes no time."""
    daemon = Daemon(tmp_path_factory.mktemp("state"), tiny_model_path)
    yield daemon
    daemon.close()


def is_there(root: Path) -> bool:
    return any(root.glob(".complete-*"))


@pytest.fixture(scope="session")
def gimp_root() -> Path:
    """The folder with GIMP; where it is demanded (CI) its absence is a failure, elsewhere the test is skipped."""
    root = root_folder()
    reason = ""
    if os.name != "posix" or os.geteuid() != 0:
        reason = "a real GIMP needs root (chroot)"
    elif not is_there(root):
        reason = "there is no GIMP yet; make test-gimp makes it"
    if reason and os.environ.get(REQUIRE_VARIABLE):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    return root


@pytest.fixture(scope="session")
def session(gimp_root: Path) -> Iterator[Session]:
    """A GIMP profile with the plug-in as ``colorize-server install gimp`` puts it there."""
    session = Session(gimp_root)
    try:
        session.install_plug_in()
        yield session
    finally:
        session.remove()


@pytest.fixture(scope="session")
def daemon(session: Session) -> Iterator[Daemon]:
    """The real server with the shipped model, found by the plug-in."""
    model = os.environ.get("COLORIZE_TEST_MODEL")
    assert model or SHIPPED_MODEL.exists(), f"{SHIPPED_MODEL} is missing"
    daemon = Daemon(session.folder / "state", Path(model) if model else None)
    session.use_state(daemon.state_file)
    yield daemon
    daemon.close()


@pytest.fixture(scope="session")
def gimp(session: Session, daemon: Daemon) -> Iterator[Gimp]:
    """A running gimp-console, one for all tests.

    It is started twice, because GIMP knows a plug-in's arguments from its cache from the second start on, and an empty
    text comes back from there as none.
    """
    Gimp(session).close()
    gimp = Gimp(session)
    yield gimp
    gimp.close()


@pytest.fixture(autouse=True)
def _plug_in_finds_the_daemon(request: pytest.FixtureRequest) -> Iterator[None]:
    """Undo what a test did to the plug-in's record of its server."""
    if "gimp" not in request.fixturenames:
        yield
        return
    record = request.getfixturevalue("session").plug_in / "server.json"
    before = json.loads(record.read_text())
    yield
    record.write_text(json.dumps(before))


@pytest.fixture
def girl(gimp: Gimp, session: Session, photographs: Path) -> Iterator[Opened]:
    """A photograph in GIMP, in RGB: image and layer."""
    opened = open_photograph(gimp, session, photographs / GIRL)
    yield opened
    gimp.call("close", image=opened[0])


@pytest.fixture
def small(gimp: Gimp, session: Session, photographs: Path) -> Iterator[Opened]:
    """A small photograph in GIMP, converted to RGB: image and layer."""
    opened = open_photograph(gimp, session, photographs / LINCOLN)
    gimp.call("convert", image=opened[0], base="RGB")
    yield opened
    gimp.call("close", image=opened[0])


@pytest.fixture
def no_program(session: Session) -> None:
    """A plug-in that cannot start a server."""
    session.record(command=["/nowhere/colorize-server"])


@pytest.fixture
def faulty(session: Session, no_program: None) -> Iterator[Callable[[Callable[[faults.Exchange], None]], int]]:
    """Let the plug-in find a server that misbehaves."""
    servers: list[faults.FaultyServer] = []

    def start(behave: Callable[[faults.Exchange], None]) -> int:
        servers.append(faults.FaultyServer(behave))
        session.use_state(servers[-1].write_state(session.folder / "faulty"))
        return servers[-1].port

    yield start
    for server in servers:
        server.close()
