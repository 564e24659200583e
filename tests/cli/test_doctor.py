"""``colorize-server doctor`` and ``selftest``: what they say is so."""

import json
import os
import socket
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from colorize_server import __version__
from colorize_server.backends import AUTO_ORDER
from colorize_server.backends.gpu import GpuReport, find_gpus
from colorize_server.backends.onnxruntime_backend import OnnxRuntimeBackend
from colorize_server.backends.try_out import Trial, demand_gpu, try_out
from colorize_server.cli import doctor, selftest
from colorize_server.cli import main as serve
from colorize_server.cli.doctor import Status
from colorize_server.errors import BackendError
from colorize_server.install import gimp, uxp_plugins
from colorize_server.installation.packages import install_command
from colorize_server.model import Model
from colorize_server.settings import OUR_PORTS

posix = pytest.mark.skipif(os.name != "posix", reason="the nvidia-smi of the test is a shell script")


@pytest.fixture(autouse=True)
def own_folders(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the user's daemon and GIMP out of it; return the GIMP profile."""
    monkeypatch.setenv("COLORIZE_STATE_DIR", str(tmp_path / "state"))
    profile = tmp_path / "gimp" / "3.0"
    monkeypatch.setenv(gimp.PROFILE_VARIABLE, str(profile))
    return profile


@pytest.fixture
def free_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that nobody holds our ports."""
    monkeypatch.setattr(doctor, "describe_ports", lambda token: [])


def run_doctor(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = serve.main(["doctor", "--json", *arguments])
    return code, json.loads(capsys.readouterr().out)


def by_check(report: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {line["check"]: line for line in report["findings"]}


@pytest.mark.usefixtures("no_gpu", "free_ports")
def test_a_sound_computer_without_a_gpu_passes(capsys: pytest.CaptureFixture[str]) -> None:
    code, report = run_doctor(capsys)
    lines = by_check(report)
    assert (code, report["ok"], report["version"]) == (0, True, __version__)
    assert lines["backend auto"]["text"] == "takes onnxruntime"
    assert lines["backend tensorrt-rtx"]["text"].startswith("not for this computer: No NVIDIA graphics card")
    assert lines["graphics card"]["status"] == "ok"
    assert lines["model"]["text"].startswith("colorize-base")
    assert {f"backend {name}" for name in AUTO_ORDER} <= set(lines)


@pytest.mark.usefixtures("no_gpu", "free_ports")
def test_for_people_each_line_has_a_status(capsys: pytest.CaptureFixture[str], tiny_model_path: Path) -> None:
    assert serve.main(["doctor", "--model", str(tiny_model_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "colorize-server can run here."
    assert all(line.startswith(("ok ", "warn ", "fail ", "     -> ")) for line in lines[:-2])


@pytest.mark.usefixtures("no_gpu", "free_ports")
def test_a_damaged_model_makes_it_fail_and_says_how_to_mend(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    code, report = run_doctor(capsys, "--model", str(broken))
    lines = by_check(report)
    assert code == 1
    assert lines["model"]["status"] == "fail"
    assert lines["model"]["mend"]
    assert lines["backend auto"]["status"] == "fail"


@posix
@pytest.mark.usefixtures("fake_gpu", "free_ports")
def test_a_gpu_that_is_not_used_is_a_warning_with_the_command(
    capsys: pytest.CaptureFixture[str], tiny_model_path: Path
) -> None:
    code, report = run_doctor(capsys, "--model", str(tiny_model_path))
    lines = by_check(report)
    assert code == 0
    assert "GeForce A, compute capability 8.6, 7000 of 8192 MB free" in lines["graphics card"]["text"]
    assert "driver 580.10" in lines["graphics card"]["text"]
    assert lines["backend tensorrt"]["status"] == "warn"
    assert install_command("colorize-server[tensorrt]") in lines["backend tensorrt"]["mend"]
    assert lines["backend auto"]["text"] == "takes onnxruntime"


def test_both_onnx_runtimes_at_once_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "installed_versions", lambda names: dict.fromkeys(names, "1.0"))
    line = list(doctor.check_packages())[-1]
    assert line.status is Status.FAIL
    assert "both installed" in line.text
    assert "onnxruntime" in line.mend


def test_a_missing_package_is_a_fault_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "installed_versions", lambda names: {n: "1.0" for n in names if n != "tifffile"})
    line = next(doctor.check_packages())
    assert (line.status, line.text) == (Status.FAIL, "tifffile missing")
    assert line.mend == f"Install it anew: {install_command('colorize-server')}"


def test_the_packages_looked_for_are_those_that_pyproject_asks_for() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    asked = {d.split(">")[0].split("=")[0].split(";")[0].strip() for d in project["dependencies"]}
    assert asked == {*doctor.NEEDED_PACKAGES, "onnxruntime"}


def test_an_old_python_is_a_fault() -> None:
    assert doctor.check_python((3, 10, 9)).status is Status.FAIL
    assert doctor.check_python((3, 11, 0)).status is Status.OK


def test_the_gimp_plug_in_is_looked_for_in_every_profile(own_folders: Path) -> None:
    assert [line.text for line in doctor.check_gimp()] == ["not installed"]
    plug_in = own_folders / "plug-ins" / gimp.NAME
    plug_in.mkdir(parents=True)
    record = plug_in / gimp.RECORD
    for content, status in (
        (json.dumps({"version": __version__}), Status.OK),
        (json.dumps({"version": "0.0.0"}), Status.WARN),
        ("{", Status.FAIL),
    ):
        record.write_text(content)
        (line,) = doctor.check_gimp()
        assert line.status is status
        assert (line.mend == "") == (status is Status.OK)


def test_the_photoshop_panel_is_looked_for_in_photoshops_own_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users, everybodys = folders = [tmp_path / "user", tmp_path / "all"]
    monkeypatch.setattr(uxp_plugins, "uxp_folders", lambda: folders)
    assert doctor.check_photoshop().text == "no Photoshop was found"
    (users / "PluginsStorage" / "PHSP").mkdir(parents=True)
    line = doctor.check_photoshop()
    assert (line.status, line.text, line.mend) == (Status.WARN, "not installed", "colorize-server install photoshop")
    ours = {"pluginId": uxp_plugins.PANEL_ID, "versionString": __version__, "status": "enabled", "type": "uxp"}
    for rows, status in (
        ([{**ours, "pluginId": "another"}], Status.WARN),
        ([ours], Status.OK),
        ([{**ours, "versionString": "0.0.0"}], Status.WARN),
        ([{**ours, "status": "disabled"}], Status.WARN),
        ([{}], Status.WARN),
    ):
        file = everybodys / "PluginsInfo" / "v1" / "PS.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"plugins": rows}))
        line = doctor.check_photoshop()
        assert line.status is status
        assert (line.mend == "") == (status is Status.OK)


def test_the_panel_that_is_looked_for_is_ours() -> None:
    manifest = json.loads((Path(__file__).parents[2] / "photoshop_uxp" / "manifest.json").read_bytes())
    assert (manifest["id"], manifest["version"]) == (uxp_plugins.PANEL_ID, __version__)


@pytest.mark.parametrize(("platform", "folders"), [("win32", 2), ("darwin", 2), ("linux", 0)])
def test_where_photoshop_keeps_its_plug_ins(platform: str, folders: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setenv("APPDATA", "roaming")
    monkeypatch.setenv("COMMONPROGRAMFILES", "common")
    found = uxp_plugins.uxp_folders()
    assert len(found) == folders
    assert all(folder.parts[-2:] == ("Adobe", "UXP") for folder in found)


def test_a_port_that_a_stranger_holds_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        stranger.listen()
        port = stranger.getsockname()[1]
        monkeypatch.setattr("colorize_server.cli.running.OUR_PORTS", (port,))
        line = doctor.check_server()
    assert line.status is Status.WARN
    assert f"Port {port} is held by" in line.text


def test_no_port_left_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = [f"Port {port} is held by another program." for port in OUR_PORTS]
    monkeypatch.setattr(doctor, "describe_ports", lambda token: taken)
    assert doctor.check_server().status is Status.FAIL


def test_a_folder_that_cannot_be_written_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COLORIZE_CACHE_DIR", str(tmp_path / "file"))
    lines = {line.check: line for line in doctor.check_folders()}
    assert lines["engine cache"].status is Status.FAIL
    assert lines["state folder"].status is Status.OK


def test_a_full_disk_is_a_fault(full_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty file can still be made there; what the server writes cannot."""
    monkeypatch.setenv("COLORIZE_STATE_DIR", str(full_disk / "state"))
    line = next(doctor.check_folders())
    assert (line.status, line.check) == (Status.FAIL, "state folder")
    assert "No space left on device" in line.text
    assert line.mend.startswith(f"Free some space on the disk of {full_disk}, or name another folder in")


def test_a_home_that_is_not_there_is_not_to_be_made_writable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its nearest folder may be the root of the disk."""
    monkeypatch.delenv("COLORIZE_STATE_DIR")
    monkeypatch.setenv("HOME", "/proc/nobody")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    line = next(doctor.check_folders())
    assert line.status is Status.FAIL
    assert line.mend.startswith("Your home folder, /proc/nobody, is not there: set the environment variable HOME")
    assert "COLORIZE_STATE_DIR" in line.mend


@pytest.mark.usefixtures("no_gpu", "free_ports")
def test_a_user_without_a_home_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tiny_model_path: Path
) -> None:
    def unknown(_: object) -> None:
        raise KeyError("getpwuid(): uid not found")

    for name in ("HOME", "COLORIZE_STATE_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME", gimp.PROFILE_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    code, report = run_doctor(capsys, "--model", str(tiny_model_path))
    assert code == 1
    assert by_check(report)["home folder"]["mend"] == "Set the environment variable HOME to a folder of your own."


def test_a_backend_that_crashes_is_told_and_survived(
    tiny_model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os; os.abort()")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    trial = try_out("onnxruntime", tiny_model_path, 0)
    assert not trial.works
    assert trial.message.startswith("It crashed (exit code ")


def test_a_backend_that_hangs_is_told(tiny_model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text("import time; time.sleep(60)")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    trial = try_out("onnxruntime", tiny_model_path, 0, timeout_s=1)
    assert trial.message == "It hangs: nothing came back within 1 s."


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("name", ["auto", "onnxruntime", "tensorrt-rtx"])
def test_a_required_gpu_that_is_not_there_is_told_before_anything_starts(name: str, tiny_model_path: Path) -> None:
    with pytest.raises(BackendError) as caught:
        demand_gpu(name, tiny_model_path, 0)
    assert "No NVIDIA graphics card was found" in str(caught.value) or "a GPU was required" in str(caught.value)


def test_auto_names_the_best_that_works() -> None:
    trials = [Trial("tensorrt-rtx", works=False, message="no"), Trial("cuda", works=True, message="yes")]
    assert doctor.check_auto(trials).text == "takes cuda"


def test_a_broken_driver_is_a_warning() -> None:
    report = GpuReport((), "The NVIDIA driver does not work: no.", "Install it.")
    assert doctor.check_gpus(report, 0).status is Status.WARN


def test_selftest_passes_on_the_processor_and_prints_its_numbers(
    capsys: pytest.CaptureFixture[str], tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selftest, "_MAX_RUNS", 6)
    arguments = ["selftest", "--backend", "onnxruntime", "--model", str(tiny_model_path), "--json"]
    assert serve.main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["passes"]
    assert [size["size"] for size in report["sizes"]] == [64, 128, 256]
    for size in report["sizes"]:
        assert size["difference"]["largest"] == 0
        assert 0 < size["p50_ms"] <= size["p95_ms"]
        assert size["images_per_s"] == pytest.approx(1000 / size["p50_ms"], rel=3)


class _Tinted(OnnxRuntimeBackend):
    """A backend whose colours are off by a constant."""

    name = "tinted"
    error = 0.0

    def run(self, luminance: Any, hints: Any) -> Any:
        chroma, doubt = super().run(luminance, hints)
        return chroma + np.float32(self.error / 110), doubt


@pytest.mark.parametrize(("error", "code"), [(0.3, 0), (0.6, 1), (2.5, 1)])
def test_selftest_fails_a_backend_whose_colours_are_off(
    error: float,
    code: int,
    capsys: pytest.CaptureFixture[str],
    tiny: Model,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def open_one(name: str, model: Model, **options: Any) -> OnnxRuntimeBackend:
        if name == "onnxruntime":
            return OnnxRuntimeBackend(model)
        backend = _Tinted(model)
        backend.error = error / np.sqrt(2)
        return backend

    monkeypatch.setattr(selftest, "open_backend", open_one)
    monkeypatch.setattr(selftest, "_MAX_RUNS", 5)
    assert serve.main(["selftest", "--model", str(tiny.path)]) == code
    assert ("PASS" if code == 0 else "FAIL") in capsys.readouterr().out


def test_selftest_of_an_unknown_backend_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert serve.main(["selftest", "--backend", "opencl"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.skipif(bool(find_gpus().gpus), reason="there is a GPU here")
def test_selftest_of_a_gpu_backend_without_a_gpu_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert serve.main(["selftest", "--backend", "tensorrt-rtx"]) == 1
    assert "No NVIDIA graphics card was found" in capsys.readouterr().err
