"""``colorize-server doctor``: what is installed, what works, what would be taken, and how to mend what does not."""

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from .. import __version__
from ..backends import AUTO_ORDER, GPU_BACKENDS
from ..backends.gpu import GpuReport, find_gpus
from ..backends.try_out import Trial, try_out
from ..errors import ColorizeError, ModelError, OutputError
from ..files import is_full
from ..folders import home_folder
from ..install import gimp, uxp_plugins
from ..installation.packages import install_command, installed_versions
from ..installation.state import ROOM_BYTES, STATE_DIR_VARIABLE, StateFolder
from ..model import SHIPPED_MODEL, load_model, shipped_model_path
from ..settings import DEFAULT_PORT, OUR_PORTS
from ..tensorrt.cache import CACHE_DIR_VARIABLE, cache_folder
from .model_option import add_model_option
from .own_models import default_model_path
from .running import describe_ports, find_running

NEEDED_PACKAGES: Final = (
    "aiohttp",
    "numpy",
    "pillow",
    "onnx",
    "tifffile",
    "imagecodecs",
    "lxml",
    "platformdirs",
    "psutil",
    "tqdm",
)
RUNTIME_PACKAGES: Final = ("onnxruntime", "onnxruntime-gpu")
"""Either of them; never both."""
GPU_PACKAGES: Final = (
    "tensorrt-rtx-cu12-bindings",
    "tensorrt-rtx-cu13-bindings",
    "onnxruntime-ep-nv-tensorrt-rtx-cu12",
    "onnxruntime-ep-nv-tensorrt-rtx-cu13",
    "tensorrt",
    "pycuda",
    "onnxconverter-common",
)
OPTIONAL_BACKENDS: Final = ("openvino",)
"""Never taken by itself; named like the package that it needs."""
_OLDEST_PYTHON: Final = (3, 11)
_REINSTALL: Final = "Install it anew: "


class Status(StrEnum):
    """How a check went; only FAIL makes the exit code 1."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Line:
    """One finding.

    Attributes:
        status: how it went.
        check: what was looked at.
        text: what was found, for people.
        mend: what to do about it, with the command where there is one; empty if nothing.
    """

    status: Status
    check: str
    text: str
    mend: str = ""


def add_parser(subparsers: Any) -> None:
    """Describe the arguments."""
    parser = subparsers.add_parser(
        "doctor",
        help="say what works, what does not, and how to mend it",
        description="Looks at everything that colorize-server needs, and says how to mend what is wrong.",
    )
    parser.add_argument("--device", type=int, default=0, metavar="N", help="number of the graphics card to look at")
    add_model_option(parser)
    parser.add_argument("--json", action="store_true", help="print the findings for programs")


def run(args: argparse.Namespace) -> int:
    """Print the findings; the exit code is 1 if something must be mended."""
    lines: list[Line] = []
    for line in findings(args.model, args.device):
        lines.append(line)
        if not args.json:
            print(f"{line.status:<5}{line.check}: {line.text}", flush=True)
            if line.mend:
                print(f"     -> {line.mend}", flush=True)
    failed = sum(line.status is Status.FAIL for line in lines)
    if args.json:
        print(json.dumps({"version": __version__, "ok": not failed, "findings": [asdict(x) for x in lines]}, indent=1))
    elif failed:
        print(f"\n{failed} of {len(lines)} findings must be mended.")
    else:
        print("\ncolorize-server can run here.")
    return 1 if failed else 0


def findings(named: Path | None, device: int) -> Iterator[Line]:
    """Yield one finding after the other; some take seconds.  The model is the one that is named, else the default."""
    yield check_python(sys.version_info[:3])
    yield from check_packages()
    try:
        chosen = None if named else default_model_path()
    except ModelError as error:
        chosen = None
        yield Line(Status.FAIL, "default model", error.message, error.hint)
    model = named or chosen or shipped_model_path()
    yield check_model(model, is_chosen=chosen is not None)
    gpus = find_gpus()
    yield check_gpus(gpus, device)
    yield check_gpu_packages(gpus)
    trials = [trial_of(name, model, device, gpus) for name in AUTO_ORDER]
    optional = [name for name in OPTIONAL_BACKENDS if installed_versions((name,))]
    for trial in (*trials, *(trial_of(name, model, device, gpus) for name in optional)):
        yield check_backend(trial, gpus)
    yield check_auto(trials)
    try:
        yield from check_folders()
        yield from check_gimp()
        yield check_photoshop()
        yield check_server()
    except OutputError as error:  # nobody knows where the user's folders are
        yield Line(Status.FAIL, "home folder", error.message, error.hint)


def check_python(version: tuple[int, int, int]) -> Line:
    """Say which Python runs."""
    text = f"{'.'.join(map(str, version))} on {platform.system()} {platform.machine()}"
    if version < _OLDEST_PYTHON:
        return Line(Status.FAIL, "Python", text, "Install Python 3.11 or later, and colorize-server with it.")
    return Line(Status.OK, "Python", text)


def check_packages() -> Iterator[Line]:
    """Say which packages are installed."""
    found = installed_versions(NEEDED_PACKAGES)
    missing = [name for name in NEEDED_PACKAGES if name not in found]
    listed = ", ".join(f"{name} {version}" for name, version in found.items())
    if missing:
        yield Line(
            Status.FAIL, "packages", f"{', '.join(missing)} missing", _REINSTALL + install_command("colorize-server")
        )
    else:
        yield Line(Status.OK, "packages", f"colorize-server {__version__}, {listed}")
    runtimes = installed_versions(RUNTIME_PACKAGES)
    shown = ", ".join(f"{name} {version}" for name, version in runtimes.items())
    if not runtimes:
        yield Line(Status.FAIL, "ONNX Runtime", "not installed", _REINSTALL + install_command("onnxruntime"))
    elif len(runtimes) > 1:
        yield Line(
            Status.FAIL,
            "ONNX Runtime",
            f"{shown} are both installed, and one has overwritten half of the other",
            f"Uninstall both, then install one: {install_command('onnxruntime')}",
        )
    else:
        yield Line(Status.OK, "ONNX Runtime", shown)


def check_model(path: Path, *, is_chosen: bool = False) -> Line:
    """Say which model there is; `is_chosen`: it was made the default by its user."""
    try:
        model = load_model(path)
    except ColorizeError as error:
        mend = f"Choose another one: colorize-server model use {SHIPPED_MODEL}." if is_chosen else error.hint
        return Line(Status.FAIL, "model", error.message, mend)
    sizes = ", ".join(map(str, model.card.sizes))
    text = f"{model.card.name} {model.card.version} ({model.sha256[:12]}), network sizes {sizes}"
    return Line(Status.OK, "model", f"{text}; {path.stem} was chosen as the default" if is_chosen else text)


def check_gpus(report: GpuReport, device: int) -> Line:
    """Say which graphics cards there are; none is no fault."""
    if not report.gpus:
        if "driver" in report.why_none:
            return Line(Status.WARN, "graphics card", report.why_none, report.hint)
        return Line(Status.OK, "graphics card", f"{report.why_none} The processor computes.")
    listed = "; ".join(
        f"{gpu.index}: {gpu.name}, compute capability {gpu.compute_capability},"
        f" {gpu.free_mb} of {gpu.memory_mb} MB free"
        for gpu in report.gpus
    )
    text = f"{listed}; driver {report.gpus[0].driver}"
    if not any(gpu.index == device for gpu in report.gpus):
        return Line(Status.FAIL, "graphics card", text, f"There is no number {device}: choose another --device.")
    return Line(Status.OK, "graphics card", text)


def check_gpu_packages(report: GpuReport) -> Line:
    """Say which of the optional packages are installed."""
    found = installed_versions(GPU_PACKAGES)
    listed = ", ".join(f"{name} {version}" for name, version in found.items()) or "none installed"
    if report.gpus and not found:
        mend = f"To compute on the graphics card: {install_command('colorize-server[rtx]')}"
        return Line(Status.WARN, "GPU packages", listed, mend)
    return Line(Status.OK, "GPU packages", listed)


def trial_of(name: str, model: Path, device: int, gpus: GpuReport) -> Trial:
    """Try a backend, unless it is plain that it cannot work."""
    if name in GPU_BACKENDS and not gpus.gpus:
        return Trial(name, works=False, message=gpus.why_none)
    return try_out(name, model, device)


def check_backend(trial: Trial, gpus: GpuReport) -> Line:
    """Say whether a backend works: the processor must, a graphics card may."""
    check = f"backend {trial.name}"
    if trial.works:
        return Line(Status.OK, check, trial.message)
    if trial.name not in GPU_BACKENDS:
        return Line(Status.FAIL, check, trial.message, trial.mend)
    if not gpus.gpus:
        return Line(Status.OK, check, f"not for this computer: {trial.message}")
    return Line(Status.WARN, check, f"cannot run: {trial.message}", trial.mend)


def check_auto(trials: list[Trial]) -> Line:
    """Say what --backend auto takes."""
    for trial in trials:
        if trial.works:
            return Line(Status.OK, "backend auto", f"takes {trial.name}")
    return Line(Status.FAIL, "backend auto", "finds nothing that works", "Mend one of the backends above.")


def check_folders() -> Iterator[Line]:
    """Say whether the folders that we write to can be written, and have room."""
    yield check_folder("state folder", StateFolder().path, STATE_DIR_VARIABLE)
    yield check_folder("engine cache", cache_folder(), CACHE_DIR_VARIABLE)


def check_folder(check: str, folder: Path, variable: str) -> Line:
    """Say whether `ROOM_BYTES` can be written to a folder, or to where it will be; `variable` names another."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    elsewhere = f"name another folder in the environment variable {variable}"
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(bytes(ROOM_BYTES))
            file.flush()
    except OSError as error:
        text = f"{folder} cannot be written: {error.strerror or error}"
        if is_full(error):
            return Line(Status.FAIL, check, text, f"Free some space on the disk of {existing}, or {elsewhere}.")
        home = home_folder()
        if home.is_relative_to(existing) and not home.is_dir():
            mend = f"Your home folder, {home}, is not there: set the environment variable HOME to one that is"
            return Line(Status.FAIL, check, text, f"{mend}, or {elsewhere}.")
        return Line(Status.FAIL, check, text, f"Make {existing} writable, or {elsewhere}.")
    return Line(Status.OK, check, str(folder))


def check_gimp() -> Iterator[Line]:
    """Say whether the plug-in is in every GIMP 3 of this user, and is of this version."""
    command = "colorize-server install gimp"
    profiles = gimp.find_profiles()
    if not profiles:
        yield Line(Status.OK, "GIMP plug-in", "no GIMP 3 was found")
    for profile in profiles:
        check = f"GIMP plug-in {profile.version[0]}.{profile.version[1]}"
        try:
            record = json.loads((profile.plug_in / gimp.RECORD).read_bytes())
            version = record["version"]
        except OSError:
            yield Line(Status.WARN, check, "not installed", command)
        except (ValueError, KeyError, TypeError):
            yield Line(Status.FAIL, check, f"damaged in {profile.plug_in}", command)
        else:
            yield _check_plug_in_version(check, version, str(profile.plug_in), command)


def check_photoshop() -> Line:
    """Say whether the panel is in Photoshop, and is of this version."""
    check = "Photoshop panel"
    command = "colorize-server install photoshop"
    if not uxp_plugins.has_photoshop():
        return Line(Status.OK, check, "no Photoshop was found")
    try:
        version = uxp_plugins.panel_version()
    except (OSError, ValueError) as error:
        return Line(Status.WARN, check, f"Photoshop's list of plug-ins cannot be read: {error}", command)
    if version is None:
        return Line(Status.WARN, check, "not installed", command)
    return _check_plug_in_version(check, version, version, command)


def _check_plug_in_version(check: str, version: str, found: str, command: str) -> Line:
    if version == __version__:
        return Line(Status.OK, check, found)
    return Line(Status.WARN, check, f"is of version {version}, the server of {__version__}", command)


def check_server() -> Line:
    """Say whether the server runs, and if not, whether it could listen."""
    folder = StateFolder()
    try:
        running = find_running(folder)
    except ColorizeError as error:
        return Line(Status.FAIL, "server", error.message, error.hint)
    if running is not None:
        state, found = running
        if found.health.get("ready"):
            return Line(Status.OK, "server", f"runs on port {state.port}")
        reason = (found.health.get("error") or {}).get("message", "it is still starting")
        return Line(Status.WARN, "server", f"runs on port {state.port}, but is not ready: {reason}")
    taken = describe_ports(folder.known_token() or "")
    if len(taken) == len(OUR_PORTS):
        mend = f"End the programs that hold the ports {', '.join(map(str, OUR_PORTS))}, or start with --port."
        return Line(Status.FAIL, "server", " ".join(taken), mend)
    if taken:
        return Line(Status.WARN, "server", f"does not run. {' '.join(taken)} It will take another.")
    return Line(Status.OK, "server", f"does not run; port {DEFAULT_PORT} is free")
