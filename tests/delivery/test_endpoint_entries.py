"""What endpoints' entries may say of deliveries: refused when it makes no sense, obeyed when it does."""

from __future__ import annotations

import pytest
import pytest_twisted
from harbour import ADA_AD, HPDEV01, LDAP_HQ, NEW, OTHER, administrator, holds, overwrite, wire

from provserver.delivery.breaker import Gate
from provserver.delivery.sense import sense_of_endpoint
from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.imps.endpoints import Endpoint, RetryStyle, problem_of_endpoint, read_endpoint
from provserver.ldap.results import ResultCode
from provserver.testing.server import RunningServer
from provserver.testing.wire import add, replace
from provserver.vault.sealing import SealBroken

NAME = DN.parse("eTDYNDirectoryName=ldap-hq,eTNamespaceName=OpenLDAP,dc=im")
REFUSED = [
    ("provRetryLimit", "-1", "provRetryLimit: expected a whole number from 0 to 1000000, got '-1'"),
    ("provRetryInterval", "86401", "provRetryInterval: expected a whole number from 0 to 86400, got '86401'"),
    ("provRetryCap", "0", "provRetryCap: expected a whole number from 1 to 604800, got '0'"),
    ("provConcurrency", "0", "provConcurrency: expected a whole number from 1 to 256, got '0'"),
    ("provConcurrency", "257", "provConcurrency: expected a whole number from 1 to 256, got '257'"),
    ("provRetryStyle", "sometimes", "provRetryStyle: expected one of fixed, exponential, got 'sometimes'"),
]


def entry(**attributes: str) -> Entry:
    held = {name.lower(): Attribute(name, (value.encode(),)) for name, value in attributes.items()}
    return Entry(EntryId("e"), NAME, held, 3)


def made(endpoint: Endpoint) -> object:
    return endpoint


def test_what_is_not_said_is_the_default() -> None:
    endpoint = read_endpoint(entry())
    assert (endpoint.retry_style, endpoint.retry_cap) == (RetryStyle.FIXED, 3600.0)
    assert (endpoint.concurrency, endpoint.paused) == (None, False)
    assert problem_of_endpoint(entry()) is None


def test_what_is_said_is_read() -> None:
    said = entry(provRetryStyle="Exponential", provRetryCap="600", provConcurrency="9", provPaused="TRUE")
    endpoint = read_endpoint(said)
    assert (endpoint.retry_style, endpoint.retry_cap) == (RetryStyle.EXPONENTIAL, 600.0)
    assert (endpoint.concurrency, endpoint.paused) == (9, True)
    assert problem_of_endpoint(said) is None


@pytest.mark.parametrize(("name", "value", "problem"), REFUSED)
def test_nonsense_is_told_with_what_was_expected(name: str, value: str, problem: str) -> None:
    assert problem_of_endpoint(entry(**{name: value})) == problem
    read_endpoint(entry(**{name: value}))  # what was written before such values were refused, is still read


@pytest.mark.parametrize(("name", "value", "problem"), REFUSED)
@pytest_twisted.ensureDeferred
async def test_nonsense_is_refused_when_it_is_written(
    provserver: RunningServer, name: str, value: str, problem: str
) -> None:
    admin = await administrator(provserver)
    told = await admin.modify(HPDEV01, replace(name, value))
    assert (told.code, problem in told.text) == (ResultCode.CONSTRAINT_VIOLATION, True), told.text
    entry = await provserver.entry(HPDEV01)
    assert entry is not None
    assert entry.values(name.lower()) == ()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([("provConnector", "carrier-pigeon")], "there is no connector 'carrier-pigeon'; there are: "),
        ([("provSetting", "colour=red")], "colour: unknown setting; there are: accounts, break, "),
        ([("provSetting", "delay=soon")], "delay: expected a number from 0 to 86400, got 'soon'"),
        ([("provConnector", "ldap")], "url: must be given"),
        ([("provSecret", "password=Whale-Song-55")], "password: unknown secret; there are: none"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_settings_of_which_no_connector_can_be_made_are_refused_when_they_are_written(
    provserver: RunningServer, changes: list[tuple[str, str]], expected: str
) -> None:
    admin = await administrator(provserver)
    told = await admin.modify(HPDEV01, *[replace(name, value) for name, value in changes])
    assert (told.code, expected in told.text) == (ResultCode.CONSTRAINT_VIOLATION, True), told.text
    assert "Whale-Song" not in told.text
    agent = await wire(provserver, "psync-ad-corp")
    assert (await agent.sync(ADA_AD, NEW)).code == 0
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", NEW), "as if nothing had been tried"


@pytest_twisted.ensureDeferred
async def test_settings_with_their_secret_are_taken_in_one_request(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    told = await admin.modify(
        LDAP_HQ,
        replace("provConnector", "ldap"),
        replace("provSetting", "url=ldaps://127.0.0.1:1", "bind_dn=cn=a", "dn=uid={name},dc=a"),
        replace("provSecret", "bind_password=Whale-Song-55"),
    )
    assert told.code == 0, told.text
    told = await admin.modify(LDAP_HQ, add("provSetting", "timeout=never"))
    assert (told.code, "timeout: expected a number" in told.text) == (19, True), told.text


def test_secrets_that_cannot_be_opened_are_not_what_is_written_now() -> None:
    def broken(endpoint: Endpoint) -> object:
        raise SealBroken("no such key")

    assert sense_of_endpoint(broken)(entry(provConnector="ldap", provRetryLimit="3")) is None
    assert sense_of_endpoint(broken)(entry(provConnector="ldap", provRetryLimit="-3")) is not None


def test_an_endpoint_without_a_connector_says_nothing_that_could_be_wrong() -> None:
    def none(endpoint: Endpoint) -> object:
        raise LookupError("there is no connector ''")

    assert sense_of_endpoint(none)(entry(provSetting="colour=red")) is None
    assert "there is no connector" in str(sense_of_endpoint(none)(entry(provConnector="x")))
    assert sense_of_endpoint(made)(entry(provConnector="x")) is None


@pytest_twisted.ensureDeferred
async def test_an_endpoint_is_paused_and_goes_on_by_its_entry_within_a_second(
    provserver: RunningServer,
) -> None:
    admin = await administrator(provserver)
    agent = await wire(provserver, "psync-ad-corp")
    couriers = provserver.service.couriers
    entry = await provserver.entry(HPDEV01)
    assert entry is not None
    assert (await admin.modify(HPDEV01, replace("provPaused", "TRUE"))).code == 0
    for password in (NEW, OTHER):
        provserver.clock.turn(3600)
        told = await agent.sync(ADA_AD, password)
        assert (told.code, "pending: 1" in told.text) == (0, True), told.text
    provserver.clock.turn(3600)
    await provserver.delivered()
    assert provserver.endpoint("hpdev01").received == 0
    assert couriers.standing(entry.id).gate is Gate.PAUSED
    (row,) = await provserver.service.foundation.store.deliveries()
    assert row.attempts == 0
    assert (await admin.modify(HPDEV01, replace("provPaused", "FALSE"))).code == 0
    provserver.clock.turn(1)
    await provserver.breathe()
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", OTHER)
    assert couriers.standing(entry.id).gate is Gate.CLOSED


@pytest_twisted.ensureDeferred
async def test_while_an_endpoint_is_away_the_answer_counts_it_as_pending_without_waiting(
    provserver: RunningServer,
) -> None:
    agent = await wire(provserver, "psync-ad-corp")
    provserver.endpoint("hpdev01").down()
    for password in (NEW, OTHER):
        told = await agent.sync(ADA_AD, password)  # the clock stands still: nobody waits for it
        assert (told.code, "pending: 1" in told.text) == (0, True), told.text
        provserver.clock.turn(3600)
    (row,) = await provserver.service.foundation.store.deliveries()
    assert row.attempts == 0
    provserver.endpoint("hpdev01").mend()
    provserver.clock.turn(1)
    await provserver.breathe()
    await provserver.delivered()
    assert holds(provserver, "hpdev01", "aokafor", OTHER)
    told_of = [line.event for line in await provserver.journal() if line.event in (7040, 7041)]
    assert told_of == [7040, 7041]


@pytest_twisted.ensureDeferred
async def test_an_endpoint_that_is_broken_already_can_be_paused_but_not_broken_further(
    provserver: RunningServer,
) -> None:
    """Its connector was uninstalled, say."""
    await overwrite(provserver, LDAP_HQ, "provConnector", b"gone")
    admin = await administrator(provserver)
    assert (await admin.modify(LDAP_HQ, replace("provPaused", "TRUE"))).code is ResultCode.SUCCESS
    told = await admin.modify(LDAP_HQ, replace("provConnector", "gone as well"))
    assert told.code is ResultCode.CONSTRAINT_VIOLATION
    assert (await admin.modify(LDAP_HQ, replace("provConnector", "emulated"))).code is ResultCode.SUCCESS
