"""What every server that tests start has in common: it runs as long as a `with`, and is gone after it."""

from __future__ import annotations

from typing import Self


class InBlock:
    """`begin` when the block begins, `stop` when it ends, or when the beginning fails."""

    def begin(self) -> None:
        """Make and start it; returns when it answers. Blocks."""
        raise NotImplementedError

    def stop(self) -> None:
        """End it and remove what it left. Harmless when done already, or when it began by half."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        try:
            self.begin()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
