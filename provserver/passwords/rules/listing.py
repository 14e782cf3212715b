"""What is wrong with a list that a rule looks into."""

from __future__ import annotations

from pathlib import Path


class ListError(ValueError):
    """A file that cannot be used: which, where in it, and what was expected. Never what is in it."""

    def __init__(self, path: Path, problem: str, line: int | None = None) -> None:
        super().__init__(f"{path}{'' if line is None else f':{line}'}: {problem}")


def reason(error: OSError) -> str:
    """Why the system did not let us read."""
    return f"cannot be read: {error.strerror}"
