"""``colorize`` with folders as people have them: what is taken, what is left out, and what is said about it."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from colorize_server.archive import bar
from colorize_server.backends import BACKENDS
from colorize_server.cli.colorize import main
from colorize_server.errors import BadRequestError
from colorize_server.picture.options import Blend, Options, Output
from colorize_server.settings import BACKEND_NAMES
from PIL import Image


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    return folder


def draw(path: Path) -> Path:
    kind = {".jpg": "JPEG", ".jfif": "JPEG", ".png": "PNG"}[path.suffix]
    Image.linear_gradient("L").resize((40, 30)).save(path, kind)
    return path


def results(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.colour*") if path.is_file())


def test_two_that_differ_in_their_ending_alone_keep_it_and_the_rest_is_done(run, scans: Path, capsys):
    for name in ("a.jpg", "a.png", "b.jpg"):
        draw(scans / name)
    assert run(scans) == 0
    assert results(scans) == ["a.jpg.colour.png", "a.png.colour.png", "b.colour.png"]
    assert "a.jpg is written to a.jpg.colour.png: another photograph has the same name." in capsys.readouterr().err


def test_what_nobody_wants_is_left_out_and_what_cannot_be_read_is_counted(run, scans: Path, capsys):
    draw(scans / "a.jfif")
    for name in ("._a.jpg", "c.heic", "d.heic", "e.psd", "notes.txt"):
        (scans / name).write_bytes(b"x")
    for folder in ("@eaDir", ".Trash-1000"):
        (scans / folder).mkdir()
        draw(scans / folder / "thumb.jpg")
    (scans / "elsewhere").symlink_to(scans.parent)
    assert run(scans) == 0
    assert results(scans) == ["a.colour.png"]
    assert "left out because they cannot be read: 2 .heic, 1 .psd, 1 linked folder." in capsys.readouterr().err


def test_a_folder_that_cannot_be_listed_is_a_failure(run, scans: Path, monkeypatch, capsys):
    draw(scans / "a.jpg")
    (scans / "locked").mkdir()
    real = os.scandir

    def scandir(path):  # root may read every folder
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert run(scans) == 1
    assert results(scans) == ["a.colour.png"]
    assert "locked: The folder cannot be read: Permission denied." in capsys.readouterr().err


def test_results_of_an_earlier_run_are_not_coloured_again(run, scans: Path, capsys):
    draw(scans / "a.jpg")
    assert run(*scans.iterdir()) == 0
    assert run(*scans.iterdir(), "--overwrite") == 0
    assert results(scans) == ["a.colour.png"]
    assert "a.colour.png is left out: it is a result of an earlier run." in capsys.readouterr().err


@pytest.mark.parametrize("letters", ["x" * 300, "я" * 143])
def test_a_name_that_no_file_can_have_fails_alone(run, scans: Path, letters: str, capsys):
    good = draw(scans / "a.jpg")
    assert run(scans / f"{letters}.jpg", good) == 1
    assert results(scans) == ["a.colour.png"]
    captured = capsys.readouterr()
    assert "1 of 2 failed." in captured.err
    assert "Traceback" not in captured.err


def test_a_result_whose_name_just_fits_is_written(run, scans: Path):
    longest = draw(scans / f"{'x' * (255 - len('.colour.png'))}.png")
    assert run(longest) == 0
    assert results(scans) == [f"{longest.stem}.colour.png"]


def test_a_result_whose_name_does_not_fit_fails_in_words(run, scans: Path, capsys):
    long, good = draw(scans / f"{'x' * 246}.png"), draw(scans / "a.png")
    assert run(long, good) == 1
    assert results(scans) == ["a.colour.png"]
    assert "File name too long" in capsys.readouterr().err


def test_a_second_run_skips_what_is_done(run, scans: Path, capsys):
    draw(scans / "a.jpg")
    assert run(scans) == 0
    before = (scans / "a.colour.png").stat().st_mtime_ns
    draw(scans / "b.jpg")
    assert run(scans, "--skip-existing") == 0
    assert (scans / "a.colour.png").stat().st_mtime_ns == before
    assert results(scans) == ["a.colour.png", "b.colour.png"]
    assert "1 skipped" in capsys.readouterr().err


def test_nothing_is_loaded_where_everything_is_skipped(scans: Path, capsys):
    draw(scans / "a.jpg")
    (scans / "a.colour.png").touch()
    assert main([str(scans), "--skip-existing", "--model", str(scans / "no-such.onnx")]) == 0
    captured = capsys.readouterr()
    assert "1 skipped: their results are there already." in captured.err
    assert "Made by" not in captured.out


class Screen(io.StringIO):
    """A terminal, or a file, that keeps all that was written to it."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


def test_one_photograph_has_a_bar_on_a_terminal_alone(run, scans: Path, monkeypatch):
    """It names each stage, goes forward only, and is gone when the result is told."""
    monkeypatch.setattr(bar, "_DELAY_S", 0)
    draw(scans / "a.jpg")
    screen, file = Screen(is_terminal=True), Screen(is_terminal=False)
    for stream in (screen, file):
        monkeypatch.setattr(sys, "stderr", stream)
        assert run(scans / "a.jpg", "--overwrite") == 0
    assert file.getvalue() == ""
    shown = re.findall(r"(Reading|Colouring|Writing) +(\d+) %", screen.getvalue())
    assert list(dict.fromkeys(words for words, _ in shown)) == ["Reading", "Colouring", "Writing"]
    parts = [int(part) for _, part in shown]
    assert parts == sorted(parts)
    assert parts[-1] >= 70
    assert screen.getvalue().rpartition("\r")[0].endswith(" ")


def test_a_long_call_takes_nothing_back_from_the_bar(monkeypatch):
    """Its sign of life tells no progress."""
    monkeypatch.setattr(bar, "_DELAY_S", 0)
    screen = Screen(is_terminal=True)
    with bar.stages_on(screen) as stages:
        control = stages.colouring()
        control.report(0.5)
        control.report(0.0)
        stages.writing()
    assert re.findall(r"(\d+) %", screen.getvalue())[-2:] == ["40", "70"]


def test_names_that_the_console_cannot_show_end_nothing(scans: Path, tiny_model_path: Path):
    """A console of another code page, as on Windows; and a reader of the lines that goes away."""
    draw(scans / "фото.jpg")
    command = [sys.executable, "-m", "colorize_server.cli.colorize", str(scans), "--model", str(tiny_model_path)]
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    ended = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert b"Made by" in ended.stdout
    piped = " ".join(f"'{word}'" for word in [*command, "--overwrite"])
    ended = subprocess.run(["sh", "-c", f"{piped} | true"], capture_output=True, check=False)
    assert b"BrokenPipe" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([""], "the name of a photograph is empty"),
        (["a.jpg", "--backend", "banana"], "invalid choice: 'banana' (choose from"),
        (["--version"], "colorize "),
    ],
)
def test_the_parser_refuses_and_answers(arguments: list[str], says: str, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    captured = capsys.readouterr()
    assert says in captured.out + captured.err


def test_a_folder_is_never_called_minus(run, scans: Path, monkeypatch, capsys):
    monkeypatch.chdir(scans)
    assert run(draw(scans / "a.jpg"), "-o", "-") == 1
    assert "standard output" in capsys.readouterr().err
    assert not (scans / "-").exists()


def test_only_a_layer_is_made_for_multiply(run, scans: Path, capsys):
    with pytest.raises(BadRequestError):
        Options(output=Output.COMPOSITE, blend=Blend.MULTIPLY)
    assert Options(output=Output.LAYER, blend=Blend.MULTIPLY).blend is Blend.MULTIPLY
    assert run(draw(scans / "a.jpg"), "--blend", "multiply") == 1
    assert "Only a layer can be made for Multiply." in capsys.readouterr().err


def test_the_parsers_know_every_backend():
    assert set(BACKEND_NAMES) == {"auto", *BACKENDS}
