"""Which backend asks a model for suggestions: ONNX Runtime, whatever lays the colours.

An engine of TensorRT computes all its outputs every time, and OpenVINO likewise, so both are built without the
suggestions.  One picture in a while at network size is no work for a processor.
"""

from ..model import Model
from . import Backend
from .onnxruntime_backend import OnnxRuntimeBackend


def suggesting_backend(backend: Backend, model: Model) -> OnnxRuntimeBackend:
    """Return what can be asked for `colours`: `backend` itself if it is ONNX Runtime, else a session on the processor.

    Args:
        backend: what colours pictures.
        model: its model, which suggests colours.

    Raises:
        ModelError: ONNX Runtime cannot load the model.
    """
    return backend if isinstance(backend, OnnxRuntimeBackend) else OnnxRuntimeBackend(model)
