"""``make train-smoke``: the whole way on a tiny set, from a folder of pictures to a colorized photograph.

Both stages, evaluation and export run for a few steps with the commands that a real training uses; then ``colorize``
colours a picture with the model.  It shows that everything fits together, not that it learns well.  It takes a
minute, so ``make test`` leaves it out; ``--basetemp=FOLDER`` keeps what it makes.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from colorize_training.samples.drawn import make_photo
from PIL import Image

STAGE = """
name = "{name}"
stage = {stage}
pictures = 16
start_from = "{start_from}"
[data]
crop_px = 64
people_share = {people_share}
[model]
encoder = "lite0"
[loss]
adversarial_weight = {adversarial}
[optim]
batch = 4
warmup_pictures = 8
decay_pictures = 12
"""


def _train(*arguments: object) -> None:
    """Run one command as a user does."""
    words = [str(a) for a in arguments]
    print("$ colorize-train " + " ".join(words), flush=True)
    subprocess.run([sys.executable, "-m", "colorize_training.cli", *words], check=True)


def _prepare(folder: Path, name: str, count: int, aspect: float) -> None:
    """Draw photographs, one of them damaged, and add them to the shards."""
    photos = folder / "photos" / name
    for seed in range(count):
        path = photos / f"source{seed % 33}" / f"{seed:03d}.png"  # many sources, so that every split gets some
        path.parent.mkdir(parents=True, exist_ok=True)
        make_photo(seed + (1000 if name == "people" else 0), 128, aspect).save(path)
    (photos / "damaged.jpg").write_bytes(b"\xff\xd8 cut off")
    _train("prepare", photos, "--out", folder / "shards", "--set", name, "--side", 96)


def _fit(folder: Path, stage: int, name: str, start: str, adversarial: float) -> None:
    """Train one stage for four steps."""
    config = folder / f"stage{stage}.toml"
    text = STAGE.format(
        name=f"stage{stage}-{name}",
        stage=stage,
        start_from=start.replace("\\", "/"),
        people_share=0.2 if stage == 1 else 0.7,
        adversarial=adversarial,
    )
    config.write_text(text, encoding="utf-8")
    _train("fit", config, "--data", folder / "shards", "--out", folder / f"stage{stage}", "--workers", 0,
           "--precision", "float32")  # fmt: skip


def _spread_of_channels(model: Path, photo: Path) -> float:
    """Colorize a grey picture with the server's own command; the largest difference between two channels, levels."""
    Image.open(photo).convert("L").save(photo)
    program = Path(sys.executable).with_name("colorize")
    subprocess.run([program, photo, "--model", model], check=True)
    (made,) = photo.parent.glob(f"{photo.stem}.colour.*")
    return float(np.ptp(np.asarray(Image.open(made).convert("RGB")).astype(int), axis=-1).max())


def test_from_a_folder_of_pictures_to_a_colorized_photograph(tmp_path):
    shards, report, model = tmp_path / "shards", tmp_path / "report", tmp_path / "smoke.onnx"
    _prepare(tmp_path, "scenes", 60, 1.3)
    _prepare(tmp_path, "people", 40, 0.8)
    _fit(tmp_path, 1, "scenes", "", 0.0)
    _fit(tmp_path, 2, "people", str(tmp_path / "stage1"), 0.05)
    _train("evaluate", tmp_path / "stage2", "--data", shards, "--split", "report", "--out", report,
           "--probe-pictures", 1)  # fmt: skip
    _train("export", tmp_path / "stage2", "--out", model, "--metrics", report / "card.json")
    assert json.loads((report / "evaluation.json").read_text(encoding="utf-8"))["pictures_seen"] == 32
    photo = tmp_path / "photo.png"
    make_photo(7, 120).save(photo)
    assert _spread_of_channels(model, photo) >= 1
