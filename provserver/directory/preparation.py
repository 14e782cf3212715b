"""String preparation: when two strings count as the same (RFC 4518).

The result is the comparable form with insignificant spaces folded: no outer ones, inner runs as one.
`spaced` turns it into the form of RFC 4518 2.6.1 that substrings are looked for in. Two deviations, ours:
NFKC and case folding are those of the running Python, not of Unicode 3.2; and unassigned code points are
let through, because a name newer than our tables is still a name. Errors are ValueError whose text says
what was expected, never what came.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_HYPHENS: Final = dict.fromkeys(map(ord, "-\u058a\u2010\u2011\u2212\ufe63\uff0d "))


def _table() -> dict[int, str | None]:
    """RFC 4518 2.2: what is mapped to nothing, and what to a space."""
    nothing: Iterable[tuple[int, int]] = (
        (0x0000, 0x0008), (0x000E, 0x001F), (0x007F, 0x0084), (0x0086, 0x009F), (0x00AD, 0x00AD),
        (0x034F, 0x034F), (0x06DD, 0x06DD), (0x070F, 0x070F), (0x1806, 0x1806), (0x180B, 0x180E),
        (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x2063), (0x206A, 0x206F), (0xFE00, 0xFE0F),
        (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFC), (0x1D173, 0x1D17A), (0xE0001, 0xE0001), (0xE0020, 0xE007F),
    )  # fmt: skip
    space: Iterable[tuple[int, int]] = (
        (0x0009, 0x000D), (0x0085, 0x0085), (0x00A0, 0x00A0), (0x1680, 0x1680), (0x2000, 0x200A),
        (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000),
    )  # fmt: skip
    table: dict[int, str | None] = {}
    for low, high in nothing:
        table.update(dict.fromkeys(range(low, high + 1)))
    for low, high in space:
        table.update(dict.fromkeys(range(low, high + 1), " "))
    return table


_MAPPED: Final = _table()
_ROUNDS: Final = 4
# RFC 4518 2.4: private use, non-characters, surrogates and the replacement character.
_PROHIBITED: Final = re.compile(
    r"[\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufffd-\uffff"
    + "".join(chr(plane + 0xFFFE) + chr(plane + 0xFFFF) for plane in range(0x10000, 0xF0000, 0x10000))
    + "\U000f0000-\U0010ffff]"
)


def prepare(text: str, fold: bool = True) -> str:
    """The comparable form of a string; with `fold`, without regard to case."""
    if text.isascii() and text.isprintable():
        if fold:
            text = text.lower()
        return " ".join(text.split()) if " " in text else text
    return _prepare(text, fold)


def _prepare(text: str, fold: bool) -> str:
    text = _normalised(text, fold)
    return _without_insignificant_spaces(text) if " " in text else text


def _normalised(text: str, fold: bool) -> str:
    """Mapped, normalised and free of what is prohibited: RFC 4518 2.2 to 2.4."""
    text = text.translate(_MAPPED)
    normal = unicodedata.normalize
    if fold:
        text = normal("NFKC", text)
        # Folding and normalisation feed each other (twice at most, as far as is known); no loop may hang.
        for _ in range(_ROUNDS):
            folded = normal("NFKC", text.casefold())
            if folded == text:
                break
            text = folded
    else:
        text = normal("NFKC", text)
    if _PROHIBITED.search(text):
        raise ValueError("text without private-use, surrogate or non-characters")
    return text


_CARRIED: Final = "\x00"
"""A space that carries a combining mark and so is none (RFC 4518 2.6). U+0000 cannot occur otherwise: it is
mapped to nothing."""


def _marked(text: str) -> str:
    """Normalised text in which the only spaces are those of RFC 4518 2.6."""
    if " " not in text or text.isascii():
        return text
    category, last = unicodedata.category, len(text) - 1
    return "".join(
        [
            _CARRIED
            if character == " " and index < last and category(text[index + 1])[0] == "M"
            else character
            for index, character in enumerate(text)
        ]
    )


def _without_insignificant_spaces(text: str) -> str:
    return " ".join([part for part in _marked(text).split(" ") if part]).replace(_CARRIED, " ")


def spaced(prepared: str) -> str:
    """A prepared value in the form that substrings are looked for in: RFC 4518 2.6.1."""
    return f" {_doubled(prepared)} "


def _doubled(prepared: str) -> str:
    if prepared.isascii():
        return prepared.replace(" ", "  ")
    return _marked(prepared).replace(" ", "  ").replace(_CARRIED, " ")


def prepare_part(text: str, fold: bool, *, first: bool = False, last: bool = False) -> str:
    """A part of a substring assertion, to be found in a `spaced` value: initial, any or final."""
    ends = _marked(text if text.isascii() and text.isprintable() else _normalised(text, fold))
    part = prepare(text, fold)
    if not part:
        return " "
    before = " " if first or ends.startswith(" ") else ""
    after = " " if last or ends.endswith(" ") else ""
    return f"{before}{_doubled(part)}{after}"


def prepare_numeric(text: str) -> str:
    """A numeric string: no spaces count (RFC 4518 2.6.2)."""
    return prepare(text, False).replace(" ", "")


def prepare_telephone(text: str) -> str:
    """A telephone number: neither spaces nor hyphens count, nor case (RFC 4518 2.6.3)."""
    return prepare(text).translate(_HYPHENS)


def approximate(text: str) -> str:
    """What `~=` compares: letters and digits, without case and accents (ours: RFC 4511 leaves it open)."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", _prepare(text, True))
    folded = "".join(character for character in text.casefold() if character.isalnum())
    return folded or prepare(text)
