"""A model that is ready to colour files."""

from dataclasses import dataclass

from ..backends import Backend, open_backend
from ..model import Model
from ..picture.colorizer import Colorizer


@dataclass(frozen=True)
class Painter:
    """A model, its backend and the picture path.

    Attributes:
        model: the model.
        backend: runs it.
        colorizer: the picture path.
    """

    model: Model
    backend: Backend
    colorizer: Colorizer

    @property
    def title(self) -> str:
        """Name and version of the model."""
        return f"{self.model.card.name} {self.model.card.version}"

    @property
    def place(self) -> str:
        """What computes, and on what."""
        return f"{self.backend.name} on {self.backend.device}"

    @property
    def made_by(self) -> str:
        """Model and backend, for people."""
        return f"{self.title} ({self.model.sha256[:12]}) with {self.place}"

    def close(self) -> None:
        """Free what it holds."""
        self.colorizer.close()
        self.backend.close()


def open_painter(model: Model, backend_name: str, threads: int | None = None) -> Painter:
    """Load a model.

    Args:
        model: the model.
        backend_name: what computes.
        threads: of the processor for network and picture; None takes all cores.

    Raises:
        ModelError, BackendError: it cannot be loaded.
    """
    backend = open_backend(backend_name, model, threads=threads)
    return Painter(model, backend, Colorizer(backend, model, threads=threads))
