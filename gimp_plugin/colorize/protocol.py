"""What travels between the plug-in and the colorize server, as plain values, and what can go wrong with it.

Standard library only and no GIMP calls.
"""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from typing import Any

from language import _


class ServerError(Exception):
    """What went wrong with the server, and what to do.

    Attributes:
        message: one sentence, what happened.
        hint: one sentence, what to do.
        code: code of PROTOCOL.md where the server gave one, else empty.
    """

    def __init__(self, message: str, hint: str = "", code: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint
        self.code = code


class NoServerError(ServerError):
    """Nothing answers at the address."""


class StrangerError(ServerError):
    """Something answers at the address, but it is not this installation's server."""


@dataclass(frozen=True)
class Server:
    """Where the server listens, and the token that it must know.

    Attributes:
        host: loopback name or address.
        port: TCP port.
        token: this installation's token; never sent before the server has proved that it knows it.
    """

    host: str
    port: int
    token: str

    @property
    def address(self) -> str:
        """The address as the artist would write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


@dataclass(frozen=True)
class Health:
    """What `GET /v1/health` said, once the proof was checked.

    Attributes:
        raw: the whole JSON object.
    """

    raw: dict[str, Any]

    @property
    def state(self) -> str:
        """``starting``, ``ready``, ``failed`` or ``stopping``."""
        return str(self.raw.get("state", ""))

    @property
    def version(self) -> str:
        """Version of the server."""
        return str(self.raw.get("version", "?"))

    @property
    def backend(self) -> str:
        """Backend and device in words, such as ``onnxruntime on CPU``."""
        backend = self.raw.get("backend") or {}
        active = backend.get("active")
        if not active:
            return _("no backend yet")
        return (
            _("{backend} on {device}").format(backend=active, device=backend["device"])
            if backend.get("device")
            else str(active)
        )

    @property
    def backend_reason(self) -> str:
        """Why this backend is in use, in the server's words; may be empty."""
        return str((self.raw.get("backend") or {}).get("reason") or "")

    @property
    def model(self) -> str:
        """Name and version of the model."""
        model = self.raw.get("model") or {}
        return f"{model['name']} {model.get('version', '')}".strip() if model.get("name") else _("no model yet")

    @property
    def model_sha256(self) -> str:
        """Digest of the model file; empty while there is none."""
        return str((self.raw.get("model") or {}).get("sha256") or "")

    @property
    def sizes(self) -> list[int]:
        """Network short sides that the model was tested at, ascending; empty while there is no model."""
        return sorted(int(size) for size in (self.raw.get("model") or {}).get("sizes") or ())

    @property
    def features(self) -> list[str]:
        """What the server has learned since the first of version 1, such as ``recipe`` and ``touchups``."""
        return [str(name) for name in self.raw.get("features") or ()]

    @property
    def suggests_colours(self) -> bool:
        """Whether the model suggests colours for a place."""
        return self.raw.get("suggestions") is True

    @property
    def default_size(self) -> int:
        """The model's own choice among `sizes`; 0 while there is no model."""
        return int((self.raw.get("model") or {}).get("default_size") or 0)

    def failure(self) -> ServerError | None:
        """Return the error of a server that runs but cannot work, else None."""
        if self.state == "failed":
            error = self.raw.get("error") or {}
            message = error.get("message") or _("The colorize server could not load its model.")
            hint = error.get("hint") or _("Run 'colorize-server status' in a terminal to see why.")
            return ServerError(str(message), str(hint), str(error.get("code") or ""))
        return None


@dataclass(frozen=True)
class Suggestion:
    """A colour that a place may have.

    Attributes:
        rgb: sRGB, 0..255.
        share: how likely, 0..1.
        is_used: whether the artist has used it in this picture.
    """

    rgb: tuple[int, int, int]
    share: float
    is_used: bool


@dataclass(frozen=True)
class Request:
    """One picture as raw pixels, and what is wanted.

    Attributes:
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        channels: 1 grey (babl Y'), 2 grey and alpha, 3 RGB, 4 RGB and alpha.
        depth: bits of a sample, 8 or 16.
        picture: rows from the top, no padding, channels interleaved, 16-bit samples little-endian.
        hints: RGBA8 of the same size, or None.
        size: network short side; 0 for the model's default.
        saturation: factor on the model's chroma, 0..2.
        doubt: whether the answer is to include the doubt picture.
        output: ``layer`` or ``composite``.
        wants_recipe: whether the answer is to include the recipe.
        recipe: a recipe to lay the layer from, without the network; then there are no hints, size and doubt.
    """

    width: int
    height: int
    channels: int
    depth: int
    picture: bytes
    hints: bytes | None = None
    size: int = 0
    saturation: float = 1.0
    doubt: bool = False
    output: str = "layer"
    wants_recipe: bool = False
    recipe: bytes | None = None

    def query(self) -> str:
        """Return the query string of ``POST /v1/colorize``."""
        values: dict[str, object] = {
            "width": self.width,
            "height": self.height,
            "channels": self.channels,
            "depth": self.depth,
            "profile": "srgb",
            "output": self.output,
            "host": "gimp",
            "saturation": f"{self.saturation:.4g}",
        }
        if self.size:
            values["size"] = self.size
        if self.hints is not None:
            values["hints"] = "rgba8"
        include = [name for name, wanted in (("doubt", self.doubt), ("recipe", self.wants_recipe)) if wanted]
        if include:
            values["include"] = ",".join(include)
        if self.recipe is not None:
            values["recipe"] = len(self.recipe)
        return urllib.parse.urlencode(values)

    def places_query(self, places: list[tuple[int, int]]) -> str:
        """Return the query string of ``POST /v1/suggest``."""
        values: list[tuple[str, object]] = [
            ("width", self.width),
            ("height", self.height),
            ("channels", self.channels),
            ("depth", self.depth),
            ("profile", "srgb"),
        ]
        if self.hints is not None:
            values.append(("hints", "rgba8"))
        return urllib.parse.urlencode([*values, *(("at", f"{x},{y}") for x, y in places)])

    @property
    def parts(self) -> list[bytes]:
        """The body, part by part."""
        return [part for part in (self.picture, self.hints, self.recipe) if part is not None]

    @property
    def answer_channels(self) -> int:
        """Channels of the answer: RGB, and alpha when the picture has it."""
        return 3 if self.channels in (1, 3) else 4


@dataclass(frozen=True)
class Answer:
    """The colour that the server made.

    Attributes:
        picture: RGB or RGBA, the request's size and depth, same layout.
        doubt: one byte a pixel, or None.
        model: name and version of the model.
        model_sha256: digest of the model file.
        backend: what ran the model.
        size: network short side that was used.
        recipe: what the layer can be laid from again, or None.
    """

    picture: bytes
    doubt: bytes | None
    model: str
    model_sha256: str
    backend: str
    size: int
    recipe: bytes | None = None
