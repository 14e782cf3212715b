"""A password that has an end: written at each change, honoured by binds with a password, told when asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_twisted
from cryptography.x509.oid import NameOID
from harbour import (
    ADA_AD,
    NEW,
    OTHER,
    PASSWORDS,
    PROFILE,
    administrator,
    overwrite,
    wire,
)
from operations.client_certificates import ClientAuthority, under_tls

from provserver.directory.forms import as_century_day
from provserver.ldap.controls import (
    GraceAuthentications,
    PasswordPolicyRequest,
    PasswordPolicyResponse,
    PolicyError,
    TimeBeforeExpiration,
    encode_request,
)
from provserver.ldap.messages import BindRequest, SaslCredentials
from provserver.ldap.results import ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, add, delete, replace
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred

ADA = user_dn("aokafor")
OLD = PASSWORDS["aokafor"]
DATE = "eTPasswordExpirationDate"
NEVER = "0000000000"
DAY = 86400
C = ResultCode
REFUSED = (
    ":ETA_E_0418<BGU>, Bind to provisioning server as 'aokafor' faied: Password expiration date has passed."
)
"""As in KB 229325."""


def day(server: RunningServer, days: int = 0) -> str:
    """So many days from today, as the attribute has it."""
    today = datetime.fromtimestamp(server.clock.wall(), UTC).date()
    return as_century_day(today + timedelta(days=days)).decode()


async def set_profile(server: RunningServer, **values: str) -> None:
    admin = await administrator(server)
    told = await admin.modify(PROFILE, *[replace(name, value) for name, value in values.items()])
    assert told.code is C.SUCCESS, told


async def set_date(server: RunningServer, value: str) -> None:
    admin = await administrator(server)
    assert (await admin.modify(ADA, replace(DATE, value))).code is C.SUCCESS


async def date_of(server: RunningServer, dn: str = ADA) -> list[str]:
    admin = await administrator(server)
    return (await admin.search(dn, "(objectClass=*)", DATE)).values(DATE)


async def bind(server: RunningServer, password: str = OLD, name: str = ADA) -> Told:
    client = await server.wire()
    request = BindRequest(3, name, Secret.of_text(password))
    return await client.ask(request, [encode_request(PasswordPolicyRequest())])


def said(told: Told) -> PasswordPolicyResponse:
    answer = told.control(PasswordPolicyResponse)
    assert answer is not None
    return answer


NOTHING = PasswordPolicyResponse()
EXPIRED = PasswordPolicyResponse(error=PolicyError.PASSWORD_EXPIRED)


# ---------------------------------------------------------------- honoured


@test
async def test_an_expired_password_is_refused_in_the_documents_words(provserver: RunningServer) -> None:
    await set_date(provserver, day(provserver, -1))
    told = await bind(provserver)
    assert (told.code, told.text, said(told)) == (C.INVALID_CREDENTIALS, REFUSED, EXPIRED)


@test
async def test_a_password_is_good_through_its_day_in_utc(provserver: RunningServer) -> None:
    await set_date(provserver, day(provserver))
    told = await bind(provserver)
    assert (told.code, said(told)) == (C.SUCCESS, NOTHING)
    provserver.clock.turn(DAY)
    assert (await bind(provserver)).text == REFUSED


@pytest.mark.parametrize("value", [NEVER, "0"])
@test
async def test_zeros_are_never(provserver: RunningServer, value: str) -> None:
    await set_date(provserver, value)
    provserver.clock.turn(100_000 * DAY)
    assert (await bind(provserver)).code is C.SUCCESS


@test
async def test_it_is_honoured_with_the_profile_disabled(provserver: RunningServer) -> None:
    await set_profile(provserver, provProfileEnabled="FALSE", provGraceBinds="3", provWarningDays="9")
    await set_date(provserver, day(provserver, 1))
    assert said(await bind(provserver)) == NOTHING
    await set_date(provserver, day(provserver, -1))
    assert (await bind(provserver)).text == REFUSED


@test
async def test_with_a_wrong_password_nobody_learns_that_it_has_expired(provserver: RunningServer) -> None:
    await set_date(provserver, day(provserver, -1))
    told = await bind(provserver, OTHER)
    assert (told.code, "wrong name or password" in told.text, said(told)) == (
        C.INVALID_CREDENTIALS,
        True,
        NOTHING,
    )


@test
async def test_who_is_suspended_too_is_told_that_first(provserver: RunningServer) -> None:
    await set_date(provserver, day(provserver, -1))
    admin = await administrator(provserver)
    assert (await admin.modify(ADA, replace("eTSuspended", "1"))).code is C.SUCCESS
    assert (await bind(provserver)).code is C.UNWILLING_TO_PERFORM


@test
async def test_a_connection_that_is_bound_stays_bound(provserver: RunningServer) -> None:
    ada = await wire(provserver, "aokafor")
    await set_date(provserver, day(provserver, -1))
    assert (await ada.search(ADA, "(objectClass=*)")).code is C.SUCCESS


@test
async def test_sasl_plain_is_a_bind_with_a_password_too(provserver: RunningServer) -> None:
    await set_date(provserver, day(provserver, -1))
    client = await under_tls(provserver)
    credentials = SaslCredentials("PLAIN", Secret(f"\0aokafor\0{OLD}".encode()))
    told = await client.ask(BindRequest(3, "", credentials), [encode_request(PasswordPolicyRequest())])
    assert (told.code, told.text, said(told)) == (C.INVALID_CREDENTIALS, REFUSED, EXPIRED)


@test
async def test_a_certificate_opens_the_door_all_the_same(start_provserver: Starter, tmp_path: Path) -> None:
    clients = ClientAuthority(tmp_path)
    server = await start_provserver(settings=[f"server.tls_client_authority={clients.file}"])
    await set_date(server, day(server, -1))
    client = await under_tls(server, clients.vouches_for((NameOID.COMMON_NAME, "aokafor")))
    told = await client.ask(BindRequest(3, "", SaslCredentials("EXTERNAL", None)))
    assert told.code is C.SUCCESS


@pytest.mark.parametrize(
    "value",
    ["never", "2024-12-31", "0000124367", "0000123366", "0000124000", "0000224001", "00000124366", "-1"],
)
@test
async def test_what_is_no_day_is_refused_when_it_is_written(provserver: RunningServer, value: str) -> None:
    admin = await administrator(provserver)
    for told in (
        await admin.modify(ADA, replace(DATE, value)),
        await admin.add(user_dn("new"), {"objectClass": ["eTGlobalUser"], DATE: [value]}),
    ):
        assert told.code is C.CONSTRAINT_VIOLATION
        assert f"{DATE}: expected a day as CYYDDD" in told.text
        assert value not in told.text.replace("2024-12-31 is 0000124366", "")


# ---------------------------------------------------------------- warned


@test
async def test_in_the_days_before_a_bind_is_warned(provserver: RunningServer) -> None:
    await set_profile(provserver, provWarningDays="3")
    await set_date(provserver, day(provserver, 3))
    assert said(await bind(provserver)) == NOTHING
    provserver.clock.turn(DAY)
    midnight = datetime.fromtimestamp(provserver.clock.wall() // DAY * DAY + 3 * DAY, UTC)
    left = int(midnight.timestamp() - provserver.clock.wall())
    assert said(await bind(provserver)) == PasswordPolicyResponse(TimeBeforeExpiration(left))
    provserver.clock.turn(left - 1)
    assert said(await bind(provserver)) == PasswordPolicyResponse(TimeBeforeExpiration(1))
    provserver.clock.turn(1)
    assert said(await bind(provserver)) == EXPIRED


@test
async def test_nobody_is_warned_who_did_not_ask(provserver: RunningServer) -> None:
    await set_profile(provserver, provWarningDays="3")
    await set_date(provserver, day(provserver))
    client = await provserver.wire()
    assert (await client.bind("aokafor", OLD)).controls == ()


@test
async def test_only_the_bind_is_warned(provserver: RunningServer) -> None:
    await set_profile(provserver, provWarningDays="3")
    await set_date(provserver, day(provserver))
    ada = await wire(provserver, "aokafor")
    told = await ada.ask(BindRequest(3, "", Secret(b"")), [encode_request(PasswordPolicyRequest())])
    assert said(told) == NOTHING, "nobody has no password"


# ---------------------------------------------------------------- grace


@test
async def test_after_it_so_many_binds_are_let_in_and_counted(provserver: RunningServer) -> None:
    await set_profile(provserver, provGraceBinds="2")
    await set_date(provserver, day(provserver, -1))
    for left in (1, 0):
        told = await bind(provserver)
        assert (told.code, said(told)) == (C.SUCCESS, PasswordPolicyResponse(GraceAuthentications(left)))
    for _ in range(2):
        told = await bind(provserver)
        assert (told.code, told.text, said(told)) == (C.INVALID_CREDENTIALS, REFUSED, EXPIRED)


@test
async def test_a_wrong_password_uses_up_no_grace(provserver: RunningServer) -> None:
    await set_profile(provserver, provGraceBinds="1")
    await set_date(provserver, day(provserver, -1))
    await bind(provserver, OTHER)
    assert said(await bind(provserver)) == PasswordPolicyResponse(GraceAuthentications(0))


@test
async def test_binds_at_the_same_moment_are_not_let_in_twice(provserver: RunningServer) -> None:
    await set_profile(provserver, provGraceBinds="3")
    await set_date(provserver, day(provserver, -1))
    clients = [await provserver.wire() for _ in range(8)]
    asked = [(client, client.begin(BindRequest(3, ADA, Secret.of_text(OLD)))) for client in clients]
    codes = [(await client.answer(number)).code for client, number in asked]
    assert codes.count(C.SUCCESS) == 3
    assert codes.count(C.INVALID_CREDENTIALS) == 5


@test
async def test_who_got_in_by_grace_changes_the_password_and_all_is_as_before(
    provserver: RunningServer,
) -> None:
    await set_profile(provserver, provGraceBinds="1", provMaxAgeDays="30")
    await set_date(provserver, day(provserver, -1))
    ada = await wire(provserver, "aokafor")
    assert (await ada.modify(ADA, delete("eTPassword", OLD), add("eTPassword", NEW))).code is C.SUCCESS
    assert await date_of(provserver) == [day(provserver, 30)]
    assert said(await bind(provserver, NEW)) == NOTHING
    entry = await provserver.entry(ADA)
    assert entry is not None
    assert "provgraceused" not in entry.attributes


# ---------------------------------------------------------------- written


async def agents(client: WireClient) -> Told:
    return await client.sync(ADA_AD, NEW)


async def resets(client: WireClient) -> Told:
    return await client.modify(ADA, replace("eTPassword", NEW))


@pytest.mark.parametrize(("who", "change"), [("psync-ad-corp", agents), ("etaadmin", resets)])
@test
async def test_every_change_writes_the_day_that_the_profile_says(
    provserver: RunningServer, who: str, change: Callable[[WireClient], Awaitable[Told]]
) -> None:
    await set_profile(provserver, provMaxAgeDays="90")
    await set_date(provserver, day(provserver, -1))
    client = await wire(provserver, who)
    assert (await change(client)).code is C.SUCCESS
    assert await date_of(provserver) == [day(provserver, 90)]
    assert (await bind(provserver, NEW)).code is C.SUCCESS
    provserver.clock.turn(91 * DAY)
    assert (await bind(provserver, NEW)).text == REFUSED


@test
async def test_a_change_without_an_age_in_the_profile_takes_the_day_away(provserver: RunningServer) -> None:
    await set_date(provserver, day(provserver, -1))
    assert (await (await administrator(provserver)).modify(ADA, replace("eTPassword", NEW))).code is C.SUCCESS
    assert await date_of(provserver) == []
    admin = await administrator(provserver)
    assert (await admin.search(ADA, f"({DATE}=*)")).names == []


@test
async def test_who_never_expires_still_never_expires_after_a_change(provserver: RunningServer) -> None:
    await set_profile(provserver, provMaxAgeDays="90")
    await set_date(provserver, NEVER)
    assert (await (await administrator(provserver)).modify(ADA, replace("eTPassword", NEW))).code is C.SUCCESS
    assert await date_of(provserver) == [NEVER]


@test
async def test_the_same_password_again_lives_no_longer(provserver: RunningServer) -> None:
    await set_profile(provserver, provMaxAgeDays="90")
    await set_date(provserver, day(provserver, 5))
    agent = await wire(provserver, "psync-ad-corp")
    assert (await agent.sync(ADA_AD, OLD)).code is C.SUCCESS
    assert await date_of(provserver) == [day(provserver, 5)]


@test
async def test_a_test_writes_nothing(provserver: RunningServer) -> None:
    await set_profile(provserver, provMaxAgeDays="90")
    agent = await wire(provserver, "psync-ad-corp")
    assert (await agent.test(ADA_AD, NEW)).code is C.SUCCESS
    assert await date_of(provserver) == []


@pytest.mark.parametrize("given", [[], [NEVER], ["0000130001"]], ids=["none", "never", "another"])
@test
async def test_a_user_who_is_added_with_a_password_has_the_day_that_came_with_it_or_the_profiles(
    provserver: RunningServer, given: list[str]
) -> None:
    await set_profile(provserver, provMaxAgeDays="90")
    admin = await administrator(provserver)
    attributes = {"objectClass": ["eTGlobalUser"], "eTPassword": [NEW]} | ({DATE: given} if given else {})
    assert (await admin.add(user_dn("new"), attributes)).code is C.SUCCESS
    assert await date_of(provserver, user_dn("new")) == (given or [day(provserver, 90)])


@test
async def test_a_load_may_set_password_and_day_together(provserver: RunningServer) -> None:
    await set_profile(provserver, provMaxAgeDays="90")
    await provserver.load(
        f"dn: {ADA}\nchangetype: modify\nreplace: eTPassword\neTPassword: {NEW}\n-\n"
        f"replace: {DATE}\n{DATE}: 0000130001\n-\n"
    )
    assert await date_of(provserver) == ["0000130001"]
    assert (await bind(provserver, NEW)).code is C.SUCCESS


# ---------------------------------------------------------------- when things are out of order


@test
async def test_with_a_profile_that_makes_no_sense_binds_go_on(provserver: RunningServer) -> None:
    """Somebody has to repair it."""
    await set_profile(provserver, provWarningDays="9", provGraceBinds="9")
    await overwrite(provserver, PROFILE, "provMinLength", b"-1")
    await set_date(provserver, day(provserver))
    assert said(await bind(provserver)) == NOTHING
    await set_date(provserver, day(provserver, -1))
    assert (await bind(provserver)).text == REFUSED
    assert (await bind(provserver, PASSWORDS["etaadmin"], user_dn("etaadmin"))).code is C.SUCCESS


@test
async def test_a_day_that_nobody_can_read_refuses_nobody(provserver: RunningServer) -> None:
    await overwrite(provserver, ADA, DATE, b"nonsense")
    assert (await bind(provserver)).code is C.SUCCESS


@test
async def test_an_expired_password_is_refused_after_a_restart_too(
    start_provserver: Starter, tmp_path: Path
) -> None:
    server = await start_provserver(directory=tmp_path)
    await set_date(server, day(server, -1))
    await server.stop()
    again = await start_provserver(directory=tmp_path, clock=server.clock)
    assert (await bind(again)).text == REFUSED
