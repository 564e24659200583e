"""Files that are written whole or not at all: what is there at every moment, and what is left when that fails."""

import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

import pytest
from colorize_server.errors import OutputError
from colorize_server.files import replacing, write_whole

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has access lists instead of modes")


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_the_old_content_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "picture.png"
    target.write_bytes(b"old")
    with replacing(target) as file:
        file.write(b"new")
        file.flush()
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert names(tmp_path) == ["picture.png"]


@pytest.mark.parametrize("what", [ValueError, KeyboardInterrupt])
def test_whatever_ends_the_writing_leaves_what_was_there(tmp_path: Path, what: type[BaseException]) -> None:
    target = tmp_path / "picture.png"
    target.write_bytes(b"old")

    def interrupted(file: BinaryIO) -> None:
        file.write(b"half")
        raise what

    with pytest.raises(what):
        write_whole(target, interrupted, "pray")
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["picture.png"]


def test_a_large_file_is_written_piece_by_piece(tmp_path: Path) -> None:
    def strips(file: BinaryIO) -> None:
        file.write(b"length")
        file.write(b"strip" * 3)
        file.seek(0)
        file.write(b"LENGTH")

    write_whole(tmp_path / "new" / "picture.psd", strips, "pray")
    assert (tmp_path / "new" / "picture.psd").read_bytes() == b"LENGTHstripstripstrip"


def test_a_full_disk_says_so_and_leaves_nothing(full_disk: Path) -> None:
    before = names(full_disk)
    with pytest.raises(OutputError, match=r"no room left on the disk of .*: out.png was not written. Free") as caught:
        write_whole(full_disk / "out.png", bytes(5000), "pray")
    assert caught.value.code == "disk_full"
    assert names(full_disk) == before


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot be written .* choose another folder with -o") as caught:
        write_whole(tmp_path / "file" / "out.png", b"data", "choose another folder with -o")
    assert caught.value.code == "not_writable"


def test_a_name_as_long_as_a_file_system_takes(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 251 + ".png")
    write_whole(target, b"data", "pray")
    assert target.read_bytes() == b"data"


@posix_only
def test_permissions_are_those_asked_for_less_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "picture.png", b"data", "pray")
        with replacing(tmp_path / "token", mode=0o600) as file:
            file.write(b"data")
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {"picture.png": 0o640, "token": 0o600}


@posix_only
def test_a_link_is_replaced_and_never_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "link").symlink_to(tmp_path / "other")
    write_whole(tmp_path / "link", b"data", "pray")
    assert (tmp_path / "other").read_bytes() == b"other"
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "link").read_bytes() == b"data"
