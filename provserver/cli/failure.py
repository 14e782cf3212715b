"""How a command says that it failed: one sentence, exit code 1."""

from __future__ import annotations


class CommandFailed(Exception):
    """The sentence for the person at the terminal; names what to do next where it can."""
