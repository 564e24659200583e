"""What the machine can do: device, autocast precision, processes of torchrun."""

import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

import torch

_BFLOAT16_FLAGS: Final = ("avx512_bf16", "amx_bf16")


def has_cpu_bfloat16() -> bool:
    """Tell whether the CPU has bfloat16 instructions (AVX512-BF16 or AMX); without them bfloat16 is slower."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:  # not Linux
        return False
    return any(flag in flags.split() for flag in _BFLOAT16_FLAGS)


def default_device() -> torch.device:
    """Return the GPU of this process if there is one, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def default_precision(device: torch.device) -> str:
    """Choose the autocast precision: bfloat16 where the hardware has it, float16 on older GPUs, else float32."""
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    return "bfloat16" if has_cpu_bfloat16() else "float32"


def autocast(device: torch.device, precision: str) -> AbstractContextManager[None]:
    """Return the autocast context of a precision."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=getattr(torch, precision))


def world_of_torchrun() -> tuple[int, int]:
    """Return (rank, number of processes) that torchrun has set, (0, 1) without it."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
