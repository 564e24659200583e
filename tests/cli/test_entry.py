"""Ctrl+C from a command's first moment: no traceback, exit code 130, and nothing raised among imports."""

import importlib
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from colorize_server import interrupts

SCRIPTS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["scripts"]
FIRST_IMPORTS = {
    "colorize": "numpy",
    "colorize-server": "platformdirs",
    "colorize-archive": "numpy",
    "trt-build": "platformdirs",
    "colorize-train": "argparse",
}
"""What each command imports early on, before it has read its arguments."""
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Ctrl+C is sent otherwise there")


def interrupted(tmp_path: Path, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as its script does; the signal comes while it imports, where native code would abort."""
    text = (
        "import os, signal\ntry:\n    signal.raise_signal(signal.SIGINT)\nexcept KeyboardInterrupt:\n    os.abort()\n"
    )
    (tmp_path / f"{FIRST_IMPORTS[name]}.py").write_text(text)
    module, function = SCRIPTS[name].split(":")
    code = f"import sys; from {module} import {function}; sys.exit({function}())"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *(p for p in sys.path if p)])},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a background job ignores it
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", FIRST_IMPORTS)
def test_ctrl_c_among_imports_is_a_line(tmp_path: Path, name: str) -> None:
    ended = interrupted(tmp_path, name, "start" if name == "colorize-server" else "--help")
    assert ended.returncode == interrupts.STOPPED
    assert ended.stderr.lower().startswith(f"{name}: stopped")
    assert ended.stderr.count("\n") == 1


def test_every_command_begins_where_ctrl_c_is_minded() -> None:
    assert set(SCRIPTS) == set(FIRST_IMPORTS)
    for target in SCRIPTS.values():
        module, function = target.split(":")
        assert module.endswith(".entry")
        assert callable(getattr(importlib.import_module(module), function))


def test_ctrl_c_is_given_back_to_what_can_be_finished() -> None:
    before = signal.getsignal(signal.SIGINT)
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        interrupts.leave_at_once("stopped")
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        interrupts.raise_again()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a background job of a shell
        interrupts.leave_at_once("stopped")
        interrupts.raise_again()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
