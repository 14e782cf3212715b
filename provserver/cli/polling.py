"""Twisted's epoll reactor without the log context that it makes around each event: two dictionaries and six
calls, for a prefix that only the old `twisted.python.log` shows. A tenth of a short search was spent there
(docs/decisions/0013).
"""

from __future__ import annotations

import errno
import sys
from functools import partial
from select import EPOLLIN
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.python import log


def poll_plainly(reactor: Any) -> None:
    """Let a reactor do so, if it is Twisted's epoll reactor; others stay as they are."""
    if type(reactor) is EPollReactor:
        vars(reactor)["doIteration"] = partial(_iterate, reactor)


def _iterate(reactor: Any, timeout: float | None) -> None:
    """`EPollReactor.doPoll`, but for the context."""
    selectables = reactor._selectables
    try:
        events = reactor._poller.poll(-1 if timeout is None else timeout, len(selectables))
    except OSError as error:
        if error.errno == errno.EINTR:
            return
        raise
    for descriptor, event in events:
        selectable = selectables.get(descriptor)
        if selectable is None:
            continue  # closed by an event before this one
        if event == EPOLLIN and selectable.fileno() != -1:
            try:
                why = selectable.doRead()
            except BaseException:
                why = sys.exc_info()[1]
                log.err()  # type: ignore[no-untyped-call]  # Twisted's old log has no types
            if why:
                reactor._disconnectSelectable(selectable, why, True)
        else:
            reactor._doReadOrWrite(selectable, descriptor, event)
