"""The panel's sources: types, style and the pure parts."""

import json
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.photoshop, pytest.mark.timeout(300)]

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
BIN = HERE / "node_modules" / ".bin"


def run(*command: str | Path, cwd: Path = HERE) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=240)


def test_types(tools: None) -> None:
    """Tsc --strict against Adobe's declarations finds nothing."""
    result = run(BIN / "tsc", "-p", "tsconfig.json")
    assert result.returncode == 0, result.stdout


def test_types_are_checked(tools: None, tmp_path: Path) -> None:
    """The check can fail: a misspelt call of the imaging API is found."""
    broken = REPOSITORY / "photoshop_uxp" / "pixels.js"
    text = broken.read_text(encoding="utf-8").replace("imaging.getPixels(", "imaging.getPixel(")
    assert "getPixel(" in text
    (tmp_path / "pixels.js").write_text(text, encoding="utf-8")
    for name in ("errors.js", "samples.js"):
        (tmp_path / name).write_bytes((broken.parent / name).read_bytes())
    config = json.loads((HERE / "tsconfig.json").read_text())
    config["files"] = [
        str(tmp_path / "pixels.js"),
        *(str(HERE / file) for file in config["files"] if file.startswith("node_modules")),
    ]
    (tmp_path / "tsconfig.json").write_text(json.dumps(config))
    result = run(BIN / "tsc", "-p", tmp_path / "tsconfig.json")
    assert "getPixel'" in result.stdout, result.stdout


def test_style(tools: None) -> None:
    """Eslint finds nothing in the panel, in the fake host and in the scenarios."""
    result = run(
        BIN / "eslint",
        "-c",
        HERE / "eslint.config.mjs",
        "photoshop_uxp",
        "tests/plugins/photoshop",
        cwd=REPOSITORY,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_pure_parts(tools: None) -> None:
    """Samples, protocol client, labels and files, by Node's own test runner."""
    result = run("node", "--test", "--test-reporter", "tap", *sorted((HERE / "unit").glob("*.test.mjs")))
    assert result.returncode == 0, result.stdout
    assert "# skipped 0" in result.stdout
