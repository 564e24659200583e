"""The pycuda driver: which calls it makes, on a pycuda of our own with the real one's names and exceptions."""

import os
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from colorize_server.errors import BackendError, DeviceLostError
from colorize_server.tensorrt.cuda import DeviceMemoryError
from colorize_server.tensorrt.pycuda_driver import PycudaDriver, import_pycuda


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Install the fake and return the calls it receives.

    Names, arguments and exception classes are those of pycuda 2026.1 (src/wrapper/wrap_cudadrv.cpp).
    """
    made: list[str] = []
    driver = ModuleType("pycuda.driver")

    class Error(Exception):
        pass

    class CudaMemoryError(Error):
        pass

    class LaunchError(Error):
        pass

    class Context:
        def push(self) -> None:
            made.append("push")

        def pop(self) -> None:
            made.append("pop")

        def detach(self) -> None:
            made.append("detach")

    class Device:
        def __init__(self, index: int) -> None:
            if index > 1:
                raise Error("cuDeviceGet failed: invalid device ordinal")
            made.append(f"device {index}")

        def name(self) -> str:
            return "GeForce A"

        def retain_primary_context(self) -> Context:
            made.append("retain")
            return Context()

    class Stream:
        handle = 77

        def synchronize(self) -> None:
            made.append("synchronize")
            if getattr(driver, "kernel_fails", False):
                raise LaunchError("cuStreamSynchronize failed: an illegal memory access was encountered")

    class Allocation:
        def __init__(self, nbytes: int) -> None:
            if nbytes > 1 << 30:
                raise CudaMemoryError("cuMemAlloc failed: out of memory")

        def __int__(self) -> int:
            return 4096

        def free(self) -> None:
            made.append("free")

    class Pinned(np.ndarray[Any, Any]):
        pass

    def pagelocked_empty(shape: int, dtype: Any) -> Any:
        owner = type("HostAllocation", (), {"free": lambda self: made.append("free pinned")})()
        array = np.zeros(shape, dtype).view(Pinned)
        return type("Array", (), {"base": owner, "array": array})()

    members = {
        "init": lambda: made.append("init"),
        "Error": Error,
        "MemoryError": CudaMemoryError,
        "LaunchError": LaunchError,
        "Device": Device,
        "Stream": Stream,
        "mem_alloc": Allocation,
        "pagelocked_empty": pagelocked_empty,
        "memcpy_htod_async": lambda target, source, stream: made.append(f"to device {target}"),
        "memcpy_dtoh_async": lambda target, source, stream: made.append(f"to host {source}"),
    }
    vars(driver).update(members)
    package = ModuleType("pycuda")
    vars(package)["driver"] = driver
    monkeypatch.setitem(sys.modules, "pycuda", package)
    monkeypatch.setitem(sys.modules, "pycuda.driver", driver)
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    return made


def test_the_primary_context_of_the_chosen_device_is_retained_and_let_go(calls: list[str]) -> None:
    driver = PycudaDriver(1)
    assert (driver.name, driver.stream) == ("GeForce A", 77)
    driver.close()
    assert calls == ["init", "device 1", "retain", "push", "pop", "detach"]


def test_devices_are_counted_as_nvidia_smi_counts(calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_DEVICE_ORDER")
    PycudaDriver(0)
    assert os.environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


def test_memory_and_copies(calls: list[str]) -> None:
    driver = PycudaDriver(0)
    buffer = driver.allocate(64)
    assert (buffer.address, buffer.nbytes) == (4096, 64)
    values = np.zeros(4, np.float32)
    driver.copy_to_device(buffer, values)
    driver.copy_to_host(values, buffer)
    driver.synchronize()
    buffer.free()
    driver.allocate_pinned(8).free()
    assert calls[4:] == ["to device 4096", "to host 4096", "synchronize", "free", "free pinned"]


def test_out_of_memory_is_told_from_a_lost_gpu(calls: list[str]) -> None:
    driver = PycudaDriver(0)
    with pytest.raises(DeviceMemoryError, match="out of memory"):
        driver.allocate(1 << 31)
    vars(sys.modules["pycuda.driver"])["kernel_fails"] = True
    with pytest.raises(DeviceLostError, match=r"GeForce A failed: .*illegal memory access"):
        driver.synchronize()


def test_a_device_that_is_not_there_is_said(calls: list[str]) -> None:
    with pytest.raises(BackendError, match=r"graphics card 5 cannot be used: .*invalid device ordinal"):
        PycudaDriver(5)


def test_without_pycuda_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycuda", None)
    if sys.platform == "darwin":
        pytest.skip("pycuda does not exist there")
    with pytest.raises(BackendError, match=r"pycuda is not installed. Install it: .*pycuda.*CUDA Toolkit"):
        import_pycuda()
