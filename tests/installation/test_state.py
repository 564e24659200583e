"""The private folder: who may read it, what happens when it cannot be written."""

import contextlib
import errno
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from colorize_server.errors import ColorizeError, OutputError
from colorize_server.folders import home_folder
from colorize_server.installation.state import DaemonState, StateFolder
from colorize_server.model import own_models_folder

STATE = DaemonState("colorize-server", "1.2.3", 1, "127.0.0.1", 47811, 4711, "f" * 64)
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has access lists instead of modes")


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path / "a" / "state")
    folder.prepare()
    return folder


@posix_only
def test_the_folder_and_its_files_are_private(folder: StateFolder) -> None:
    """0700 and 0600, whatever the umask."""
    previous = os.umask(0)
    try:
        folder.save(STATE)
        folder.token()
        with folder.lock():
            pass
    finally:
        os.umask(previous)

    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    files = sorted(folder.path.iterdir())
    assert [file.name for file in files] == ["lock", "state.json", "token"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@posix_only
def test_a_folder_that_others_may_read_is_made_private(tmp_path: Path) -> None:
    """It may have been made by another program."""
    path = tmp_path / "state"
    path.mkdir(mode=0o755)
    StateFolder(path).prepare()

    assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """Whoever made the link chose where it leads."""
    (tmp_path / "real").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "real")

    with pytest.raises(OutputError, match="link"):
        StateFolder(tmp_path / "state").prepare()


def test_a_link_in_a_files_place_is_replaced_and_never_followed(folder: StateFolder, tmp_path: Path) -> None:
    """What it points to stays as it was."""
    target = tmp_path / "precious"
    target.write_text("precious")
    for file in (folder.state_file, folder.token_file):
        file.symlink_to(target)

    assert folder.load() is None
    assert folder.token() != "precious"
    folder.save(STATE)

    assert target.read_text() == "precious"
    assert folder.load() == STATE
    assert not folder.state_file.is_symlink()


def test_a_link_in_the_locks_place_is_refused(folder: StateFolder, tmp_path: Path) -> None:
    """Nothing is created where it points."""
    folder.lock_file.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OutputError), folder.lock():
        pass
    assert not (tmp_path / "elsewhere").exists()


@posix_only
def test_a_token_that_others_could_read_is_renewed(folder: StateFolder) -> None:
    """It is no secret any more."""
    token = folder.token()
    folder.token_file.chmod(0o644)

    assert folder.token() != token


def test_the_token_stays_until_it_is_rotated(folder: StateFolder) -> None:
    """Photoshop is paired once."""
    token = folder.token()

    assert folder.token() == token
    assert len(token) == 64
    rotated = folder.rotate_token()
    assert rotated != token
    assert folder.token() == rotated


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 5 + b"\n" + b"y" * 60, b"\xff" * 64])
def test_a_damaged_token_is_renewed(folder: StateFolder, content: bytes) -> None:
    """As if there were none."""
    folder.write(folder.token_file, content)

    assert len(folder.token()) == 64


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"port": 1}', b"null", b"\xff\xfe", STATE.__repr__().encode()]
)
def test_a_damaged_state_file_counts_as_none(folder: StateFolder, content: bytes) -> None:
    """It must never block a start."""
    folder.write(folder.state_file, content)

    assert folder.load() is None


def test_a_state_file_of_wrong_types_counts_as_none(folder: StateFolder) -> None:
    """A port that is no number, say."""
    folder.write(
        folder.state_file,
        b'{"product":"colorize-server","version":"1","protocol":1,"host":"127.0.0.1","port":"x","pid":1,"token":"t"}',
    )

    assert folder.load() is None


def test_only_its_own_daemon_removes_the_state_file(folder: StateFolder) -> None:
    """A late one must not remove its successor's."""
    folder.save(STATE)

    folder.forget(1)
    assert folder.load() == STATE
    folder.forget(STATE.pid)
    assert folder.load() is None


def test_the_lock_is_one_daemons(folder: StateFolder) -> None:
    """The second one is told, and gets it when the first has gone."""
    with folder.lock() as first, folder.lock() as second:
        assert (first, second) == (True, False)
    with folder.lock() as third:
        assert third


@pytest.mark.parametrize(
    ("name", "need"),
    [
        ("token", StateFolder.token),
        ("state.json", lambda folder: folder.save(STATE)),
        ("lock", lambda folder: contextlib.ExitStack().enter_context(folder.lock())),
    ],
)
def test_a_folder_in_a_files_place_is_named(
    folder: StateFolder, name: str, need: Callable[[StateFolder], object]
) -> None:
    """By whoever needs the file; what only reads takes it for none."""
    (folder.path / name).mkdir()

    assert folder.known_token() is None
    assert folder.load() is None
    assert folder.holder() is None
    with pytest.raises(OutputError, match=f"{name} is a folder, where a file should be. Remove it"):
        need(folder)


def test_the_lock_names_its_process(folder: StateFolder) -> None:
    """Also after that has ended; nobody else is named."""
    assert folder.holder() is None
    with folder.lock():
        assert folder.holder() == os.getpid()
        assert StateFolder(folder.path).holder() == os.getpid()


def test_a_folder_that_was_deleted_is_taken_again_by_its_daemon_alone(folder: StateFolder) -> None:
    """The lock of a deleted file keeps nobody out: whoever takes the new one has the folder."""
    other = StateFolder(folder.path)
    with folder.lock():
        assert folder.regain()
        shutil.rmtree(folder.path)
        assert folder.regain()
        with other.lock() as is_others:
            assert not is_others
        shutil.rmtree(folder.path)
        other.prepare()
        with other.lock() as is_others:
            assert is_others
            assert not folder.regain()


def test_a_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs under a number that nobody has given a name."""

    def unknown(_: object) -> None:
        raise KeyError("getpwuid(): uid not found")

    for name in ("HOME", "USERPROFILE", "HOMEDRIVE", "XDG_STATE_HOME", "XDG_DATA_HOME", "COLORIZE_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    for ask in (StateFolder, own_models_folder, home_folder):
        with pytest.raises(
            OutputError, match=r"no telling where your home folder is\. Set the environment variable HOME"
        ):
            ask()


def test_a_folder_that_cannot_be_created(tmp_path: Path) -> None:
    """The message names it and says how to use another one."""
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError, match="COLORIZE_STATE_DIR") as caught:
        StateFolder(tmp_path / "file" / "state").prepare()
    assert caught.value.code == "not_writable"


@pytest.mark.parametrize(
    ("number", "code", "says"),
    [
        (errno.ENOSPC, "disk_full", "There is no room left on the disk of .*: state.json was not written. Free some"),
        (errno.EROFS, "not_writable", r"state.json cannot be written \(Read-only file system\). Make "),
    ],
)
def test_a_disk_that_takes_no_more(
    folder: StateFolder, monkeypatch: pytest.MonkeyPatch, number: int, code: str, says: str
) -> None:
    """The old file stays whole, nothing half-written stays, and the message says what to do."""
    folder.save(STATE)

    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=says) as caught:
        folder.write(folder.state_file, b"new")

    assert caught.value.code == code
    assert folder.load() == STATE
    assert [file.name for file in folder.path.iterdir()] == ["state.json"]


def test_errors_speak_to_a_painter(tmp_path: Path) -> None:
    """One sentence on what happened, one on what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ColorizeError) as caught:
        StateFolder(tmp_path / "file" / "state").prepare()
    assert caught.value.message.endswith(".")
    assert caught.value.hint.endswith(".")
