"""Bodies as stores of format 1 had them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from provserver.directory.entries import Attribute


def of_first_version(attributes: Mapping[str, Attribute]) -> bytes:
    """The body of version 1."""

    def escaped(value: bytes) -> bytes:
        return value.replace(b"\x1d", b"\x1d0").replace(b"\x1e", b"\x1d1").replace(b"\x1f", b"\x1d2")

    payload = b"\x1e".join(
        b"\x1f".join(
            (
                (description if key == description.lower() else f"{key}\x1c{description}").encode(),
                *map(escaped, values),
            )
        )
        for key, (description, values) in attributes.items()
    )
    return b"\x01" + zlib.crc32(payload).to_bytes(4, "big") + payload
