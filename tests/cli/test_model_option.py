"""The option --model: a file, the name of a model of one's own, or that of the model that ships."""

import argparse
import shutil
from pathlib import Path

import platformdirs
import pytest
from colorize_server.cli.colorize import main
from colorize_server.cli.model_option import model_path
from colorize_server.model import own_models_folder, shipped_model_path


@pytest.fixture
def own(tmp_path: Path, tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep a model named aunt-ida, in a folder that stands for the user's."""
    monkeypatch.setattr(platformdirs, "user_data_dir", lambda *_, **__: str(tmp_path / "data"))
    own_models_folder().mkdir(parents=True)
    return Path(shutil.copy(tiny_model_path, own_models_folder() / "aunt-ida.onnx"))


def test_a_name_is_looked_for_among_ones_own_models(own: Path) -> None:
    assert model_path("aunt-ida") == own
    assert model_path("colorize-base") == shipped_model_path()


@pytest.mark.parametrize("text", ["other.onnx", "folder/other", "./aunt-ida"])
def test_what_looks_like_a_file_is_one(own: Path, text: str) -> None:
    assert model_path(text) == Path(text)


def test_an_unknown_name_is_told_with_those_that_there_are(own: Path) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no model named uncle-bob: choose colorize-base, aunt-ida"):
        model_path("uncle-bob")


def test_a_photograph_is_coloured_by_a_model_that_is_named(
    own: Path, tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = shutil.copy(photographs / "abraham-lincoln-1860s.jpg", tmp_path / "abe.jpg")
    assert main([str(photo), "--model", "aunt-ida"]) == 0
    assert (tmp_path / "abe.colour.png").is_file()
    with pytest.raises(SystemExit):
        main([str(photo), "--model", "uncle-bob"])
    assert "or give an .onnx file" in capsys.readouterr().err
