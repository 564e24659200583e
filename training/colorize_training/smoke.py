"""``colorize-train smoke``: the whole way on a tiny set, from a folder of pictures to a colorized photograph.

Both stages, evaluation and export run for a few steps with the commands that a real training uses; then the server's
own code loads the model and colorizes a picture.  It shows that everything fits together, not that it learns well.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from colorize_training.errors import ExportError

_STAGE: Final = """
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


def make_photo(seed: int, side: int = 72, aspect: float = 1.25) -> Image.Image:
    """Draw a colourful picture, different for every seed."""
    rng = np.random.default_rng(seed)
    width = round(side * aspect)
    y, x = np.mgrid[0:side, 0:width].astype(np.float32)
    rgb = np.zeros((side, width, 3), np.float32)
    for channel in range(3):
        fx, fy = rng.uniform(-12, 12, 2) / side
        phase = rng.uniform(0, 6.3)
        rgb[..., channel] = 128 + 90 * np.sin(fx * x + fy * y + phase)
    for _ in range(12):
        cx, cy, r = rng.uniform(0, width), rng.uniform(0, side), rng.uniform(0.1, 0.3) * side
        rgb[(x - cx) ** 2 + (y - cy) ** 2 < r * r] = rng.uniform(0, 255, 3)
    rgb += rng.normal(0, 6, rgb.shape)
    return Image.fromarray(rgb.clip(0, 255).astype(np.uint8))


def _colorize(model_path: Path, photo: Image.Image) -> float:
    """Colorize a grey picture with the server's own code; returns the largest difference between two channels."""
    from colorize_server.backends import open_backend
    from colorize_server.colorizer import Colorizer
    from colorize_server.model import load_model
    from colorize_server.options import Options
    from colorize_server.photograph import Photograph, profile_by_name

    model = load_model(model_path)
    grey = np.asarray(photo.convert("L"))[..., None]
    colorizer = Colorizer(open_backend("auto", model), model)
    try:
        pixels, _ = colorizer.colorize(Photograph(grey, profile_by_name("srgb", 1)), Options())
    finally:
        colorizer.close()
    rgb = pixels[..., :3].astype(int)
    return float(np.ptp(rgb, axis=-1).max())


def smoke(say: Callable[[object], None], folder: Path | None = None) -> None:
    """Run everything once.

    Args:
        say: takes lines of progress.
        folder: where to work, kept afterwards; a temporary folder if None.

    Raises:
        ExportError: if the exported model gives no colour in the server.
        TrainingError: from any step.
    """
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="colorize-train-smoke-") as temporary:
            smoke(say, Path(temporary))
        return
    from colorize_training.cli import main

    def run(*arguments: object) -> None:
        words = [str(a) for a in arguments]
        say("$ colorize-train " + " ".join(words))
        if main(words) != 0:
            raise ExportError(f"The step {words[0]} failed.", "Its message stands above.")

    for name, count, aspect in (("scenes", 60, 1.3), ("people", 40, 0.8)):
        photos = folder / "photos" / name
        for seed in range(count):
            path = photos / f"source{seed % 33}" / f"{seed:03d}.png"  # many sources, so that every split gets some
            path.parent.mkdir(parents=True, exist_ok=True)
            make_photo(seed + (1000 if name == "people" else 0), 128, aspect).save(path)
        (photos / "damaged.jpg").write_bytes(b"\xff\xd8 cut off")
        run("prepare", photos, "--out", folder / "shards", "--set", name, "--side", 96)
    for stage, name, start, adversarial in ((1, "scenes", "", 0.0), (2, "people", folder / "stage1", 0.05)):
        config = folder / f"stage{stage}.toml"
        text = _STAGE.format(
            name=f"stage{stage}-{name}",
            stage=stage,
            start_from=str(start).replace("\\", "/"),
            people_share=0.2 if stage == 1 else 0.7,
            adversarial=adversarial,
        )
        config.write_text(text, encoding="utf-8")
        run("fit", config, "--data", folder / "shards", "--out", folder / f"stage{stage}", "--workers", 0,
            "--precision", "float32")  # fmt: skip
    run("evaluate", folder / "stage2", "--data", folder / "shards", "--split", "report", "--out", folder / "report",
        "--probe-pictures", 1)  # fmt: skip
    model = folder / "smoke.onnx"
    # After eight steps rounding alone can move the colours by more than the half-precision bar allows a trained model;
    # a graph of rounded weights is held to that bar against PyTorch with the same weights.
    run("export", folder / "stage2", "--out", model, "--metrics", folder / "report" / "card.json",
        "--weight-step", 0.04)  # fmt: skip
    seen = json.loads((folder / "report" / "evaluation.json").read_text(encoding="utf-8"))["pictures_seen"]
    if seen != 32:
        raise ExportError(f"The model says that it saw {seen} pictures, not 32.", "Look at the checkpoints' progress.")
    spread = _colorize(model, make_photo(7, 120))
    if spread < 1:
        raise ExportError("The exported model gives no colour in the server.", "Look at the steps above.")
    say(f"The server colorized a picture with the model: channels differ by up to {spread:.0f} levels.")
