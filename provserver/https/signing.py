"""What is sent to another service, and what it answers, is signed: HMAC-SHA-256 (RFC 2104) with a secret that
both sides know.

A request's signature is over its time, its nonce and its body, an answer's over the request's nonce and its
own body: an old answer, or one to another request, is as wrong as a forged one. Each begins with words of
its own, so that a request thrown back is no answer, and an alert no question. Ours.
"""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Final, NoReturn

from provserver.vault.private import read_private

SHORTEST: Final = 32
"""Bytes of a shared secret; fewer can be guessed at by who has seen one request."""

TIME: Final = "X-Provserver-Time"
NONCE: Final = "X-Provserver-Nonce"
SIGNATURE: Final = "X-Provserver-Signature"
"""Headers."""

NONCE_SIZE: Final = 16
"""Random bytes; a nonce is their hexadecimal digits."""

_REQUEST: Final = b"provserver policy request 1"
_ANSWER: Final = b"provserver policy answer 1"
_ALERT: Final = b"provserver alert 1"
_PASSWORD: Final = b"provserver password 1"


class SharedSecretError(ValueError):
    """The file cannot be used: names it and says what to do; never shows what is in it."""


class SharedSecret:
    """Signs and verifies. Never shows itself."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def load(cls, path: Path) -> SharedSecret:
        """From a file that only its owner may use; white space around it is not part of it.
        SharedSecretError.
        """
        content, problem = read_private(path, "shared secret", f"make one: openssl rand -hex 32 > {path}")
        key = content.strip()
        if not problem and len(key) < SHORTEST:
            problem = f"expected a secret of at least {SHORTEST} bytes, found {len(key)}"
        if problem:
            raise SharedSecretError(f"{path}: {problem}")
        return cls(key)

    def of_request(self, time: str, nonce: str, body: bytes) -> str:
        """64 hexadecimal digits."""
        return self._signed(_REQUEST, time.encode(), nonce.encode(), body)

    def of_alert(self, time: str, nonce: str, body: bytes) -> str:
        """64 hexadecimal digits."""
        return self._signed(_ALERT, time.encode(), nonce.encode(), body)

    def of_password(self, time: str, nonce: str, target: str, body: bytes) -> str:
        """64 hexadecimal digits. `target`: the method, a space, and the URL, which may name the account."""
        return self._signed(_PASSWORD, time.encode(), nonce.encode(), target.encode(), body)

    def of_answer(self, nonce: str, body: bytes) -> str:
        """64 hexadecimal digits. `nonce` is the request's."""
        return self._signed(_ANSWER, nonce.encode(), body)

    def is_of_answer(self, signature: bytes, nonce: str, body: bytes) -> bool:
        """Takes the same time either way."""
        return hmac.compare_digest(signature, self.of_answer(nonce, body).encode())

    def _signed(self, *lines: bytes) -> str:
        """Only the last, the body, may hold line ends."""
        return hmac.digest(self._key, b"\n".join(lines), "sha256").hex()

    def __repr__(self) -> str:
        return "SharedSecret(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a SharedSecret is never pickled or copied")
