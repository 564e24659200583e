"""The wheel is complete: installed into a new environment outside the checkout, it colours a photograph and serves."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest
from colorize_server.install import ccx

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, CHECKOUT], check=True
    )
    (built,) = folder.glob("colorize_server-*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel with all it depends on into a new virtual environment; return its folder of programs."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    subprocess.run([programs / "python", "-m", "pip", "install", "--quiet", wheel], check=True, cwd=folder)
    return programs


@pytest.fixture
def outside(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which nothing of the checkout can be found."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COLORIZE"))}
    return {**kept, "COLORIZE_STATE_DIR": str(tmp_path / "state")}


def test_the_wheel_holds_everything(wheel: Path) -> None:
    """Model and card, licences, the GIMP plug-in, the Photoshop package; and nothing of the tests."""
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "colorize_server/models/colorize-base.onnx",
        "colorize_server/models/colorize-base.sha256",
        "colorize_server/models/colorize-base.md",
        "colorize_server/install/gimp_plugin/colorize/colorize.py",
        "colorize_training/cli.py",
        "colorize_training/configs/stage1-scenes.toml",
        "colorize_training/measure/skin_outlines.json",
    ):
        assert wanted in names
    assert any(n.endswith("licenses/LICENSE") for n in names)
    assert any(n.endswith("licenses/NOTICE") for n in names)
    assert any(n.endswith(".ccx") for n in names)
    unwanted = ("tests", "bench", "smoke", "node_modules", ".pyc")
    assert not [n for n in names if any(word in n for word in unwanted)]


def test_colorize_runs_from_the_wheel(environment: Path, outside: dict[str, str], tmp_path: Path) -> None:
    """The shipped model colours a real photograph, from a folder that is not the checkout, without torch."""
    photo = Path(shutil.copy(CHECKOUT / "tests" / "photographs" / "migrant-mother-1936.jpg", tmp_path))
    done = subprocess.run(
        [environment / "colorize", photo], cwd=tmp_path, env=outside, capture_output=True, text=True, check=True
    )
    assert "Made by colorize-base" in done.stdout
    assert (tmp_path / "migrant-mother-1936.colour.png").stat().st_size > 100_000
    torch = subprocess.run([environment / "python", "-c", "import torch"], env=outside, capture_output=True)
    assert torch.returncode != 0


def test_training_without_its_extra_says_what_to_install(
    environment: Path, outside: dict[str, str], tmp_path: Path
) -> None:
    """One sentence with the command; the configurations are there by their names all the same."""
    command = [environment / "colorize-train", "fit", "stage1-scenes"]
    done = subprocess.run(command, cwd=tmp_path, env=outside, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("colorize-train: Training needs packages that are not installed (torch, ")
    assert "[train]" in done.stderr
    assert done.stderr.count("\n") == 1
    code = "from colorize_training.config import named_config; print(named_config('stage1-scenes').pictures)"
    named = subprocess.run(
        [environment / "python", "-c", code], cwd=tmp_path, env=outside, capture_output=True, text=True
    )
    assert named.stdout == "300000\n", named.stderr


def test_the_server_runs_from_the_wheel(environment: Path, outside: dict[str, str], tmp_path: Path) -> None:
    """``start --background`` comes back when the server answers; ``stop`` ends it."""
    program = str(environment / "colorize-server")
    subprocess.run(
        [program, "start", "--background", "--port", "0"], cwd=tmp_path, env=outside, check=True, timeout=120
    )
    try:
        state = json.loads((tmp_path / "state" / "state.json").read_text())
        with urllib.request.urlopen(f"http://127.0.0.1:{state['port']}/v1/health", timeout=30) as answer:
            health = json.load(answer)
        assert health["product"] == "colorize-server"
        assert health["ready"]
        assert health["model"]["name"] == "colorize-base"
    finally:
        subprocess.run([program, "stop"], cwd=tmp_path, env=outside, check=True, timeout=120)
    time.sleep(0.2)
    assert not (tmp_path / "state" / "state.json").exists()


def test_the_gimp_plug_in_installs_from_the_wheel(environment: Path, outside: dict[str, str], tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".config" / "GIMP" / "3.0").mkdir(parents=True)
    env = {**outside, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}
    subprocess.run([environment / "colorize-server", "install", "gimp"], cwd=tmp_path, env=env, check=True)
    (script,) = home.rglob("colorize/colorize.py")
    assert os.access(script, os.X_OK)


def test_the_photoshop_panel_installs_from_the_wheel(
    environment: Path, outside: dict[str, str], tmp_path: Path
) -> None:
    """The package that is written is the one that the checkout packs, byte by byte."""
    command = [environment / "colorize-server", "install", "photoshop", "--no-run", "--folder", tmp_path / "panel"]
    subprocess.run(command, cwd=tmp_path, env=outside, check=True)
    (package,) = (tmp_path / "panel").glob("*.ccx")
    assert package.read_bytes() == ccx.pack(CHECKOUT / "photoshop_uxp", tmp_path / "packed").read_bytes()
