"""What the tests of what is told share: receivers that are gone after the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from receivers import MailServer, Receiver
from twisted.internet.defer import ensureDeferred

from provserver.testing.certificates import Certificates, make_certificates


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    folder = tmp_path / "tls"
    folder.mkdir()
    return make_certificates(folder)


@pytest.fixture
def receiver() -> Iterator[Callable[..., Receiver]]:
    """`receiver(tls)`: a receiver of webhooks."""
    yield from _kept(Receiver)


@pytest.fixture
def mail_server() -> Iterator[Callable[..., MailServer]]:
    """`mail_server(tls, log_in=..., implicit=...)`."""
    yield from _kept(MailServer)


def _kept(kind: Any) -> Iterator[Callable[..., Any]]:
    begun: list[Any] = []

    def start(*arguments: Any, **named: Any) -> Any:
        begun.append(kind(*arguments, **named))
        return begun[-1]

    yield start
    for one in begun:
        pytest_twisted.blockon(ensureDeferred(one.stop()))
