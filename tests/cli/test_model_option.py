"""Models by name: the option --model, and the default that `colorize-server model` chooses."""

import argparse
import json
import shutil
from pathlib import Path

import platformdirs
import pytest
from colorize_server.cli import main as serve
from colorize_server.cli import model as model_command
from colorize_server.cli import start
from colorize_server.cli.colorize import main
from colorize_server.cli.model_option import model_path
from colorize_server.cli.own_models import chosen_name
from colorize_server.installation.probe import Found, Who
from colorize_server.model import own_models_folder, shipped_model_path
from tiny_model import CARD, tiny_model


@pytest.fixture
def own(tmp_path: Path, tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep a model named aunt-ida, in a folder that stands for the user's."""
    monkeypatch.setattr(platformdirs, "user_data_dir", lambda *_, **__: str(tmp_path / "data"))
    monkeypatch.setenv("COLORIZE_STATE_DIR", str(tmp_path / "state"))
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


def started_with(*words: str) -> Path | None:
    """Return the model that `colorize-server start WORDS` gives to its server."""
    parser = argparse.ArgumentParser()
    start.add_parser(parser.add_subparsers())
    return start.settings_from(parser.parse_args(["start", *words])).model


@pytest.fixture
def photo(tmp_path: Path, photographs: Path) -> Path:
    return Path(shutil.copy(photographs / "abraham-lincoln-1860s.jpg", tmp_path / "abe.jpg"))


def test_the_default_is_used_by_colorize_and_the_server(own: Path, photo: Path, capsys) -> None:
    """Until another one is named, or chosen."""
    assert started_with() is None
    assert serve.main(["model", "use", "aunt-ida"]) == 0
    assert capsys.readouterr().out == "aunt-ida is the default now.\n"

    assert main([str(photo)]) == 0
    assert "Made by tiny 1" in capsys.readouterr().out
    assert started_with() == own
    assert started_with("--model", "colorize-base") == shipped_model_path()

    assert serve.main(["model", "use", "colorize-base"]) == 0
    assert started_with() is None


def test_a_file_is_kept_and_found_by_its_name(own: Path, tmp_path: Path, tiny_model_path: Path, capsys) -> None:
    """So that it may be moved away afterwards; the same file again is no other model."""
    given = Path(shutil.copy(tiny_model_path, tmp_path / "uncle-bob.onnx"))
    for _ in range(2):
        assert serve.main(["model", "use", str(given)]) == 0
    given.unlink()
    assert started_with() == own.with_name("uncle-bob.onnx")
    assert own.with_name("uncle-bob.sha256").read_text().endswith("  uncle-bob.onnx\n")
    capsys.readouterr()
    assert serve.main(["model", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("  aunt-ida: tiny 1 (")
    assert lines[1].startswith("  colorize-base: colorize-base ")
    assert lines[2].startswith("* uncle-bob: tiny 1 (")


def test_another_file_of_the_same_name_is_refused(own: Path, tmp_path: Path, capsys) -> None:
    before = own.read_bytes()
    other = tmp_path / "aunt-ida.onnx"
    other.write_bytes(tiny_model({**CARD, "version": "2"}).SerializeToString())
    assert serve.main(["model", "use", str(other)]) == 1
    assert "There is another model named aunt-ida already. Give the file another name" in capsys.readouterr().err
    assert own.read_bytes() == before
    assert chosen_name() is None


@pytest.mark.parametrize("content", [b"no model", None, "no graph that runs"])
def test_a_bad_file_is_refused_in_a_sentence_and_changes_nothing(own: Path, tmp_path: Path, content, capsys) -> None:
    bad = tmp_path / "bad.onnx"
    if content == "no graph that runs":
        model = tiny_model()
        model.graph.node[0].op_type = "Banana"
        content = model.SerializeToString()
    if content is not None:
        bad.write_bytes(content)
    assert serve.main(["model", "use", str(bad)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("colorize-server: ")
    assert str(bad) in said
    assert said.count("\n") == 1
    assert chosen_name() is None
    assert not own.with_name("bad.onnx").exists()


def test_a_model_is_removed_and_the_included_one_is_the_default_again(own: Path, capsys) -> None:
    serve.main(["model", "use", "aunt-ida"])
    own.with_suffix(".sha256").touch()
    assert serve.main(["model", "remove", "aunt-ida"]) == 0
    assert "aunt-ida was removed.  colorize-base is the default again." in capsys.readouterr().out
    assert list(own.parent.iterdir()) == []
    assert started_with() is None
    for name, says in (("aunt-ida", "There is no model of your own named aunt-ida."), ("colorize-base", "and stays.")):
        assert serve.main(["model", "remove", name]) == 1
        assert says in capsys.readouterr().err
    assert shipped_model_path().is_file()


def test_a_default_that_is_gone_is_named_and_not_passed_over(own: Path, photo: Path, capsys) -> None:
    """Other colours than those that were chosen would be worse than none."""
    serve.main(["model", "use", "aunt-ida"])
    own.unlink()
    for command in (lambda: main([str(photo)]), lambda: serve.main(["start", "--background", "--port", "0"])):
        assert command() == 1
        assert "The model aunt-ida, which was chosen as the default, is not in" in capsys.readouterr().err
    assert serve.main(["model", "list"]) == 0
    assert "* aunt-ida: it is not there any more; choose another one" in capsys.readouterr().out
    serve.main(["doctor", "--json"])
    findings = {line["check"]: line for line in json.loads(capsys.readouterr().out)["findings"]}
    assert findings["default model"]["mend"] == "Choose another one: colorize-server model use colorize-base."


def test_status_doctor_and_use_name_it(own: Path, tiny_model_path: Path, monkeypatch, capsys) -> None:
    """A server that runs keeps the model that it was started with, which is said."""
    health = {"model": {"name": "colorize-base", "version": "1.0.0", "sha256": "0" * 64}}
    monkeypatch.setattr(model_command, "find_daemon", lambda _: (None, Found(Who.OURS, 1, health)))
    serve.main(["model", "use", "aunt-ida"])
    said = capsys.readouterr().out
    assert "The server that runs still has colorize-base 1.0.0." in said
    assert "colorize-server start --background --replace" in said
    serve.main(["status"])
    assert "Default model: aunt-ida" in capsys.readouterr().out
    serve.main(["doctor", "--json"])
    findings = {line["check"]: line for line in json.loads(capsys.readouterr().out)["findings"]}
    assert findings["model"]["text"].endswith("; aunt-ida was chosen as the default")
