"""Servers that ask a policy service, for tests on the wire."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from harbour import PASSWORDS, administrator
from stand_in import Asked, Behaviour, StandIn, accepting, refusing, settings
from twisted.web.server import Request

from provserver.ldap.results import ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import replace

ADA: Final = user_dn("aokafor")
ADA_AD_NAME: Final = "Active Directory Account 'Okafor, Ada' on 'AD-Corp'"
OLD: Final = PASSWORDS["aokafor"]
CONSTRAINT: Final = ResultCode.CONSTRAINT_VIOLATION
PROFILE: Final = (
    "eTPasswordProfileName=Password Profile,eTPasswordProfileContainerName=Password Profile,"
    "eTNamespaceName=CommonObjects,dc=im,dc=eta"
)
SHIP: Final = ("insufficientPasswordQuality", "the name of a ship")
SPRING: Final = ("passwordInHistory", "it was used in spring")
Services = Callable[..., StandIn]


class Advised:
    """`await advised(behave, more=(...), unreachable=...)`: a server, and the service that it asks."""

    def __init__(self, start: Starter, stand_in: Services, folder: Path) -> None:
        self._start = start
        self._stand_in = stand_in
        self._folder = folder

    async def __call__(
        self,
        behave: Behaviour = accepting,
        more: tuple[str, ...] = (),
        logs: Path | None = None,
        **external: object,
    ) -> tuple[RunningServer, StandIn]:
        service = self._stand_in(behave)
        chosen = [*settings(self._folder, [service.url()], **external), *more]
        return await self._start(settings=chosen, logs=logs), service


class Held:
    """Keeps what is asked, until the test answers it."""

    def __init__(self) -> None:
        self.asked: list[tuple[Asked, Request]] = []

    def __call__(self, asked: Asked, request: Request) -> None:
        self.asked.append((asked, request))

    def __bool__(self) -> bool:
        return bool(self.asked)

    def accept(self) -> None:
        """The first that was not answered."""
        accepting(*self.asked.pop(0))


def by_word(word: str, *reasons: tuple[str, str]) -> Behaviour:
    """Refuses passwords with this word in them."""

    def behave(asked: Asked, request: Request) -> None:
        (refusing(*reasons) if word in asked.document["password"] else accepting)(asked, request)

    return behave


async def without_rules(server: RunningServer) -> None:
    """The Password Profile is disabled: the external policy judges alone."""
    admin = await administrator(server)
    assert (await admin.modify(PROFILE, replace("provProfileEnabled", "FALSE"))).code == 0
