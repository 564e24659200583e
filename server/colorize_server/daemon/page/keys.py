"""Who may use the page's routes: one-time codes from whoever has the token, and the keys that a tab gets for them.

No cookie: a cookie of one port of this computer is sent to, and ridden by, pages of every other port.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from ...installation.probe import health_proof

CODE_LIFETIME_S: Final = 60.0
KEY_IDLE_S: Final = 24 * 3600.0
"""A key that nobody has used for so long is forgotten."""
MAX_CODES: Final = 64
MAX_KEYS: Final = 64
"""Beyond it the one that has been idle longest goes."""

_Held = TypeVar("_Held")


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
        self._codes: dict[bytes, float] = {}
        self._keys: dict[str, tuple[str, _Held]] = {}
        self._used: dict[str, float] = {}

    def new_code(self) -> str:
        """Return a code that can be traded once, within `CODE_LIFETIME_S`, for a key."""
        self.sweep()
        while len(self._codes) >= MAX_CODES:
            del self._codes[next(iter(self._codes))]
        code = secrets.token_urlsafe(32)
        self._codes[_hash(code).encode()] = time.monotonic()
        return code

    def redeem(self, code: str) -> str | None:
        """Return a new key for a code; None if there is no such code (any more)."""
        made = self._codes.pop(_hash(code).encode(), None)  # gone whatever comes next
        if made is None or time.monotonic() - made > CODE_LIFETIME_S:
            return None
        while len(self._keys) >= MAX_KEYS:
            self.forget(min(self._used, key=self._used.__getitem__))
        name, secret = secrets.token_urlsafe(12), secrets.token_urlsafe(32)
        self._keys[name] = (_hash(secret), self._make())
        self._used[name] = time.monotonic()
        return f"{name}.{secret}"

    def holder(self, key: str) -> _Held | None:
        """Return what is held for a key; None if it is not one of ours."""
        name, _, secret = key.partition(".")
        known = self._keys.get(name)
        if known is None or not hmac.compare_digest(known[0], _hash(secret)):
            return None
        self._used[name] = time.monotonic()
        return known[1]

    def proof(self, name: str, nonce: str, port: int) -> str | None:
        """Return what shows that we know a key's secret: HMAC-SHA256 of nonce and port under its SHA-256, hexadecimal.

        None if there is no key of that name.
        """
        known = self._keys.get(name)
        return None if known is None else health_proof(known[0], nonce, port)

    def forget(self, name: str) -> None:
        """Forget a key and what is held for it."""
        _, held = self._keys.pop(name)
        del self._used[name]
        self._let_go(held)

    def sweep(self) -> None:
        """Forget what is too old."""
        now = time.monotonic()
        self._codes = {code: made for code, made in self._codes.items() if now - made <= CODE_LIFETIME_S}
        for name in [name for name, used in self._used.items() if now - used > KEY_IDLE_S]:
            self.forget(name)

    def holders(self) -> list[_Held]:
        """Return what is held for all keys, what has been idle longest first."""
        return [self._keys[name][1] for name in sorted(self._used, key=self._used.__getitem__)]

    def close(self) -> None:
        """Forget everything."""
        for name in list(self._keys):
            self.forget(name)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
