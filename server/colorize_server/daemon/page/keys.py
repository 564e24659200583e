"""Who may use the page's routes: one-time codes from whoever has the token, and the keys that a tab gets for them.

No cookie: a cookie of one port of this computer is sent to, and ridden by, pages of every other port.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from ...installation.probe import health_proof

CODE_LIFETIME_S: Final = 60.0
KEY_IDLE_S: Final = 24 * 3600.0
"""A key that nobody has used for so long is forgotten."""
MAX_CODES: Final = 64
MAX_KEYS: Final = 64
"""Beyond it the one that has been idle longest goes."""

_Held = TypeVar("_Held")


@dataclass(slots=True)
class _Key(Generic[_Held]):
    """One key.

    Attributes:
        secret_hash: of its secret.
        held: what is held for it.
        used: when it was last used (monotonic clock).
    """

    secret_hash: str
    held: _Held
    used: float = field(default_factory=time.monotonic)


class PageKeys(Generic[_Held]):
    """Codes and keys, as hashes in memory only; they end with the daemon.

    A key is a name and a secret with a dot between them: the name may be said to anyone, so that a tab can ask for a
    proof that it speaks with the daemon that knows the secret before it sends the secret, or a photograph, again.

    Args:
        make: what is held for a new key.
        let_go: called with what was held for a key that is forgotten.
    """

    def __init__(self, make: Callable[[], _Held], let_go: Callable[[_Held], None]) -> None:
        self._make = make
        self._let_go = let_go
        self._codes: dict[str, float] = {}
        self._keys: dict[str, _Key[_Held]] = {}

    def new_code(self) -> str:
        """Return a code that can be traded once, within `CODE_LIFETIME_S`, for a key."""
        self.sweep()
        while len(self._codes) >= MAX_CODES:
            del self._codes[next(iter(self._codes))]
        code = secrets.token_urlsafe(32)
        self._codes[_hash(code)] = time.monotonic()
        return code

    def redeem(self, code: str) -> str | None:
        """Return a new key for a code; None if there is no such code (any more)."""
        made = self._codes.pop(_hash(code), None)  # gone whatever comes next
        if made is None or time.monotonic() - made > CODE_LIFETIME_S:
            return None
        while len(self._keys) >= MAX_KEYS:
            self.forget(min(self._keys, key=lambda name: self._keys[name].used))
        name, secret = secrets.token_urlsafe(12), secrets.token_urlsafe(32)
        self._keys[name] = _Key(_hash(secret), self._make())
        return f"{name}.{secret}"

    def holder(self, key: str) -> _Held | None:
        """Return what is held for a key; None if it is not one of ours."""
        name, _, secret = key.partition(".")
        known = self._keys.get(name)
        if known is None or not hmac.compare_digest(known.secret_hash, _hash(secret)):
            return None
        known.used = time.monotonic()
        return known.held

    def proof(self, name: str, nonce: str, port: int) -> str | None:
        """Return what shows that we know a key's secret: HMAC-SHA256 of nonce and port under its SHA-256, hexadecimal.

        None if there is no key of that name.
        """
        known = self._keys.get(name)
        return None if known is None else health_proof(known.secret_hash, nonce, port)

    def forget(self, name: str) -> None:
        """Forget a key and what is held for it."""
        self._let_go(self._keys.pop(name).held)

    def sweep(self) -> None:
        """Forget what is too old."""
        now = time.monotonic()
        self._codes = {code: made for code, made in self._codes.items() if now - made <= CODE_LIFETIME_S}
        for name in [name for name, key in self._keys.items() if now - key.used > KEY_IDLE_S]:
            self.forget(name)

    def holders(self) -> list[_Held]:
        """Return what is held for all keys."""
        return [key.held for key in self._keys.values()]

    def close(self) -> None:
        """Forget everything."""
        for name in list(self._keys):
            self.forget(name)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
