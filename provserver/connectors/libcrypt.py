"""The system's libcrypt (libxcrypt), which is what reads `/etc/shadow`: crypt(5) formats made and verified.

Called without a C extension of our own, and with the interpreter's lock released: one call may take a second.
Python's module `crypt` held the lock, and is gone since 3.13 (docs/decisions/0030).
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Final

_NAMES: Final = ("libcrypt.so.2", "libcrypt.so.1")
_DATA_SIZE: Final = 32_768
"""`sizeof (struct crypt_data)`: part of libxcrypt's ABI."""
_OUTPUT_SIZE: Final = 384
"""CRYPT_OUTPUT_SIZE, and more than CRYPT_GENSALT_OUTPUT_SIZE."""
LONGEST_PHRASE: Final = 511
"""CRYPT_MAX_PASSPHRASE_SIZE without the NUL."""


class NoLibcrypt(Exception):
    """This system has no libxcrypt, or it does not speak the method; the text says which."""


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    for name in _NAMES:
        try:
            library = ctypes.CDLL(name)
            crypt, gensalt = library.crypt_rn, library.crypt_gensalt_rn
        except (OSError, AttributeError):
            continue
        crypt.restype = ctypes.c_char_p
        crypt.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int]
        gensalt.restype = ctypes.c_char_p
        gensalt.argtypes = [
            ctypes.c_char_p,
            ctypes.c_ulong,
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_int,
        ]
        return library
    raise NoLibcrypt(f"needs the system's libxcrypt ({' or '.join(_NAMES)})")


def new_setting(prefix: str, cost: int, random_octets: bytes) -> str:
    """A new salt with its parameters, as crypt(5) writes them: `$6$rounds=…$…`. NoLibcrypt."""
    room = ctypes.create_string_buffer(_OUTPUT_SIZE)
    made = _library().crypt_gensalt_rn(
        prefix.encode(), cost, random_octets, len(random_octets), room, _OUTPUT_SIZE
    )
    if made is None:
        raise NoLibcrypt(f"this system's libcrypt does not make {prefix} with the cost {cost}")
    return bytes(made).decode("ascii")


def crypt(phrase: bytes, setting: str) -> str:
    """The hash of a phrase without NUL, at most LONGEST_PHRASE long. NoLibcrypt: it cannot be made."""
    data = ctypes.create_string_buffer(_DATA_SIZE)
    try:
        made = _library().crypt_rn(phrase, setting.encode(), data, _DATA_SIZE)
        if made is None or made.startswith(b"*"):
            raise NoLibcrypt("this system's libcrypt does not speak the method")
        return bytes(made).decode("ascii")
    finally:
        ctypes.memset(data, 0, _DATA_SIZE)  # it keeps the phrase
