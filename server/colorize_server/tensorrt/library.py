"""What TensorRT and TensorRT for RTX have in common, as a type; and the one logger that a process may have.

Both packages offer nearly the same Python API, so one code path serves both.  `Library` is the part of the module that
we use, typed by NVIDIA's real signatures (the ``tensorrt-stubs`` package): mypy checks every call against them.
"""

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    import tensorrt as trt

_KEPT_MESSAGES: Final = 40


class Library(Protocol):
    """The module ``tensorrt``, or ``tensorrt_rtx_bindings``, which has the same members."""

    @property
    def Builder(self) -> "type[trt.Builder]": ...  # noqa: D102, N802 - named by NVIDIA
    @property
    def OnnxParser(self) -> "type[trt.OnnxParser]": ...  # noqa: D102, N802
    @property
    def Runtime(self) -> "type[trt.Runtime]": ...  # noqa: D102, N802
    @property
    def ILogger(self) -> "type[trt.ILogger]": ...  # noqa: D102, N802
    @property
    def IProgressMonitor(self) -> "type[trt.IProgressMonitor]": ...  # noqa: D102, N802
    @property
    def NetworkDefinitionCreationFlag(self) -> "type[trt.NetworkDefinitionCreationFlag]": ...  # noqa: D102, N802
    @property
    def MemoryPoolType(self) -> "type[trt.MemoryPoolType]": ...  # noqa: D102, N802
    @property
    def PreviewFeature(self) -> "type[trt.PreviewFeature]": ...  # noqa: D102, N802
    @property
    def TensorIOMode(self) -> "type[trt.TensorIOMode]": ...  # noqa: D102, N802
    @property
    def Dims(self) -> "type[trt.Dims]": ...  # noqa: D102, N802
    @property
    def DataType(self) -> "type[trt.DataType]": ...  # noqa: D102, N802
    @property
    def ExecutionContextAllocationStrategy(self) -> "type[trt.ExecutionContextAllocationStrategy]": ...  # noqa: D102, N802


def version_of(library: Library) -> str:
    """Return the library's version."""
    return str(vars(library)["__version__"])  # not a member of `Library`: mypy knows no module's version


class Messages:
    """The last warnings and errors that the library logged; NVIDIA returns None or False and logs the reason."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_KEPT_MESSAGES)

    def add(self, line: str) -> None:
        """Keep a line."""
        self._lines.append(line)

    def forget(self) -> None:
        """Start afresh, before a call whose messages matter."""
        self._lines.clear()

    @property
    def last(self) -> str:
        """The last line, without NVIDIA's source location; empty if there is none."""
        return self._lines[-1].strip() if self._lines else ""

    @property
    def speak_of_memory(self) -> bool:
        """Whether any line says that memory ran out."""
        return any(
            "out of memory" in line.lower() or "outofmemory" in line.lower() or "insufficient memory" in line.lower()
            for line in self._lines
        )


_messages: dict[str, Messages] = {}
_loggers: dict[str, "trt.ILogger"] = {}


def logger_of(library: Library) -> "tuple[trt.ILogger, Messages]":
    """Return the process's logger for `library` and what it has heard.

    TensorRT keeps the first logger that it is given for as long as the process lives; a second one hears nothing.
    """
    key = library.Builder.__module__
    if key not in _loggers:
        heard = Messages()

        base: Any = library.ILogger

        class Listener(base):  # type: ignore[misc] # the base is known at run time only
            def __init__(self) -> None:
                base.__init__(self)

            def log(self, severity: "trt.ILogger.Severity", msg: str) -> None:
                if severity in (library.ILogger.ERROR, library.ILogger.INTERNAL_ERROR, library.ILogger.WARNING):
                    heard.add(msg)

        _loggers[key], _messages[key] = Listener(), heard
    return _loggers[key], _messages[key]
