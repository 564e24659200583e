"""TensorRT's calls against NVIDIA's real signatures: mypy strict with the ``tensorrt-stubs`` package."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECKED = (
    "server/colorize_server/tensorrt",
    "server/colorize_server/backends",
    "server/colorize_server/cli/trt_build.py",
)

CONFIGURATION = """
[mypy]
strict = True
warn_unreachable = True
warn_return_any = False
[mypy-onnxruntime.*,onnxconverter_common.*,tensorrt_rtx_bindings.*,openvino.*,pycuda.*,tifffile.*,imagecodecs.*,psutil.*]
ignore_missing_imports = True
"""


def repaired_stubs(target: Path) -> Path:
    """Copy the stubs and mend the lines that are no Python: mypy would stop at the first of them."""
    spec = importlib.util.find_spec("tensorrt_stubs")
    if spec is None or spec.origin is None:
        pytest.skip("tensorrt-stubs is not installed (pip install --no-deps tensorrt-stubs)")
    site = Path(spec.origin).parents[1]
    for name in ("tensorrt", "tensorrt_bindings"):
        shutil.copytree(site / name, target / name, ignore=shutil.ignore_patterns("*.py", "*.so", "*.pyc"))
    stub = target / "tensorrt_bindings" / "tensorrt.pyi"
    text = stub.read_text(encoding="utf-8")
    text = re.sub(r"(?<=[(, ])in: list", "inputs: list", text)  # a keyword as the name of an argument
    text = text.replace("power: Weights = None, channel_axis: int)", "power: Weights = None, channel_axis: int = ...)")
    stub.write_text(text, encoding="utf-8")
    with (target / "tensorrt" / "__init__.pyi").open("a", encoding="utf-8") as stream:
        stream.write("\n__version__: str\n")  # the generator passes over names in underscores
    return target


def complaints(folder: Path, *paths: str) -> list[str]:
    """Run mypy and return what it says of files outside the stubs."""
    (folder / "mypy.ini").write_text(CONFIGURATION)
    stubs = repaired_stubs(folder / "stubs")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", folder / "mypy.ini", "--cache-dir", folder / "cache", *paths],
        cwd=ROOT,
        env={"MYPYPATH": f"{stubs}:{ROOT / 'server'}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if ": error:" in line and str(stubs) not in line]


@pytest.mark.slow
def test_every_call_fits_tensorrts_signatures_and_a_wrong_one_would_be_seen(tmp_path: Path) -> None:
    control = tmp_path / "control.py"
    control.write_text(
        "from colorize_server.tensorrt.library import Library\n"
        "def misuse(library: Library) -> None:\n"
        "    network = library.Builder(1).create_network('strongly typed')\n"
        "    network.get_input(0).dtipe\n"
    )
    found = complaints(tmp_path, *CHECKED, str(control))
    ours = [line for line in found if "control.py" not in line]
    assert ours == []
    control_lines = {int(line.split("control.py:")[1].split(":")[0]) for line in found if "control.py" in line}
    assert control_lines == {3, 4}
