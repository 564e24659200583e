"""``colorize palette`` from end to end, with a small model that suggests colours."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import swatch
from colorize_server.cli.colorize import main
from PIL import Image
from tiny_model import write_tiny_model

Run = Callable[..., int]


@pytest.fixture
def palette(tmp_path: Path) -> Run:
    model = write_tiny_model(tmp_path / "suggests.onnx", suggests=True)

    def call(*arguments: object) -> int:
        return main(["palette", *map(str, arguments), "--model", str(model)])

    return call


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "aunt ida.png"
    Image.fromarray(np.tile(np.linspace(20, 230, 90).astype(np.uint8), (60, 1))).save(path)
    return path


def test_a_palette_is_written_beside_the_photograph_and_told(
    palette: Run, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert palette(photo, "--at", "10,20", "--at", "80,30") == 0
    target = photo.with_name("aunt ida-palette.ase")
    (group,) = swatch.parse(str(target))
    assert group["name"] == "Colours for aunt ida.png"
    names = [colour["name"] for colour in group["swatches"]]
    for place in ("10,20: ", "80,30: "):
        assert 3 <= sum(name.startswith(place) for name in names) <= 7
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.partition("  ")[2] for line in lines] == names
    assert all(line.startswith("#") for line in lines)
    assert last == str(target)


@pytest.mark.parametrize(("ending", "start"), [(".gpl", b"GIMP Palette\n"), (".aco", b"\0\1"), (".ASE", b"ASEF")])
def test_the_ending_chooses_the_kind(palette: Run, photo: Path, tmp_path: Path, ending: str, start: bytes) -> None:
    target = tmp_path / "new" / f"colours{ending}"
    assert palette(photo, "--at", "10,20", "-o", target) == 0
    assert target.read_bytes().startswith(start)


def test_colours_of_the_strokes_come_first(palette: Run, photo: Path, tmp_path: Path) -> None:
    strokes = np.zeros((60, 90, 4), np.uint8)
    strokes[2:12, 2:12] = (40, 60, 200, 255)
    Image.fromarray(strokes).save(tmp_path / "strokes.png")
    target = tmp_path / "colours.gpl"
    assert palette(photo, "--at", "60,40", "--hints", tmp_path / "strokes.png", "-o", target) == 0
    first, second = target.read_text().splitlines()[4:6]
    assert "used here" in first
    assert "used here" not in second


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--at", "90,0"], "90 by 60 pixels"),
        (["--at", "1,1", "-o", "colours.txt"], ".ase, .aco, .gpl"),
        (["--at", "1,1", "-o", "colours"], ".ase, .aco, .gpl"),
        (["--at", "1,1", "--hints", "nowhere.png"], "The hints, nowhere.png"),
        (["--at", "1,1"] * 17, "too many"),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_is_written(
    palette: Run, photo: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    before = set(photo.parent.iterdir())
    assert palette(photo, *more) == 1
    assert said in capsys.readouterr().err
    assert set(photo.parent.iterdir()) == before


@pytest.mark.parametrize("place", ["1", "1,2,3", "-1,2", "a,b", "1.5,2", ""])
def test_what_is_no_place_is_told(palette: Run, photo: Path, capsys: pytest.CaptureFixture[str], place: str) -> None:
    with pytest.raises(SystemExit) as ended:
        palette(photo, f"--at={place}")
    assert ended.value.code == 2
    assert "write X,Y" in capsys.readouterr().err


def test_a_palette_is_replaced_only_when_asked(palette: Run, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert palette(photo, "--at", "1,1") == 0
    target = photo.with_name("aunt ida-palette.ase")
    before = target.read_bytes()
    assert palette(photo, "--at", "1,1", "--at", "70,5") == 1
    assert "--overwrite" in capsys.readouterr().err
    assert target.read_bytes() == before
    assert palette(photo, "--at", "1,1", "--at", "70,5", "--overwrite") == 0
    assert target.read_bytes() != before


def test_a_model_without_suggestions_says_so(
    photo: Path, tiny_model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["palette", str(photo), "--at", "1,1", "--model", str(tiny_model_path)]) == 1
    assert "tiny 1 suggests no colours" in capsys.readouterr().err


def test_a_photograph_called_palette_can_still_be_coloured(
    run: Run, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    photo.rename(tmp_path / "palette")
    assert run("./palette", "-o", "coloured.png") == 0
    assert (tmp_path / "coloured.png").exists()
