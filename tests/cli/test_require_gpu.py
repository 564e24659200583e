"""``start --require-gpu`` on a machine without one: an end with the reason, not a server that cannot compute."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from colorize_server.backends.try_out import try_out
from colorize_server.model import shipped_model_path


@pytest.mark.parametrize("background", [[], ["--background"]])
def test_a_required_gpu_that_is_not_there_ends_the_start(state_folder: Path, background: list[str]) -> None:
    if try_out("auto", shipped_model_path(), 0, require_gpu=True).works:
        pytest.skip("this machine has a GPU")
    ended = subprocess.run(
        [sys.executable, "-m", "colorize_server.cli.main", "start", "--port", "0", "--require-gpu", *background],
        env={**os.environ, "COLORIZE_STATE_DIR": str(state_folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert ended.returncode == 1
    assert "No graphics card can be used" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (state_folder / "state.json").exists()
