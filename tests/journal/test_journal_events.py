"""What the journal keeps of exchanges: who, from where, about whom; never a password."""

from __future__ import annotations

import pytest_twisted
from harbour import ADA_AD, ADA_UNIX, NEW, OTHER, PASSWORDS, administrator, wire

from provserver.delivery.events import Outcome
from provserver.journal.events import Event
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import replace


@pytest_twisted.ensureDeferred
async def test_each_exchange_leaves_a_line_that_says_who_and_about_whom(provserver: RunningServer) -> None:
    ad, unix = await wire(provserver, "psync-ad-corp"), await wire(provserver, "pam-hpdev01")
    admin = await administrator(provserver)
    await ad.test(ADA_AD, NEW)
    await ad.test(ADA_AD, "weakling")
    await ad.sync(ADA_AD, NEW)
    await unix.sync(ADA_UNIX, NEW)
    await unix.sync(ADA_UNIX, OTHER)
    await admin.modify(user_dn("bnovak"), replace("eTPassword", NEW))
    await admin.modify(user_dn("bnovak"), replace("eTPassword", "weakling"))
    journal = await provserver.journal()
    kinds = [event.event for event in journal]
    assert [kind for kind in kinds if kind in set(Event)] == [
        Event.TEST_PASSED,
        Event.TEST_REFUSED,
        Event.SYNC_ACCEPTED,
        Event.ECHO,
        Event.SYNC_REFUSED,
        Event.USER_RESET,
        Event.USER_RESET_REFUSED,
    ]
    assert kinds.count(Outcome.UPDATED) == 2
    accepted = next(event for event in journal if event.event == Event.SYNC_ACCEPTED)
    assert accepted.fields["by"] == user_dn("psync-ad-corp").removesuffix(",dc=eta")
    assert accepted.fields["peer"] == "127.0.0.1"
    assert accepted.fields["account"] == ADA_AD.removesuffix(",dc=eta")
    assert accepted.fields["user"] == user_dn("aokafor").removesuffix(",dc=eta")
    assert accepted.fields["deliveries"] == "2"
    assert accepted.fields["change"]
    said = repr(journal)
    for secret in ("weakling", NEW, OTHER, *PASSWORDS.values()):
        assert secret not in said


@pytest_twisted.ensureDeferred
async def test_an_event_has_a_number_of_its_own(provserver: RunningServer) -> None:
    numbers = [int(event) for event in Event] + [int(outcome) for outcome in Outcome]
    assert len(numbers) == len(set(numbers))
    assert all(number >= 8000 for number in Event)
