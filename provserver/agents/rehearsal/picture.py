"""The same times as pictures: what share was over after how long. In the terminal, and as a PNG."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from provserver.agents.rehearsal.spread import Spread

NEEDS: Final = "a picture needs matplotlib: pip install 'provserver[picture]'"
_LEAST: Final = 1e-4
"""Seconds: a logarithmic axis has no 0."""
_WIDTH: Final = 40
_ROWS: Final = 10
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


class NoPicture(Exception):
    """A sentence."""


def bars(spread: Spread) -> Iterator[str]:
    """A histogram of at most some lines, each about times longer by the same factor: up to so many seconds,
    bar, share.
    """
    curve = spread.curve()
    first, top = (max(seconds, _LEAST) for seconds in (curve[0][0], curve[-1][0]))
    rows = _ROWS if top > first else 1
    bounds = [first * (top / first) ** (row / rows) for row in range(1, rows)] + [math.inf]
    reached = [max((share for seconds, share in curve if seconds <= bound), default=0.0) for bound in bounds]
    shares = [upto - before for before, upto in itertools.pairwise([0.0, *reached])]
    most = max(shares)
    for bound, share in zip(bounds, shares, strict=True):
        yield f"{shown(min(bound, spread.longest)):>10}  {_bar(share / most):<{_WIDTH}}  {share:6.1%}"


def shown(seconds: float) -> str:
    """For people."""
    if seconds < 1:
        return f"{seconds * 1000:,.3g} ms" if seconds < 0.1 else f"{seconds * 1000:,.0f} ms"
    return f"{seconds:,.2f} s" if seconds < 100 else f"{seconds:,.0f} s"


def _bar(share: float) -> str:
    whole, rest = divmod(round(share * _WIDTH * 8), 8)
    return (_EIGHTHS[8] * whole + _EIGHTHS[rest]).rstrip()


def checked() -> None:
    """NoPicture: there is nothing to draw a PNG with."""
    try:
        import matplotlib  # noqa: F401  whether it is there is all that is asked
    except ImportError:
        raise NoPicture(NEEDS) from None


def draw(path: Path, title: str, spreads: Mapping[str, Spread], threshold: int | None) -> None:
    """A PNG: for each name its cumulative distribution, and the recommended threshold. NoPicture."""
    checked()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=(10, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, spread in spreads.items():
        curve = [(max(seconds, _LEAST), share) for seconds, share in spread.curve()]
        seconds = [curve[0][0], *(point[0] for point in curve)]
        axes.step(
            seconds, [0.0, *(point[1] for point in curve)], where="post", label=f"{name} ({spread.count:,})"
        )
    if threshold is not None:
        axes.axvline(threshold, color="black", linestyle="--", label=f"recommended threshold: {threshold} s")
    axes.set(title=title, xlabel="seconds", ylabel="were over", xscale="log", ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(visible=True, which="both", alpha=0.25)
    figure.legend(loc="outside lower center", ncols=3)
    try:
        figure.savefig(path, format="png", dpi=120)
    except OSError as error:
        raise NoPicture(f"{path} cannot be written: {error.strerror}") from None
