"""``trt-build`` with NVIDIA's real parser and builder: TensorRT for RTX needs no GPU to build."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import graphs
import pytest
from colorize_server.backends.gpu import Gpu
from colorize_server.cli import trt_build
from colorize_server.errors import BackendError, CancelledError, ModelError
from colorize_server.installation.packages import install_command
from colorize_server.model import Model, load_model, shipped_model_path
from colorize_server.tensorrt import build as build_module
from colorize_server.tensorrt import provide as provide_module
from colorize_server.tensorrt.build import BuildRequest, build_engine, recipe_for
from colorize_server.tensorrt.cache import cached_path, find_engine, save_engine
from colorize_server.tensorrt.card import card_path, read_card, read_engine
from colorize_server.tensorrt.difference import ChromaDifference
from colorize_server.tensorrt.flavours import CLASSIC, RTX
from colorize_server.tensorrt.graph import Precision
from colorize_server.tensorrt.library import Library
from colorize_server.tensorrt.provide import provide_engine
from unet256_onnx import write_unet256

pytestmark = pytest.mark.usefixtures("rtx", "one_sample")

GPU = Gpu(0, "GeForce A", "8.6", "580.10", 8192, 7000)


def build(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """Run trt-build and return its JSON."""
    assert trt_build.main([*map(str, arguments), "--json"]) == 0
    members: dict[str, Any] = json.loads(capsys.readouterr().out)
    return members


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run trt-build, which must fail in one line, and return that."""
    assert trt_build.main([*map(str, arguments)]) == 1
    captured = capsys.readouterr()
    assert not captured.out
    assert captured.err.count("\n") == 1
    return captured.err


def test_the_shipped_model_is_built_with_a_card_that_tells_it_all(
    capsys: pytest.CaptureFixture[str], cache: Path, shipped_model: Model
) -> None:
    members = build(capsys)
    path = Path(members["path"])
    assert path.parent == cache
    engine = path.read_bytes()
    assert members["engine_sha256"] == hashlib.sha256(engine).hexdigest()
    assert members["engine_bytes"] == len(engine) > 1_000_000
    assert members["build_s"] > 0
    recipe = members["recipe"]
    assert recipe["model_sha256"] == shipped_model.sha256
    assert (recipe["flavour"], recipe["precision"]) == ("rtx", "fp16")
    assert recipe["library_version"].startswith("1.")
    lying, standing = recipe["profiles"]
    small, large = shipped_model.card.sizes[0], shipped_model.card.sizes[-1]
    assert lying["smallest"] == {"batch": 1, "height": small, "width": small}
    assert lying["largest"] == {"batch": 1, "height": large, "width": 4 * large}
    assert standing["largest"] == {"batch": 1, "height": 4 * large, "width": large}
    assert 0 < members["chroma_difference"]["mean"] <= 0.5
    assert json.loads(card_path(path).read_bytes())["recipe"] == recipe


def test_precisions_and_target_sets_give_different_engines(capsys: pytest.CaptureFixture[str], tiny: Model) -> None:
    arguments = (tiny.path, "--sizes", "64")
    half = build(capsys, *arguments)
    full = build(capsys, *arguments, "--precision", "fp32")
    one = build(capsys, *arguments, "--compute-capability", "8.6")
    two = build(capsys, *arguments, "--compute-capability", "12.0", "8.9")
    assert len({m["path"] for m in (half, full, one, two)}) == 4
    assert len({m["engine_sha256"] for m in (half, full, one, two)}) == 4
    assert full["chroma_difference"] == {}
    assert (one["recipe"]["targets"], two["recipe"]["targets"]) == (["8.6"], ["8.9", "12.0"])


def test_the_shipped_model_is_built_in_fp32_for_two_targets(rtx: Library, shipped_model: Model) -> None:
    request = BuildRequest(Precision.FP32, capabilities=("8.6", "12.0"))
    engine, card = build_engine(shipped_model, RTX, rtx, recipe_for(shipped_model, RTX, rtx, request, None))
    assert card.recipe.targets == ("8.6", "12.0")
    assert len(engine) > 1_000_000


@pytest.mark.slow
def test_the_plain_unet_is_built_in_both_precisions(
    rtx: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Half a minute for this one; that precisions are compared is tested on smaller networks.
    monkeypatch.setattr(build_module, "_compare", lambda *graphs: ChromaDifference(0, 0, 0))
    model = load_model(write_unet256(tmp_path / "unet256.onnx"))
    sizes = []
    for precision in Precision:
        engine, card = build_engine(model, RTX, rtx, recipe_for(model, RTX, rtx, BuildRequest(precision), None))
        sizes.append(len(engine))
        assert card.recipe.profiles[0].largest.width == 1024
    assert sizes[0] < 0.6 * sizes[1]  # 54 million weights of two bytes, not four


def test_a_second_build_finds_the_first(capsys: pytest.CaptureFixture[str], tiny: Model) -> None:
    first = build(capsys, tiny.path, "--sizes", "64")
    written = Path(first["path"]).stat().st_mtime_ns
    second = build(capsys, tiny.path, "--sizes", "64")
    assert (first["built"], second["built"]) == (True, False)
    assert second["engine_sha256"] == first["engine_sha256"]
    assert Path(first["path"]).stat().st_mtime_ns == written
    assert build(capsys, tiny.path, "--sizes", "64", "--force")["built"]


def test_whatever_an_engine_is_made_from_invalidates_it(tmp_path: Path, rtx: Library, tiny: Model) -> None:
    recipe = recipe_for(tiny, RTX, rtx, BuildRequest(sizes=(64,)), None)
    engine, card = build_engine(tiny, RTX, rtx, recipe)
    save_engine(cached_path(recipe), engine, card)
    assert find_engine(recipe).engine == engine
    other = load_model(graphs.write_changed(tmp_path / "other.onnx", graphs.become_another_version))
    for changed, word in (
        (recipe_for(other, RTX, rtx, BuildRequest(sizes=(64,)), None), "the model"),
        (recipe_for(tiny, RTX, rtx, BuildRequest(sizes=(64, 128)), None), "the sizes"),
        (recipe_for(tiny, RTX, rtx, BuildRequest(sizes=(64,), batch=2), None), "the sizes"),
        (recipe_for(tiny, RTX, rtx, BuildRequest(Precision.FP32, sizes=(64,)), None), "the precision (fp16, now fp32)"),
        (recipe_for(tiny, RTX, rtx, BuildRequest(sizes=(64,), capabilities=("8.6",)), None), "the target GPUs"),
        (recipe_for(tiny, RTX, rtx, BuildRequest(sizes=(64,), workspace_mb=8), None), "the workspace"),
    ):
        found = find_engine(changed)
        assert found.engine is None
        assert found.why_not == f"The engine that was built differs in {word}."


@pytest.mark.parametrize("damage", ["one byte", "cut off", "no card", "card of another", "card is no JSON"])
def test_a_damaged_engine_is_detected_and_built_again(
    damage: str, capsys: pytest.CaptureFixture[str], tiny: Model
) -> None:
    first = build(capsys, tiny.path, "--sizes", "64")
    path = Path(first["path"])
    engine = bytearray(path.read_bytes())
    if damage == "one byte":
        engine[len(engine) // 2] ^= 1
        path.write_bytes(engine)
    elif damage == "cut off":
        path.write_bytes(engine[:-1])
    elif damage == "no card":
        card_path(path).unlink()
    elif damage == "card of another":
        members = json.loads(card_path(path).read_bytes())
        members["recipe"]["model_sha256"] = "0" * 64
        card_path(path).write_text(json.dumps(members))
    else:
        card_path(path).write_text("{")
    recipe = recipe_for(tiny, RTX, RTX.load(), BuildRequest(sizes=(64,)), None)
    assert find_engine(recipe).engine is None
    assert find_engine(recipe).why_not
    assert build(capsys, tiny.path, "--sizes", "64")["built"]
    assert find_engine(recipe).engine == path.read_bytes()


def test_an_engine_and_its_card_go_where_o_says(
    capsys: pytest.CaptureFixture[str], cache: Path, tmp_path: Path, tiny: Model
) -> None:
    target = tmp_path / "folder" / "mine.engine"
    build(capsys, tiny.path, "--sizes", "64", "-o", target)
    engine, card = read_engine(target)
    assert len(engine) == card.engine_bytes
    assert sorted(p.name for p in target.parent.iterdir()) == ["mine.engine", "mine.engine.json"]
    assert not cache.exists()


def test_an_unknown_operator_is_named_with_its_node_and_a_hint(
    capsys: pytest.CaptureFixture[str], cache: Path, tmp_path: Path
) -> None:
    path = graphs.write_changed(tmp_path / "strange.onnx", graphs.use_unknown_operator)
    said = refusal(capsys, path, "--precision", "fp32")
    assert "does not know the operator Det" in said
    assert "node the_determinant (Det)" in said
    assert "use --backend onnxruntime" in said
    assert not cache.exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [(graphs.rename_an_output, "has the outputs ['certainty', 'chroma']"), (graphs.fix_the_size, "fixed at")],
)
def test_a_wrong_contract_is_refused(
    change: Any, words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = graphs.write_changed(tmp_path / "wrong.onnx", change)
    said = refusal(capsys, path)
    assert str(path) in said
    assert words in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sizes", "100"], "100 is not a multiple of 32, which tiny needs. tiny is made for 64, 128, 256."),
        (["--sizes", "0"], "0 is not a multiple of 32"),
        (["--batch", "0"], "A batch of 0 is not possible. Use 1 to 32."),
        (["--batch", "1..99"], "A batch of 99 is not possible"),
        (["--compute-capability", "9.0"], "cannot build for compute capability 9.0. Use some of 7.5, 8.0, 8.6"),
        (["-o", "."], ". is a folder. Name a file with -o."),
    ],
)
def test_what_cannot_be_built_is_said_in_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], tiny: Model
) -> None:
    assert words in refusal(capsys, tiny.path, *arguments)


@pytest.mark.usefixtures("no_gpu")
def test_classic_tensorrt_without_a_gpu_says_so(capsys: pytest.CaptureFixture[str], tiny: Model) -> None:
    assert "No NVIDIA graphics card was found" in refusal(capsys, tiny.path, "--flavour", "tensorrt")


@pytest.mark.skipif(os.name != "posix", reason="the nvidia-smi of the test is a shell script")
@pytest.mark.usefixtures("fake_gpu")
def test_classic_tensorrt_that_is_not_installed_names_the_command_and_would_use_the_card_asked_for(
    capsys: pytest.CaptureFixture[str], tiny: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    said = refusal(capsys, tiny.path, "--flavour", "tensorrt", "--device", "1")
    assert "TensorRT is not installed. Install it:" in said
    assert install_command("colorize-server[tensorrt]") in said
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"


def test_a_full_disk_leaves_nothing(tmp_path: Path, tiny: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    assert trt_build.main([str(tiny.path), "--sizes", "64", "-o", str(tmp_path / "out" / "x.engine")]) == 1
    assert list((tmp_path / "out").iterdir()) == []


def test_a_build_that_is_cancelled_stops_at_the_next_step(rtx: Library, shipped_model: Model) -> None:
    cancelled = threading.Event()
    steps: list[str] = []

    def progress(step: str, fraction: float) -> None:
        steps.append(step)
        if step == "Building the engine":
            cancelled.set()

    recipe = recipe_for(shipped_model, RTX, rtx, BuildRequest(Precision.FP32), None)
    with pytest.raises(CancelledError):
        build_engine(shipped_model, RTX, rtx, recipe, progress=progress, cancelled=cancelled)
    assert "Built" not in steps


def test_progress_rises_to_one(rtx: Library, tiny: Model) -> None:
    fractions: list[float] = []
    steps: list[str] = []

    def progress(step: str, fraction: float) -> None:
        fractions.append(fraction)
        steps.append(step)

    build_engine(tiny, RTX, rtx, recipe_for(tiny, RTX, rtx, BuildRequest(sizes=(64,)), None), progress=progress)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert steps.count("Building the engine") > 2  # the library's own monitor was heard


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl+C is sent otherwise there")
@pytest.mark.parametrize("delay_s", [0.0, 0.03, 0.5], ids="{} s".format)
def test_ctrl_c_leaves_nothing(tmp_path: Path, delay_s: float) -> None:
    """While the library is being loaded, where native code may swallow it, and while the real builder is at work."""
    target = tmp_path / "out" / "base.engine"
    program = "import sys; from colorize_server.cli.trt_build import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(shipped_model_path()), "-o", str(target), "--precision", "fp32"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    maps = Path(f"/proc/{process.pid}/maps")
    end = time.monotonic() + 60
    while "libtensorrt_onnxparser_rtx" not in maps.read_text() and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(delay_s)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "stopped; nothing was written" in said
    assert not target.parent.exists() or list(target.parent.iterdir()) == []


def test_the_server_builds_a_missing_engine_of_rtx_by_itself_and_finds_it_again(rtx: Library, tiny: Model) -> None:
    first = provide_engine(tiny, RTX, rtx, GPU)
    assert first.note.startswith("No engine was built for this model yet. It was built in")
    second = provide_engine(tiny, RTX, rtx, GPU)
    assert (second.note, second.engine, second.path) == ("", first.engine, first.path)


def test_the_server_builds_again_what_is_damaged(rtx: Library, tiny: Model) -> None:
    first = provide_engine(tiny, RTX, rtx, GPU)
    first.path.write_bytes(first.engine[:-5])
    second = provide_engine(tiny, RTX, rtx, GPU)
    assert "is damaged: its checksum is not its card's. It was built in" in second.note
    assert read_card(second.path).engine_bytes == len(second.engine)


def test_the_server_computes_with_an_engine_that_it_cannot_keep(rtx: Library, tiny: Model, cache: Path) -> None:
    cache.parent.write_text("a file where the folder should be")
    provided = provide_engine(tiny, RTX, rtx, GPU)
    assert len(provided.engine) > 1000
    assert "It was built in" in provided.note
    assert "cannot be written" in provided.note


def test_the_server_explains_a_missing_classic_engine_with_the_exact_command(tiny: Model, rtx: Library) -> None:
    card = Gpu(2, "Tesla B", "9.0", "580.10", 80_000, 79_000)
    with pytest.raises(BackendError) as caught:
        provide_engine(tiny, CLASSIC, rtx, card)  # the key does not depend on what the library can do
    assert caught.value.message == "No engine was built for this model yet."
    assert caught.value.hint.endswith(f"trt-build {tiny.path} --flavour tensorrt --device 2")


def test_a_classic_engine_of_another_gpu_or_driver_is_explained(tiny: Model, rtx: Library) -> None:
    recipe = recipe_for(tiny, CLASSIC, rtx, BuildRequest(), GPU)
    engine = b"not looked at here"
    card = provide_module.build_engine(tiny, RTX, rtx, recipe_for(tiny, RTX, rtx, BuildRequest(sizes=(64,)), None))[1]
    save_engine(cached_path(recipe), engine, type(card)(**{**vars(card), "recipe": recipe}))
    other = Gpu(0, "GeForce Z", "8.9", "590.1", 8192, 7000)
    with pytest.raises(BackendError) as caught:
        provide_engine(tiny, CLASSIC, rtx, other)
    assert caught.value.message == (
        "The engine that was built differs in the GPU (GeForce A (8.6), now GeForce Z (8.9)),"
        " the driver (580.10, now 590.1)."
    )


def test_a_model_that_is_missing_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "cannot be read" in refusal(capsys, tmp_path / "no.onnx")


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "no.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(ModelError):
        load_model(path)
