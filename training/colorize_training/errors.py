"""Errors that the training tools show to people: each names the cause and the remedy.

::

    TrainingError
    ├── ConfigError        a setting is missing, unknown or out of range
    ├── DataError          no usable pictures, a damaged shard
    ├── CheckpointError    missing, damaged, or of another network
    ├── DiskError          no space left, read-only folder
    ├── DivergedError      the loss is not a number any more
    ├── ExportError        the ONNX file does not agree with the network
    └── StoppedError       Ctrl+C, before the end
"""


class TrainingError(Exception):
    """A failure that the user can do something about.

    Args:
        cause: what happened, one sentence.
        remedy: what to do about it, one sentence.
    """

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(cause, remedy)  # its own arguments, so that it can be sent to another process
        self.cause = cause
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.cause} {self.remedy}"


class ConfigError(TrainingError):
    """A setting is missing, unknown or out of range."""


class DataError(TrainingError):
    """There is nothing to train on, or a shard cannot be read."""


class CheckpointError(TrainingError):
    """A checkpoint is missing, damaged, or belongs to another network."""


class DiskError(TrainingError):
    """A file cannot be written: no space left, or no permission."""


class DivergedError(TrainingError):
    """The loss is not a finite number."""


class ExportError(TrainingError):
    """The exported ONNX model does not agree with the PyTorch network."""


class StoppedError(TrainingError):
    """Ctrl+C or SIGTERM ended a run before its end; what it has learned is kept."""
