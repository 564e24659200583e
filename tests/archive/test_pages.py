"""Files that hold several pictures: what is coloured, what is said about the others, and `--page`."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from colorize_server.formats.decode import decode_picture
from PIL import Image


@pytest.fixture
def album(scans: Path) -> Path:
    """Return a TIFF of three pages of different sizes, each with its own title and resolution."""
    path = scans / "album.tif"
    with tifffile.TiffWriter(path) as writer:
        for index, size in enumerate(((30, 40), (50, 36), (24, 44)), 1):
            page = np.full(size, 40 * index, np.uint8)
            writer.write(page, description=f"Page {index}", resolution=(100 * index, 100 * index), metadata=None)
    return path


def sizes(path: Path) -> list[tuple[int, int]]:
    with Image.open(path) as image:
        found = []
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            found.append((image.height, image.width))
        return found


def lightness(path: Path, page: int = 0) -> float:
    with Image.open(path) as image:
        image.seek(page)
        return float(np.asarray(image.convert("L")).mean())


def test_pages_that_are_not_coloured_are_told_and_summed_up(run: Callable[..., int], album: Path, capsys) -> None:
    assert run(album) == 0
    told = capsys.readouterr().err
    assert f"{album}: The file holds 3 pictures; the first was coloured." in told
    assert "2 more pictures in 1 of the files were not coloured; --page N or --page all" in told
    assert sizes(album.with_name("album.colour.tif")) == [(30, 40)]


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_an_animation_gives_its_first_picture_and_says_so(
    run: Callable[..., int], scans: Path, kind: str, capsys
) -> None:
    frames = [Image.new("L", (40, 30), level) for level in (40, 120, 200)]
    frames[0].save(scans / f"a.{kind}", save_all=True, append_images=frames[1:])
    assert run(scans) == 0
    assert "The file holds 3 pictures; the first was coloured." in capsys.readouterr().err


def test_a_chosen_page_alone_is_coloured_and_nothing_is_said(run: Callable[..., int], album: Path, capsys) -> None:
    assert run(album, "--page", "2") == 0
    assert "pictures" not in capsys.readouterr().err
    assert sizes(album.with_name("album.colour.tif")) == [(50, 36)]


def test_a_page_that_is_not_there_is_refused(run: Callable[..., int], album: Path, capsys) -> None:
    assert run(album, "--page", "4") == 1
    assert "The TIFF file has 3 pages, and no page 4." in capsys.readouterr().err


@pytest.mark.parametrize("word", ["0", "-1", "some"])
def test_what_is_no_page_is_refused(run: Callable[..., int], album: Path, word: str, capsys) -> None:
    with pytest.raises(SystemExit):
        run(album, "--page", word)
    assert "is not a number of a page" in capsys.readouterr().err


@pytest.mark.parametrize("many", [False, True])
def test_all_pages_become_one_tiff_of_as_many(run: Callable[..., int], album: Path, many: bool, capsys) -> None:
    if many:  # by workers, with a journal
        Image.new("L", (40, 30), 90).save(album.with_name("single.png"))
    assert run(album.parent if many else album, "--page", "all") == 0
    assert "All 3 pages were coloured." in capsys.readouterr().err
    result = album.with_name("album.colour.tif")
    assert sizes(result) == [(30, 40), (50, 36), (24, 44)]
    assert [round(lightness(result, page)) for page in range(3)] == pytest.approx([40, 80, 120], abs=3)
    with tifffile.TiffFile(result) as tiff:
        assert [page.tags["ImageDescription"].value for page in tiff.pages] == ["Page 1", "Page 2", "Page 3"]
        assert [page.resolution[0] for page in tiff.pages] == [100, 200, 300]
    for page in (1, 2, 3):
        assert decode_picture(result.read_bytes(), page=page).metadata.dpi == (100.0 * page, 100.0 * page)


def test_all_pages_become_numbered_files_of_other_kinds(run: Callable[..., int], album: Path, scans: Path) -> None:
    assert run(album, "--page", "all", "-o", scans / "out.png") == 0
    assert [sizes(scans / f"out-{page}.png") for page in (1, 2, 3)] == [[(30, 40)], [(50, 36)], [(24, 44)]]
    assert not (scans / "out.png").exists()


def test_hints_go_with_a_single_page(run: Callable[..., int], album: Path, scans: Path, capsys) -> None:
    Image.new("RGBA", (40, 30)).save(scans / "hints.png")
    assert run(album, "--page", "all", "--hints", scans / "hints.png") == 1
    assert "--hints and --doubt go with a single page." in capsys.readouterr().err


def test_a_reduced_copy_is_no_page() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(np.zeros((40, 40), np.uint8), metadata=None)
        writer.write(np.zeros((10, 10), np.uint8), subfiletype=1, metadata=None)
    assert decode_picture(file.getvalue()).pages == 1
