"""Passwords hashed on the host, before anything leaves it (seed 002): the forms that the server takes."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from typing import Final

from provserver.agents.conf import CLEAR
from provserver.vault.secret import Secret

_SALT_SIZE: Final = 16
_DIGESTS: Final = {"ssha": "sha1", "ssha256": "sha256", "ssha384": "sha384", "ssha512": "sha512"}


def encoded(secret: Secret, scheme: str, random: Callable[[int], bytes] = os.urandom) -> Secret:
    """What is sent in the place of a password: itself, or its salted hash as `{SCHEME}` and base64."""
    if scheme == CLEAR:
        return secret
    salt = random(_SALT_SIZE)
    digest = hashlib.new(_DIGESTS[scheme], secret.reveal() + salt, usedforsecurity=False).digest()
    return Secret(b"{" + scheme.upper().encode() + b"}" + base64.b64encode(digest + salt))
