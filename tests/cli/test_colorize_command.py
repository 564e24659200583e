"""``colorize``: files and folders, names, refusals, and what is left on disk when something goes wrong."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from colorize_server.cli.colorize import main
from colorize_server.color.rgb import SRGB
from colorize_server.formats.decode import decode_picture
from PIL import Image


@pytest.fixture
def photo(tmp_path: Path, photographs: Path) -> Path:
    return Path(shutil.copy(photographs / "abraham-lincoln-1860s.jpg", tmp_path / "abe.jpg"))


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_one_photograph_goes_beside_itself(run, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(photo) == 0
    assert files(photo.parent) == ["abe.colour.png", "abe.jpg"]
    printed = capsys.readouterr().out
    assert str(photo.with_name("abe.colour.png")) in printed
    assert "Made by tiny 1" in printed
    assert "onnxruntime on CPU" in printed
    assert (
        SRGB.lab_from_encoded(decode_picture((photo.with_name("abe.colour.png")).read_bytes()).pixels / 255)[
            ..., 1
        ].std()
        > 0.5
    )


def test_a_tiff_stays_a_tiff_and_a_layer_says_so(run, tmp_path: Path) -> None:
    Image.new("L", (40, 30), 99).save(tmp_path / "scan.tif")
    assert run(tmp_path / "scan.tif", "--as", "layer", "--host", "gimp") == 0
    assert files(tmp_path) == ["scan.colour-layer.tif", "scan.tif"]


def test_a_folder_keeps_its_shape_and_skips_results(run, tmp_path: Path, photo: Path) -> None:
    source = tmp_path / "scans"
    (source / "1920").mkdir(parents=True)
    shutil.copy(photo, source / "a.jpg")
    shutil.copy(photo, source / "1920" / "b.jpg")
    (source / "notes.txt").write_text("not a photograph")
    assert run(source, "-o", tmp_path / "out") == 0
    assert files(tmp_path / "out") == [str(Path("1920/b.colour.png")), "a.colour.png", "colorize-journal.jsonl"]
    assert run(source) == 0
    assert run(source, "--overwrite") == 0
    assert not list(source.rglob("*.colour.colour.png"))


def test_one_failure_does_not_stop_the_others(run, tmp_path: Path, photo: Path, capsys) -> None:
    """The summary says what failed and why, in one line each without a traceback; the exit code is 1."""
    bad = tmp_path / "empty.png"
    bad.write_bytes(b"")
    small = tmp_path / "small.png"
    Image.new("L", (30, 5)).save(small)
    assert run(bad, photo, small, tmp_path / "missing.jpg", "-o", tmp_path / "out") == 1
    captured = capsys.readouterr()
    assert files(tmp_path / "out") == ["abe.colour.png"]
    for line in (
        f"{bad}: The file is empty.",
        f"{small}: A picture of 30 by 5 pixels is too small",
        f"{tmp_path / 'missing.jpg'}: It cannot be read: No such file or directory.",
        "3 of 4 failed.",
    ):
        assert line in captured.err
    assert "Traceback" not in captured.err


def test_an_existing_file_is_kept_without_overwrite(run, photo: Path, capsys) -> None:
    target = photo.with_name("abe.colour.png")
    target.write_bytes(b"the artist's work")
    assert run(photo) == 1
    assert target.read_bytes() == b"the artist's work"
    assert "exists already. Use --overwrite" in capsys.readouterr().err
    assert run(photo, "--overwrite") == 0
    assert target.read_bytes().startswith(b"\x89PNG")


def test_the_photograph_itself_is_never_overwritten(run, photo: Path) -> None:
    before = photo.read_bytes()
    assert run(photo, "-o", photo, "--overwrite") == 1
    assert photo.read_bytes() == before


def test_a_layer_is_never_a_jpeg(run, photo: Path, capsys) -> None:
    assert run(photo, "--as", "layer", "-o", photo.with_name("layer.jpg")) == 1
    assert "A layer cannot be a JPEG" in capsys.readouterr().err
    assert run(photo, "-o", photo.with_name("colour.jpg")) == 0


def test_two_results_of_the_same_name_are_refused(run, tmp_path: Path, photo: Path, capsys) -> None:
    (tmp_path / "other").mkdir()
    shutil.copy(photo, tmp_path / "other" / "abe.jpg")
    assert run(photo, tmp_path / "other" / "abe.jpg", "-o", tmp_path / "out") == 1
    assert "would both be written to" in capsys.readouterr().err


def test_a_kind_of_file_that_cannot_be_written_is_no_folder(run, photo: Path, capsys) -> None:
    """Unless there is a folder of that name, or the photographs come from one."""
    out = photo.with_name("out.webp")
    assert run(photo, "-o", out) == 1
    assert not out.exists()
    assert "pictures are written as PNG, TIFF or JPEG. Name a file that ends in" in capsys.readouterr().err
    out.mkdir()
    assert run(photo, "-o", out) == 0
    assert files(out) == ["abe.colour.png"]
    scans = photo.with_name("scans")
    scans.mkdir()
    photo.rename(scans / "abe.jpg")
    assert run(scans, "-o", photo.with_name("out.2026")) == 0


def test_one_name_for_several_photographs_is_refused(run, photo: Path, capsys) -> None:
    """It would become a folder that is called out.png."""
    other = Path(shutil.copy(photo, photo.with_name("ida.jpg")))
    out = photo.with_name("out.png")
    for sources in ([photo, other], [photo.parent]):
        assert run(*sources, "-o", out) == 1
        assert "is the name of one picture, and there are 2 photographs. Name a folder" in capsys.readouterr().err
        assert not out.exists()
    out.mkdir()
    assert run(photo, other, "-o", out) == 0
    assert files(out) == ["abe.colour.png", "ida.colour.png"]


def test_the_doubt_picture_is_a_png(run, photo: Path, capsys) -> None:
    assert run(photo, "--doubt", photo.with_name("doubt.jpg")) == 1
    assert "Give --doubt a name that ends in .png" in capsys.readouterr().err
    assert files(photo.parent) == ["abe.jpg"]


def test_hints_are_named_when_they_are_what_is_wrong_and_never_replaced(run, photo: Path, capsys) -> None:
    hints = photo.with_name("hints.png")
    assert run(photo, "--hints", hints) == 1
    assert f"The hints, {hints}: It cannot be read: No such file" in capsys.readouterr().err
    hints.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    assert run(photo, "--hints", hints) == 1
    assert f"The hints, {hints}: The PNG picture is damaged or cut off." in capsys.readouterr().err
    with Image.open(photo) as image:
        Image.new("RGBA", image.size).save(hints)
    before = hints.read_bytes()
    for option in ("-o", "--doubt"):
        assert run(photo, "--hints", hints, option, hints, "--overwrite") == 1
        assert "is the picture of the hints" in capsys.readouterr().err
    assert hints.read_bytes() == before


@pytest.mark.parametrize(("alpha", "says"), [(0, "They are all transparent."), (255, "They cover the whole")])
def test_hints_that_cannot_be_strokes_are_refused(run, photo: Path, alpha: int, says: str, capsys) -> None:
    """Nothing painted, or a layer that was flattened."""
    hints = photo.with_name("hints.png")
    with Image.open(photo) as image:
        Image.new("RGBA", image.size, (200, 30, 30, alpha)).save(hints)
    assert run(photo, "--hints", hints) == 1
    assert f"The hints, {hints}: {says}" in capsys.readouterr().err
    assert files(photo.parent) == ["abe.jpg", "hints.png"]


def test_the_doubt_picture_does_not_replace_the_result(run, photo: Path, capsys) -> None:
    out = photo.with_name("out.png")
    same = photo.parent / "." / "other" / ".." / "out.png"
    assert run(photo, "-o", out, "--doubt", same, "--overwrite") == 1
    assert "The doubt picture would replace the result" in capsys.readouterr().err
    assert files(photo.parent) == ["abe.jpg"]


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_colorize_takes_a_name_with_spaces() -> None:
    makefile = Path(__file__).parents[2] / "Makefile"
    # Without the names of directories, which an inner make prints last where `make test` runs inside another make.
    command = ["make", "--dry-run", "--no-print-directory", "-f", str(makefile), "colorize", "PHOTO=my scans/a b.jpg"]
    planned = subprocess.run(command, capture_output=True, text=True, cwd=makefile.parent, check=True).stdout
    assert planned.splitlines()[-1].split(" ", 1)[1].startswith('"my scans/a b.jpg"')


def test_hints_and_doubt(run, photo: Path) -> None:
    """A stroke colours what it covers; the doubt picture is as large as the photograph."""
    with Image.open(photo) as image:
        size = image.size
    strokes = np.zeros((size[1], size[0], 4), np.uint8)
    strokes[100:140, 80:140] = (30, 90, 200, 255)
    hints, doubt = photo.with_name("hints.png"), photo.with_name("doubt.png")
    Image.fromarray(strokes).save(hints)
    out = photo.with_name("out.png")
    assert run(photo, "--hints", hints, "--doubt", doubt, "-o", out) == 0
    lab = SRGB.lab_from_encoded(decode_picture(out.read_bytes()).pixels / 255)
    assert lab[120, 110, 2] < -20
    with Image.open(doubt) as image:
        assert (image.size, image.mode) == (size, "L")
    wrong = photo.with_name("wrong.png")
    Image.new("RGBA", (10, 10)).save(wrong)
    assert run(photo, "--hints", wrong, "-o", photo.with_name("out2.png")) == 1


@pytest.mark.parametrize("arguments", [["--saturation", "2.5"], ["--saturation", "red"], ["--as", "poster"], []])
def test_commands_that_make_no_sense_explain_themselves(arguments: list[str], capsys) -> None:
    photo = ["x.jpg"] if arguments else []
    with pytest.raises(SystemExit) as caught:
        main(photo + arguments)
    assert caught.value.code == 2
    assert "usage: colorize" in capsys.readouterr().err


def test_a_size_that_is_not_offered_is_told_before_any_work(run, photo: Path, capsys) -> None:
    assert run(photo, "--size", "100") == 1
    assert "Use one of 64, 128, 256." in capsys.readouterr().err


def test_help_is_a_page_for_painters(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    page = capsys.readouterr().out
    for word in ("PHOTO", "--as", "--hints", "--doubt", "--saturation", "Examples"):
        assert word in page


def test_16_bit_depth_and_alpha_survive_the_command(run, tmp_path: Path) -> None:
    import tifffile

    values = np.random.default_rng(0).integers(0, 65536, (40, 50, 2)).astype(np.uint16)
    tifffile.imwrite(
        tmp_path / "scan.tif", values, photometric="minisblack", extrasamples=["unassalpha"], planarconfig="contig"
    )
    assert run(tmp_path / "scan.tif") == 0
    out = decode_picture((tmp_path / "scan.colour.tif").read_bytes()).pixels
    assert out.dtype == np.uint16
    np.testing.assert_array_equal(out[..., 3], values[..., 1])
