"""The commented conf file that ships, made of the table of keys."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from provserver.agents.keys import KEYS, Source

_HEAD: Final = """\
; eta_pwdsync.conf: the conf file of psync-agent. It is read anew at every change.
; chmod 600, owner root: there is a password in it.
; Sections and keys may be spelled in any case; a comment has a line of its own.
"""
_MARKS: Final = {
    Source.DOCUMENTED: "",
    Source.REMEMBERED: "",
    Source.OURS: " (Not in CA's.)",
}


def sample() -> str:
    """The text; it is a conf file that `parse_conf` takes."""
    return _HEAD + "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    section = ""
    for key in KEYS:
        if key.section != section:
            section = key.section
            yield from ("", f"[{section}]")
        note = f"{key.help} Expected: {key.expected}.{_MARKS[key.source]}"
        yield ""
        yield from textwrap.wrap(note, 100, initial_indent="; ", subsequent_indent="; ")
        yield f"{key.name} = {key.example}" if key.example else f";{key.name} = {key.default}".rstrip()
