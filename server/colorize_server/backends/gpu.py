"""Which NVIDIA GPUs this computer has, as the driver's own tool tells."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import BackendError

_QUERY: Final = "index,name,compute_cap,driver_version,memory.total,memory.free"
_TIMEOUT_S: Final = 20


@dataclass(frozen=True)
class Gpu:
    """One graphics card.

    Attributes:
        index: as in ``--device``; in the order of the PCI bus.
        name: its maker's.
        compute_capability: such as "8.6".
        driver: version of the driver.
        memory_mb: its memory.
        free_mb: what of it is free now.
    """

    index: int
    name: str
    compute_capability: str
    driver: str
    memory_mb: int
    free_mb: int


@dataclass(frozen=True)
class GpuReport:
    """What was found.

    Attributes:
        gpus: graphics cards that CUDA programs can use.
        why_none: in words; empty if there are some.
        hint: what to do about it.
    """

    gpus: tuple[Gpu, ...]
    why_none: str = ""
    hint: str = ""


def find_gpus() -> GpuReport:
    """Ask nvidia-smi, which comes with every NVIDIA driver."""
    program = _nvidia_smi()
    if program is None:
        return GpuReport((), "No NVIDIA graphics card was found.", "Use --backend onnxruntime: the processor computes.")
    command = [program, f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(  # noqa: S603 - the driver's own tool, no shell
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return GpuReport((), f"The NVIDIA driver does not answer ({type(error).__name__}).", _REINSTALL)
    if answer.returncode:
        said = " ".join((answer.stdout + answer.stderr).split())[:200]
        return GpuReport((), f"The NVIDIA driver does not work: {said}.", _REINSTALL)
    gpus = tuple(gpu for gpu in map(_parsed, answer.stdout.splitlines()) if gpu is not None)
    if not gpus:
        return GpuReport((), "The NVIDIA driver is installed but finds no graphics card.", _REINSTALL)
    return GpuReport(gpus)


_REINSTALL: Final = "Install the current driver from nvidia.com/drivers, restart the computer, and try again."


def count_like_nvidia_smi() -> None:
    """Have CUDA number the cards by PCI bus: by itself it puts the fastest first, and ``--device`` would mean another.

    To be called before CUDA is initialised in this process.
    """
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")


def choose_gpu(device: int) -> Gpu:
    """Return the GPU of that index.

    Raises:
        BackendError: there is none.
    """
    report = find_gpus()
    if not report.gpus:
        raise BackendError(report.why_none, report.hint)
    count_like_nvidia_smi()
    for gpu in report.gpus:
        if gpu.index == device:
            return gpu
    offered = ", ".join(f"{gpu.index} ({gpu.name})" for gpu in report.gpus)
    raise BackendError(f"There is no graphics card number {device}.", f"Use --device with one of {offered}.")


def _nvidia_smi() -> str | None:
    found = shutil.which("nvidia-smi")
    if found is None and sys.platform == "win32":
        usual = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvidia-smi.exe"
        return str(usual) if usual.is_file() else None
    return found


def _parsed(line: str) -> Gpu | None:
    fields = [field.strip() for field in line.split(",")]
    if len(fields) != len(_QUERY.split(",")) or not fields[0].isdigit():
        return None
    index, name, capability, driver, total, free = fields
    return Gpu(int(index), name, capability, driver, _megabytes(total), _megabytes(free))


def _megabytes(text: str) -> int:
    return int(float(text)) if text.replace(".", "", 1).isdigit() else 0  # "[N/A]" where memory is shared
