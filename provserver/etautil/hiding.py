"""Passwords of a command line, taken out of what other users of the machine see of it (`ps`).

Linux keeps the words of a command line in the process's own memory; they are overwritten there, in their
length. It takes some hundredths of a second to get here: for so long a password can be seen, and a shell may
keep it in its history. Hence `-P FILE` (docs/decisions/0029).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from provserver.etautil.statements import VERBS
from provserver.etautil.words import looks_secret

_HIDDEN: Final = b"*"
_PASSWORD: Final = b"-p"
_START_AND_END: Final = slice(47, 49)
"""Of the words, in /proc/PID/stat: arg_start and arg_end (proc(5), fields 48 and 49)."""


def hide_passwords() -> bool:
    """Take them out of this process's command line; whether none can be seen any more."""
    try:
        words = Path("/proc/self/cmdline").read_bytes().split(b"\0")[:-1]
        ours = len(sys.argv) - 1
        arguments = words[len(words) - ours :] if ours else []
        hidden = list(hidden_arguments(arguments))
        if hidden == arguments:
            return True  # nothing to hide
        start, end = _place()
        new = b"".join(word + b"\0" for word in [*words[: len(words) - ours], *hidden])
        if len(new) != end - start:
            return False
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(start)
            memory.write(new)
    except (OSError, ValueError):
        arguments = [os.fsencode(word) for word in sys.argv[1:]]
        return list(hidden_arguments(arguments)) == arguments
    return True


def hidden_arguments(arguments: Sequence[bytes]) -> Iterator[bytes]:
    """The words after the command, each as long as it is, without the passwords in them: what follows `-p`,
    and in a statement everything after the first name that may be a password's.
    """
    in_statement = False
    follows = False
    for word in arguments:
        if follows:
            yield _HIDDEN * len(word)
            follows = False
            continue
        in_statement = in_statement or _is_verb(word)
        # In a statement too, unless it removes a value: what looks like a verb may be a user's name.
        if word.startswith(_PASSWORD) and not (in_statement and b"=" in word):
            follows = word == _PASSWORD
            yield _PASSWORD + _HIDDEN * (len(word) - len(_PASSWORD))
        elif in_statement:
            yield _hidden_value(word)
        else:
            yield word


def _is_verb(word: bytes) -> bool:
    first = word.split(maxsplit=1)[:1]
    return bool(first) and first[0].lower().decode(errors="replace") in VERBS


def _hidden_value(word: bytes) -> bytes:
    at = 0
    while (equals := word.find(b"=", at)) >= 0:
        name = word[at:equals].split()[-1:] or [b""]
        if looks_secret(name[0].decode(errors="replace")):
            return word[: equals + 1] + _HIDDEN * (len(word) - equals - 1)
        at = equals + 1
    return word


def _place() -> tuple[int, int]:
    # The second field is the program's name in parentheses, and may have spaces itself.
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = [b"0", b"0", *map(str.encode, fields)][_START_AND_END]
    return int(start), int(end)
