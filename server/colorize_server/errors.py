"""Everything that can go wrong, in words a painter understands.

::

    ColorizeError
    ├── BadRequestError          bad_parameter, bad_body
    │   ├── PictureError         damaged_picture, picture_too_small, picture_too_large, unsupported_media_type
    │   ├── HintsError           bad_hints
    │   ├── SizeNotOfferedError  size_not_offered
    │   └── NoSuggestionsError   no_suggestions
    ├── RefusedError             token_*, host_refused, origin_refused, not_found, ... (see PROTOCOL.md)
    ├── CancelledError           cancelled (never travels: its client has gone)
    ├── BusyError                queue_full, starting, stopping (with retry_after_s)
    ├── ModelError               model_unavailable (missing, damaged, breaks the contract)
    ├── BackendError             inference_failed, deadline_exceeded
    ├── OutOfMemoryError         out_of_memory
    └── OutputError              disk_full, output_exists, not_writable

This module imports nothing of the package, so that every other module may import it.
"""

from collections.abc import Iterable
from typing import ClassVar, Self


class ColorizeError(Exception):
    """An error with a stable code, one sentence that says what happened, and one that says what to do.

    Attributes:
        code: stable identifier from PROTOCOL.md.
        message: one sentence, what happened.
        hint: one sentence, what to do about it; may be empty.
        status: HTTP status that the daemon answers with.
        retry_after_s: seconds for a Retry-After header, or None.
    """

    default_code: ClassVar[str] = "internal"
    default_status: ClassVar[int] = 500

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        code: str | None = None,
        status: int | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code
        self.status = status or self.default_status
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def as_dict(self) -> dict[str, str]:
        """Return the JSON body of PROTOCOL.md: code, message, hint."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


class BadRequestError(ColorizeError):
    """What was asked for makes no sense; asking again unchanged will not help."""

    default_code = "bad_parameter"
    default_status = 400


class PictureError(BadRequestError):
    """The picture itself cannot be used."""

    default_code = "damaged_picture"
    default_status = 422


class HintsError(BadRequestError):
    """The hints do not fit the picture."""

    default_code = "bad_hints"
    default_status = 422


class SizeNotOfferedError(BadRequestError):
    """The model was not tested at the network size that was asked for."""

    default_code = "size_not_offered"
    default_status = 422

    @classmethod
    def for_size(cls, size: int, offered: Iterable[int], model: str = "The model") -> Self:
        """Return the error for a `size` that is none of the sizes `offered` by `model`, the beginning of a sentence."""
        return cls(f"{model} was not tested at size {size}.", f"Use one of {', '.join(map(str, offered))}.")


class NoSuggestionsError(BadRequestError):
    """The model suggests no colours."""

    default_code = "no_suggestions"
    default_status = 409

    @classmethod
    def of_model(cls, model: str) -> Self:
        """Return the error for a model, by its name and version."""
        return cls(
            f"The model {model} suggests no colours.", "Use a model that does, or paint the colours that you know."
        )


class RefusedError(ColorizeError):
    """The request was refused before anything was done."""

    default_code = "not_found"
    default_status = 404


class CancelledError(ColorizeError):
    """The client cancelled the work or went away."""

    default_code = "cancelled"
    default_status = 409


class BusyError(ColorizeError):
    """The daemon cannot take the request now; the same request later will do."""

    default_code = "queue_full"
    default_status = 503


class ModelError(ColorizeError):
    """The model file is missing, damaged, or breaks the model contract."""

    default_code = "model_unavailable"
    default_status = 503


class BackendError(ColorizeError):
    """The backend failed while it ran."""

    default_code = "inference_failed"
    default_status = 503


class DeviceLostError(BackendError):
    """A kernel failed on the GPU; CUDA refuses all further work in this process."""


class OutOfMemoryError(ColorizeError):
    """The picture needs more memory than there is."""

    default_code = "out_of_memory"
    default_status = 503


class OutputError(ColorizeError):
    """A file could not be written."""

    default_code = "disk_full"
    default_status = 503
