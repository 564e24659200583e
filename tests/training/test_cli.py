"""The command line: one line and exit code 1 for what is wrong, a page of help, and an artist's own model."""

import errno
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from colorize_training.cli import main
from colorize_training.config import (
    ModelConfig,
    TrainConfig,
    config_from_dict,
    config_from_toml,
    config_to_dict,
    named_config,
    paper_config,
)
from colorize_training.errors import ConfigError


def _fails(capsys, *words):
    assert main([str(w) for w in words]) == 1
    error = capsys.readouterr().err
    assert error.startswith("colorize-train: ")
    assert error.count("\n") == 1
    assert "Traceback" not in error
    return error


def test_errors_are_one_line_with_cause_and_remedy(capsys, tmp_path, shards, exported):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "There is no picture" in _fails(capsys, "prepare", empty, "--out", tmp_path / "o")
    assert "There is no configuration" in _fails(capsys, "fit", tmp_path / "no.toml")
    assert "There is no configuration named 'pix3pix'. Use one of default, pix2pix-paper, cool" in _fails(
        capsys, "fit", "pix3pix"
    )
    assert "There is no checkpoint" in _fails(capsys, "evaluate", tmp_path / "no", "--data", shards)
    assert "There is no checkpoint" in _fails(capsys, "export", empty, "--out", tmp_path / "m.onnx")
    assert "cannot be read" in _fails(capsys, "evaluate", tmp_path / "no.onnx", "--data", shards)
    assert "--photos" in _fails(capsys, "preview", tmp_path / "x", "--out", tmp_path / "s.png")
    model = exported[1]
    no_folder = ("--photos", tmp_path / "no", "--out", tmp_path / "s.png")
    assert "There is no folder" in _fails(capsys, "preview", model, *no_folder)
    assert main(["evaluate", str(model), "--data", str(shards), "--split", "train", "--pictures", "1", "--quick",
                 "--probe-pictures", "0"]) == 0  # fmt: skip
    capsys.readouterr()
    assert "Use 1 or more, or --quick" in _fails(capsys, "evaluate", model, "--data", shards, "--probe-pictures", 0)
    broken = tmp_path / "broken.toml"
    broken.write_text("[data\n")
    assert "not valid TOML" in _fails(capsys, "fit", broken)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[optim]\nlearning_rate = 1", "no setting learning_rate"),
        ("[optim]\nbatch = 1.5", "batch is 1.5"),
        ("[optim]\nbatch = 0", "batch is 0"),
        ("[data]\ncrop_px = 100", "multiple of 32"),
        ("[data]\ncrop_px_end = 128", "from crop_px on"),
        ("pictures = 10\n[data]\ngrowth_pictures = 11", "up to the pictures of the run"),
        ("[data]\npeople_share = 2.0", "people_share is 2.0"),
        ("[degrade]\nblur = -1.0", "blur is -1.0"),
        ('[model]\nnetwork = "resnet"', "network is 'resnet'"),
        ('preset = "other"', "no configuration named 'other'"),
        ("data = 3", "is not a table"),
    ],
)
def test_wrong_settings_are_named(tmp_path, text, said):
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        config_from_toml(path)


def test_a_configuration_survives_its_dictionary():
    for config in (TrainConfig(), paper_config()):
        assert config_from_dict(config_to_dict(config)) == config


def test_the_paper_preset_has_the_paper_settings(tmp_path):
    path = tmp_path / "paper.toml"
    path.write_text('preset = "pix2pix-paper"\npictures = 7\n[optim]\nbatch = 4\n')
    config = config_from_toml(path)
    assert (config.pictures, config.optim.batch) == (7, 4)
    assert config.model.network == "unet256"
    assert config.model.upsampling == "transposed"
    assert config.model.dropout
    assert (config.optim.lr, config.optim.beta1, config.optim.optimizer) == (2e-4, 0.5, "adam")
    assert config.loss.pixel == "l1"
    assert config.loss.pixel_weight * 110 == pytest.approx(100 * config.loss.adversarial_weight)


def test_the_committed_configurations_are_valid():
    folder = Path(__file__).resolve().parents[2] / "training" / "colorize_training" / "configs"
    configs = {path.stem: config_from_toml(path) for path in folder.glob("*.toml")}
    assert configs["stage1-scenes"].pictures >= 300_000
    assert configs["stage2-people"].pictures >= 100_000
    assert configs["stage2-people"].start_from


@pytest.fixture
def full_disk(monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)


def test_a_sheet_that_cannot_be_written_is_an_error_in_words(capsys, shards, tmp_path, monkeypatch, full_disk):
    from colorize_training.measure import preview

    monkeypatch.setattr(preview, "degradation_rows", lambda *_: [("row", [np.zeros((9, 9, 3), np.uint8)])])
    path = tmp_path / "new" / "sheet.png"
    error = _fails(capsys, "preview", "--data", shards, "--out", path)
    assert "The disk is full" in error
    assert "choose another --out" in error
    assert "--resume" not in error  # there is no run to go on with
    assert list(path.parent.iterdir()) == []
    assert "Name it .png or .jpg" in _fails(capsys, "preview", "--data", shards, "--out", tmp_path / "sheet.doc")


@pytest.mark.parametrize("name", ["evaluation.json", "evaluation.html", "card.json"])
def test_a_report_that_cannot_be_written_is_an_error_in_words(name, capsys, shards, tmp_path, monkeypatch):
    from colorize_training.measure import evaluate, evaluation
    from colorize_training.models import predictor

    def refuse(path, to, replace=Path.replace):
        if to.name == name:
            raise OSError(errno.EROFS, "Read-only file system")
        return replace(path, to)

    monkeypatch.setattr(predictor, "open_predictor", lambda *_: None)
    monkeypatch.setattr(evaluate, "evaluate", lambda *_: (evaluation.Evaluation(7, "choose"), []))
    monkeypatch.setattr(Path, "replace", refuse)
    error = _fails(capsys, "evaluate", tmp_path / "model", "--data", shards, "--out", tmp_path / "report")
    assert f"{name} cannot be written (Read-only file system)" in error
    assert "Choose another folder with --out" in error


def test_help_needs_no_torch():
    code = (
        "import sys, colorize_training.cli as c\n"
        "try:\n c.main(['--help'])\nexcept SystemExit: pass\n"
        "assert 'torch' not in sys.modules"
    )
    environment = {"PYTHONPATH": ":".join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    for command in ("prepare", "fit", "evaluate", "preview", "export", "finetune"):
        assert command in done.stdout


def test_a_few_steps_of_the_paper_preset(tiny_config, shards, tmp_path):
    """BatchNorm, dropout, batches of one, adversarial loss from the start."""
    from dataclasses import replace

    from colorize_training.loop.fit import FitOptions, fit
    from colorize_training.models.checkpoint import read_checkpoint

    paper = paper_config()
    config = replace(paper, data=replace(paper.data, has_splits=False))
    last = fit(config, FitOptions(tmp_path / "run", shards, max_steps=1, precision="float32", workers=0, is_quiet=True))
    assert read_checkpoint(last).progress.pictures == 1


@pytest.mark.parametrize("pictures", [400, 4000, 40_000])
def test_a_finetune_of_any_length_reaches_its_learning_rate_stays_there_and_falls(pictures, tmp_path):
    from colorize_training import finetune as module
    from colorize_training.loop.schedule import learning_rate_factor

    options = module.FinetuneOptions(tmp_path, "own", pictures=pictures)
    optim = module._run_config(options, tmp_path / "base.onnx", ModelConfig(), tmp_path).optim
    factors = [learning_rate_factor(optim, seen, pictures) for seen in range(0, pictures, 16)]
    at_full = [factor == 1.0 for factor in factors]
    assert 0.3 < sum(at_full) / len(at_full) < 0.6
    assert factors[0] < 0.1
    assert factors[-1] < 0.1
    assert factors.index(1.0) * 16 <= 0.1 * pictures + 16


def test_a_short_run_of_a_long_configuration_keeps_its_shape():
    """Its learning rate would not reach its height else, and crops that grow for longer than the run were refused."""
    from colorize_training.loop.fit import with_overrides

    whole = named_config("stage2-people")
    short = with_overrides(whole, 1000, None)
    assert (short.pictures, short.data.growth_pictures) == (1000, whole.data.growth_pictures // 100)
    assert (short.optim.warmup_pictures, short.optim.decay_pictures) == (30, 600)
    longer = with_overrides(whole, 200_000, None)
    assert longer == replace(whole, pictures=200_000)


def test_what_the_command_line_changes_is_checked_before_any_work(capsys, exported, photos, tmp_path):
    """Else a run would write checkpoints whose configuration nothing reads back."""
    own = ("finetune", photos, "--out", tmp_path / "own", "--start-from", exported[1])
    for option, value, remedy in (
        ("--crop", 100, "multiple of 32"),
        ("--pictures", 0, "above 0"),
        ("--batch", 0, "1 or"),
    ):
        assert remedy in _fails(capsys, *own, option, value)
    assert not (tmp_path / "own").exists()


def _stop_after_two_steps(patch):
    """As Ctrl+C does."""
    from colorize_training.loop import fit as fit_module

    asked = []
    patch.setattr(fit_module, "_is_stopped", lambda *_: asked.append(1) or len(asked) > 2)


def test_a_finetune_that_was_stopped_makes_no_model_and_goes_on(exported, photos, tmp_path, monkeypatch):
    from colorize_server.model import load_model
    from colorize_training import finetune as module
    from colorize_training.errors import DataError, StoppedError

    options = module.FinetuneOptions(
        tmp_path / "own", "aunt-ida", exported[1], 8, "float32", batch=2, crop_px=32, workers=0, is_quiet=True
    )
    with monkeypatch.context() as patch:
        _stop_after_two_steps(patch)
        with pytest.raises(StoppedError, match=r"Stopped after 4 of 8 pictures.+run the same command again to go on"):
            module.finetune(photos, options, [].append)
    said = []
    assert not list((tmp_path / "own").glob("*.onnx"))
    (tmp_path / "others").mkdir()
    for folder, start in ((tmp_path / "others", exported[1]), (photos, None)):
        with pytest.raises(DataError, match=r"other photographs, or from another model\. Choose another folder"):
            module.finetune(folder, replace(options, start_from=start), said.append)
    path = module.finetune(photos, options, said.append)
    assert str(said[-1]).startswith("going on with the photographs")
    assert load_model(path).card.rest["training"]["pictures_seen"] == 1234 + 8


def test_a_model_of_ones_own_is_found_by_its_name(capsys, exported, tmp_path, monkeypatch):
    import platformdirs
    from colorize_server.cli.model_option import model_path
    from colorize_server.model import load_model
    from colorize_training import finetune

    def made(folder, options, say):
        shutil.copy(exported[1].with_suffix(".sha256"), options.out / "aunt-ida.sha256")
        return Path(shutil.copy(exported[1], options.out / "aunt-ida.onnx"))

    monkeypatch.setattr(platformdirs, "user_data_dir", lambda *_, **__: str(tmp_path / "data"))
    monkeypatch.setattr(finetune, "finetune", made)
    arguments = ["finetune", str(tmp_path), "--out", str(tmp_path), "--name"]
    for _ in range(2):  # made again, it takes the place of the former
        assert main([*arguments, "aunt-ida"]) == 0
    assert "colorize --model aunt-ida" in capsys.readouterr().out
    kept = model_path("aunt-ida")
    assert kept.parent.parent == tmp_path / "data"
    assert load_model(kept).sha256 == load_model(exported[1]).sha256
    for name in ("../evil", "colorize-base", ""):
        assert "cannot be named" in _fails(capsys, *arguments, name)


def test_an_artist_makes_a_model_of_their_own(photos, exported, tmp_path):
    """From an exported model and a folder of photographs to a model that the server loads by name."""
    from colorize_server.model import load_model
    from colorize_training.finetune import FinetuneOptions, finetune
    from colorize_training.models.checkpoint import checkpoints, read_checkpoint

    _, base, _ = exported
    options = FinetuneOptions(
        out=tmp_path / "own",
        name="aunt-ida",
        start_from=base,
        pictures=4,
        batch=2,
        crop_px=32,
        precision="float32",
        workers=0,
        is_quiet=True,
    )
    said = []
    path = finetune(photos, options, said.append)
    (report,) = said
    assert report.kept + report.dropped["tiny"] == report.found == 24
    assert report.kept > 0
    card = load_model(path).card
    assert card.rest["training"]["own_pictures"] == report.kept
    assert card.name == "aunt-ida"
    assert card.sizes == (256, 320)
    assert card.rest["training"]["pictures_seen"] == 1234 + 4  # those of the model that it started from, and its own
    assert load_model(path).sha256 != load_model(base).sha256
    (last,) = checkpoints(tmp_path / "own" / "run")
    hints = read_checkpoint(last).config.hints
    assert hints.recolour == 0  # else one odd dab would turn the whole picture again
    assert hints.local > 0


COMMANDS = (
    ("prepare", "photos", "--out", "shards"),
    ("fit", "default"),
    ("evaluate", "m.onnx"),
    ("preview", "--out", "sheet.png"),
    ("export", "run", "--out", "m.onnx"),
    ("finetune", "photos"),
    ("half", "run", "--out", "half.safetensors"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize("missing", ["torch", "safetensors", "tensorboard", "onnxscript"])
def test_without_the_extra_a_sentence_says_what_to_install(words, missing, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else real(name))
    error = _fails(capsys, *words)
    assert f"not installed ({missing}). Install them: " in error
    assert "[train]" in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_ctrl_c_while_a_command_is_loading_ends_without_a_traceback(words, tmp_path):
    """A real process; the signal comes while torch is being imported, which takes most of the first second."""
    fake = tmp_path / "fake"
    for package in ("torch", "safetensors", "tensorboard", "onnxscript", "numpy"):
        (fake / package).mkdir(parents=True)
        (fake / package / "__init__.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\n")
    done = _run_beside_fakes(fake, *words)
    assert (done.returncode, done.stderr) == (130, "colorize-train: Stopped.\n")


def _run_beside_fakes(fake, *words):
    """Run the command with the packages of a folder before the real ones."""
    return subprocess.run(
        [sys.executable, "-m", "colorize_training.cli", *words],
        cwd=fake,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(fake), *(p for p in sys.path if p)])},
        # A shell's background jobs ignore Ctrl+C, and so would what they start: these tests may be run by one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_ctrl_c_reaches_no_native_code_while_it_is_loading(tmp_path):
    """PyTorch's C++ aborts (signal 6) on an exception while it is initialised; what looks like one here is torch's."""
    (tmp_path / "torch").mkdir()
    text = (
        "import os, signal\ntry:\n    signal.raise_signal(signal.SIGINT)\nexcept KeyboardInterrupt:\n    os.abort()\n"
    )
    (tmp_path / "torch" / "__init__.py").write_text(text)
    done = _run_beside_fakes(tmp_path, "fit", "default")
    assert (done.returncode, done.stderr) == (130, "colorize-train: Stopped.\n")


@pytest.mark.parametrize(
    "words",
    [
        ("fit", "x.toml", "--workers", "-1"),
        ("fit", "x.toml", "--half-every", "-1"),
        ("fit", "x.toml", "--pictures", "-5"),
        ("prepare", "photos", "--out", "shards", "--keep", "0"),
        ("prepare", "photos", "--out", "shards", "--side", "3"),
        ("evaluate", "m.onnx", "--pictures", "0"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert f"{words[-1]} is not a whole number of at least" in capsys.readouterr().err


def test_a_run_that_was_stopped_tells_the_shell(tiny_config, shards, tmp_path, monkeypatch, capsys):
    """So that `fit && export` does not go on."""
    monkeypatch.setattr("colorize_training.config.named_config", lambda _: replace(tiny_config, pictures=8))
    words = ["fit", "tiny", "--data", str(shards), "--out", str(tmp_path / "run"), "--workers", "0"]
    with monkeypatch.context() as patch:
        _stop_after_two_steps(patch)
        assert main(words) == 130
    assert "Stopped after 4 of 8 pictures" in capsys.readouterr().err
    assert main([*words, "--resume"]) == 0


def test_an_artist_need_not_name_a_folder(monkeypatch, tmp_path):
    from colorize_training import finetune as finetune_module

    asked = {}

    def finetune(folder, options, say):
        asked["out"] = options.out
        raise ConfigError("enough", "")

    monkeypatch.setattr(finetune_module, "finetune", finetune)
    assert main(["finetune", str(tmp_path), "--name", "aunt-ida"]) == 1
    assert asked["out"] == Path("runs/aunt-ida")


def test_a_configuration_is_found_by_its_name(capsys, tmp_path, monkeypatch):
    """Where there is no checkout: the files come with the package."""
    monkeypatch.chdir(tmp_path)
    for name, stage in (("stage1-scenes", 1), ("stage2-people", 2)):
        config = named_config(name)
        assert (config.name, config.stage, config.data.folder) == (name, stage, "shards")
    own = tmp_path / "own.toml"
    own.write_text('preset = "stage2-people"\nname = "small"\n[data]\ncrop_px_end = 0\ngrowth_pictures = 0\n')
    assert config_from_toml(own).data.people_share == named_config("stage2-people").data.people_share
    assert "shards" in _fails(capsys, "fit", "stage1-scenes")  # there are none, which is all that is missing


@pytest.mark.parametrize("option", ["evaluate", "preview", "fit", "finetune"])
def test_a_model_is_found_by_its_name(option, exported, tmp_path, monkeypatch, capsys):
    import platformdirs
    from colorize_server.model import own_models_folder
    from colorize_training.cli import _parser

    monkeypatch.setattr(platformdirs, "user_data_dir", lambda *_, **__: str(tmp_path / "data"))
    own_models_folder().mkdir(parents=True)
    kept = Path(shutil.copy(exported[1], own_models_folder() / "aunt-ida.onnx"))
    words = {
        "evaluate": ["evaluate"],
        "preview": ["preview", "--out", "sheet.png"],
        "fit": ["fit", "default", "--start-from"],
        "finetune": ["finetune", "photos", "--start-from"],
    }[option]
    found = vars(_parser().parse_args([*words, "aunt-ida"]))
    assert (found.get("model") or found.get("start_from")) == kept
    with pytest.raises(SystemExit):
        main([*words, "aunt-ada"])
    assert "there is no model named aunt-ada: choose colorize-base, aunt-ida" in capsys.readouterr().err
