"""Passwords that come encoded, `{SCHEME}…` (seed 002): who may send them, what becomes of them, where not."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Final

import pytest
import pytest_twisted
from harbour import (
    AD_CORP,
    ADA_AD,
    ADA_LDAP,
    ADA_UNIX,
    HPDEV01,
    NEW,
    OTHER,
    PASSWORDS,
    administrator,
    holds,
    id_of,
    snapshot,
    wire,
)
from hypothesis import given
from hypothesis import strategies as st

from provserver.connectors.contract import ENCODINGS, scheme_of
from provserver.connectors.emulated import Operation
from provserver.delivery.events import Outcome
from provserver.imps.parameters import SYNCHRONIZATION_MANAGERS
from provserver.journal.events import Event
from provserver.ldap.controls import (
    PasswordPolicyRequest,
    PasswordPolicyResponse,
    PolicyError,
    encode_request,
)
from provserver.ldap.extended import PasswordModify
from provserver.ldap.extended import encode_request as extended
from provserver.ldap.messages import ModifyRequest
from provserver.ldap.results import ResultCode
from provserver.passwords.credentials import HASH_KEY
from provserver.passwords.encoded import NotTaken, read_encoded
from provserver.storage.contract import AccountStatus, DeliveryState
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, add, replace
from provserver.vault.schemes import (
    Argon2,
    Derived,
    Pbkdf2,
    Recipe,
    SaltedSha1,
    SaltedSha256,
    SaltedSha384,
    SaltedSha512,
    parse,
)
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred

ADA: Final = user_dn("aokafor")
AGENT: Final = user_dn("psync-ad-corp")
RECIPES: Final[dict[str, Recipe]] = {
    "SSHA": SaltedSha1(),
    "SSHA256": SaltedSha256(),
    "SSHA384": SaltedSha384(),
    "SSHA512": SaltedSha512(),
    "PBKDF2-SHA256": Pbkdf2(2),
    "ARGON2": Argon2(64, 1, 1),
}
SALT: Final = b"8 bytes."


def encoded(password: str, scheme: str = "SSHA256", salt: bytes = SALT) -> str:
    recipe = RECIPES[scheme]
    return Derived(recipe, salt, recipe.derive(salt, Secret.of_text(password))).text


GIVEN: Final = encoded(NEW)


# ---------------------------------------------------------------- the form


def test_every_encoding_has_a_recipe() -> None:
    assert tuple(RECIPES) == ENCODINGS


@given(
    scheme=st.sampled_from(ENCODINGS),
    password=st.text(min_size=1, max_size=20),
    salt=st.binary(min_size=8, max_size=16),
)
def test_what_is_encoded_is_known_as_such_and_refused_to_the_others(
    scheme: str, password: str, salt: bytes
) -> None:
    secret = Secret.of_text(encoded(password, scheme, salt))
    found = read_encoded(secret, trusted=True)
    assert found is not None
    assert found.scheme == scheme == scheme_of(secret)
    assert found.derived == parse(secret.reveal_text())
    with pytest.raises(NotTaken):
        read_encoded(secret, trusted=False)


@given(st.text().filter(lambda text: "\0" not in text))
def test_what_somebody_types_is_clear_text(text: str) -> None:
    for typed in (text, "{" + text, "{SSHA}" + text[:20], "{MD5}" + text[:12], "{anything}" + text):
        assert read_encoded(Secret.of_text(typed), trusted=False) is None


@pytest.mark.parametrize(
    "text",
    [
        "{SSHA}",
        "{SSHA256}not base64!",
        encoded(NEW)[:-20],
        "{ARGON2}$argon2d$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAA",
        "{PBKDF2-SHA256}1$short",
        "{ssha512}" + GIVEN.partition("}")[2],
    ],
)
def test_a_garbled_one_is_refused_from_who_may_send_them_and_clear_text_from_others(text: str) -> None:
    secret = Secret.of_text(text)
    if scheme_of(secret):
        with pytest.raises(NotTaken, match="cannot be read as one"):
            read_encoded(secret, trusted=True)
    assert read_encoded(secret, trusted=False) is None


@pytest.mark.parametrize(
    "text",
    [
        "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        "{CRYPT}$6$saltsalt$abcdefghijklmnopqrstuv",
        "{MD5}X03MO1qnZdYdgyfeuILPmQ==",
        "{SCRYPT}$scrypt$ln=4,r=1,p=2$+//7//v/+//7//v/+//7/w$abc",
    ],
)
def test_what_other_servers_store_is_no_password_here(text: str) -> None:
    with pytest.raises(NotTaken, match="are not taken; expected clear text, or one of SSHA,"):
        read_encoded(Secret.of_text(text), trusted=True)
    with pytest.raises(NotTaken, match="expected clear text, from all but"):
        read_encoded(Secret.of_text(text), trusted=False)


def test_one_that_would_take_minutes_to_check_is_refused() -> None:
    costly = Derived(Argon2(2**20, 1000, 1), b"s" * 16, b"k" * 32).text
    with pytest.raises(NotTaken, match="too much memory"):
        read_encoded(Secret.of_text(costly), trusted=True)


def test_a_refusal_does_not_show_it() -> None:
    with pytest.raises(NotTaken) as refused:
        read_encoded(Secret.of_text(GIVEN), trusted=False)
    assert GIVEN[10:] not in str(refused.value)


# ---------------------------------------------------------------- who may


async def policed(client: WireClient, dn: str, attribute: str, value: str) -> tuple[Told, PolicyError | None]:
    told = await client.ask(
        ModifyRequest(dn, (replace(attribute, value),)), [encode_request(PasswordPolicyRequest())]
    )
    answer = told.control(PasswordPolicyResponse)
    assert answer is not None
    return told, answer.error


async def take_schemes(server: RunningServer, endpoint: str, schemes: str = "SSHA256") -> None:
    admin = await administrator(server)
    assert (await admin.modify(endpoint, add("provSetting", f"schemes={schemes}"))).code == 0


async def stored(server: RunningServer, user: str = ADA) -> str:
    entry = await server.entry(user)
    assert entry is not None
    return entry.text(HASH_KEY)


async def status(server: RunningServer, account: str) -> AccountStatus:
    found = await server.service.foundation.store.status(await id_of(server, account))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("who", "dn", "attribute"),
    [
        ("psync-ad-corp", ADA_AD, "eTTestPassword"),
        ("psync-ad-corp", ADA_AD, "eTSyncPassword"),
        ("aokafor", ADA, "eTPassword"),
    ],
)
@test
async def test_who_is_not_listed_is_refused_and_nothing_changes(
    provserver: RunningServer, who: str, dn: str, attribute: str
) -> None:
    client = await wire(provserver, who)
    before = await snapshot(provserver)
    told, error = await policed(client, dn, attribute, GIVEN)
    assert (told.code, error) == (
        ResultCode.CONSTRAINT_VIOLATION,
        PolicyError.INSUFFICIENT_PASSWORD_QUALITY,
    )
    assert "expected clear text, from all but synchronisation managers" in told.text
    assert await snapshot(provserver) == before
    line = (await provserver.journal())[-1]
    assert line.event in (Event.TEST_REFUSED, Event.SYNC_REFUSED, Event.USER_CHANGE_REFUSED)
    assert GIVEN[10:] not in str(line)


@pytest.mark.parametrize("tail", [",dc=eta", ",dc=etadb", ""])
@test
async def test_the_list_is_read_as_it_is_now_in_every_view(provserver: RunningServer, tail: str) -> None:
    agent = await wire(provserver, "psync-ad-corp")
    assert (await agent.sync(ADA_AD, GIVEN)).code is ResultCode.CONSTRAINT_VIOLATION
    await provserver.set_parameter(
        SYNCHRONIZATION_MANAGERS, "cn=elsewhere,dc=x", AGENT.removesuffix(",dc=eta").upper() + tail
    )
    assert (await agent.test(ADA_AD, GIVEN)).code == 0
    assert (await agent.sync(ADA_AD, GIVEN)).code == 0
    assert await stored(provserver) == GIVEN
    await provserver.set_parameter(SYNCHRONIZATION_MANAGERS)
    assert (await agent.sync(ADA_AD, encoded(OTHER))).code is ResultCode.CONSTRAINT_VIOLATION


@test
async def test_the_list_takes_names_only(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    dn = str(SYNCHRONIZATION_MANAGERS.dn(provserver.service.foundation.views.domain)) + ",dc=eta"
    told = await admin.modify(dn, replace("eTConfigParamValue", AGENT, "no name"))
    assert told.code is ResultCode.CONSTRAINT_VIOLATION
    assert "expected names of global users (DNs), one a value" in told.text


@test
async def test_to_be_listed_gives_no_right_to_change_anything(provserver: RunningServer) -> None:
    await provserver.set_parameter(SYNCHRONIZATION_MANAGERS, AGENT, user_dn("bnovak"))
    before = await snapshot(provserver)
    for who, dn, attribute in (
        ("psync-ad-corp", ADA_UNIX, "eTSyncPassword"),
        ("psync-ad-corp", ADA, "eTPassword"),
        ("bnovak", ADA, "eTPassword"),
    ):
        client = await wire(provserver, who)
        told = await client.modify(dn, replace(attribute, GIVEN))
        assert told.code is ResultCode.INSUFFICIENT_ACCESS_RIGHTS
    assert await snapshot(provserver) == before


# ---------------------------------------------------------------- what becomes of it


@test
async def test_it_goes_where_its_scheme_is_taken_and_is_seen_to_fail_elsewhere(
    provserver: RunningServer,
) -> None:
    await take_schemes(provserver, HPDEV01, "ssha, SSHA256")
    admin = await administrator(provserver)
    told = await admin.modify(ADA, replace("eTPassword", GIVEN), replace("eTSyncAccounts", "1"))
    assert (told.code, told.text) == (
        0,
        ":ETA_E_0245<MGU>, Global User 'aokafor' and associated account passwords update failed: "
        "(accounts updated: 1, unchanged: 1, failures: 2); failed: AD-Corp, ldap-hq",
    )
    assert holds(provserver, "hpdev01", "aokafor", GIVEN)
    for account, endpoint in ((ADA_AD, "AD-Corp"), (ADA_LDAP, "ldap-hq")):
        found = await status(provserver, account)
        assert (found.state, found.event) == (DeliveryState.FAILED, Outcome.NEEDS_CLEAR_TEXT)
        assert found.text.startswith("Not deliverable: needs clear text.")
        assert "SSHA256" in found.text
        assert provserver.endpoint(endpoint).asked.total() == 0, "the endpoint is not even called"
    journal = await provserver.journal()
    failed = [line for line in journal if line.event == Outcome.NEEDS_CLEAR_TEXT]
    assert {line.fields["account"] for line in failed} == {
        await id_of(provserver, ADA_AD),
        await id_of(provserver, ADA_LDAP),
    }
    reset = [line for line in journal if line.event == Event.USER_RESET][-1]
    assert "it came encoded as SSHA256: its quality could not be judged" in reset.text
    assert reset.fields["encoded"] == "SSHA256"
    assert GIVEN[10:] not in str(journal)
    assert await provserver.service.foundation.store.deliveries() == []


@test
async def test_it_is_stored_as_it_is_and_its_user_binds_with_the_password(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    lower = GIVEN.replace("SSHA256", "ssha256")
    told = await admin.modify(ADA, replace("eTPassword", lower), replace("provMustChangePassword", "FALSE"))
    assert told.code == 0
    assert await stored(provserver) == lower
    assert await provserver.has_password("aokafor", NEW)
    await provserver.wire("aokafor", NEW)
    client = await provserver.wire()
    assert (await client.bind(ADA, lower)).code is ResultCode.INVALID_CREDENTIALS, "it is no password itself"


@pytest.mark.parametrize("scheme", ENCODINGS)
@test
async def test_every_encoding_is_taken(provserver: RunningServer, scheme: str) -> None:
    await take_schemes(provserver, HPDEV01, scheme)
    await provserver.set_parameter(SYNCHRONIZATION_MANAGERS, AGENT)
    agent = await wire(provserver, "psync-ad-corp")
    given = encoded(NEW, scheme)
    assert (await agent.test(ADA_AD, given)).code == 0
    told = await agent.sync(ADA_AD, given)
    assert (told.code, "updated: 1, unchanged: 1, failures: 1" in told.text) == (0, True)
    assert holds(provserver, "hpdev01", "aokafor", given)
    assert await provserver.has_password("aokafor", NEW)


@test
async def test_the_policy_says_nothing_about_it(provserver: RunningServer) -> None:
    """Weak, and used before: nobody can know."""
    await provserver.set_parameter(SYNCHRONIZATION_MANAGERS, AGENT)
    agent = await wire(provserver, "psync-ad-corp")
    for password in ("weak", PASSWORDS["aokafor"]):
        assert (await agent.test(ADA_AD, encoded(password))).code == 0
        line = (await provserver.journal())[-1]
        assert line.event == Event.TEST_PASSED
        assert "its quality could not be judged" in line.text
        assert (await agent.sync(ADA_AD, encoded(password))).code == 0
        assert await provserver.has_password("aokafor", password)


@test
async def test_it_is_remembered_in_the_history(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    free = replace("provMustChangePassword", "FALSE")
    assert (await admin.modify(ADA, replace("eTPassword", GIVEN), free)).code == 0
    assert (await admin.modify(ADA, replace("eTPassword", OTHER), free)).code == 0
    ada = await provserver.wire("aokafor", OTHER)
    told = await ada.modify(ADA, replace("eTPassword", NEW))
    assert (told.code, "was used before" in told.text) == (ResultCode.CONSTRAINT_VIOLATION, True)


@test
async def test_the_same_again_serves_only_who_does_not_hold_it(provserver: RunningServer) -> None:
    await take_schemes(provserver, HPDEV01)
    await provserver.set_parameter(SYNCHRONIZATION_MANAGERS, AGENT)
    agent = await wire(provserver, "psync-ad-corp")
    assert (await agent.sync(ADA_AD, GIVEN)).code == 0
    again = await agent.sync(ADA_AD, GIVEN)
    assert "accounts updated: 0, unchanged: 2, failures: 1" in again.text
    assert provserver.endpoint("hpdev01").received == 1


@test
async def test_its_echo_is_known_and_another_inside_the_window_is_refused(provserver: RunningServer) -> None:
    await take_schemes(provserver, AD_CORP)
    await provserver.set_parameter(SYNCHRONIZATION_MANAGERS, AGENT)
    admin, agent = await administrator(provserver), await wire(provserver, "psync-ad-corp")
    free = replace("provMustChangePassword", "FALSE")
    await admin.modify(ADA, replace("eTPassword", GIVEN), replace("eTSyncAccounts", "1"), free)
    assert "nothing to do" in (await agent.sync(ADA_AD, GIVEN)).text
    told = await agent.sync(ADA_AD, encoded(NEW, salt=b"another salt"))
    assert told.code is ResultCode.UNWILLING_TO_PERFORM
    assert "Another password change is in progress." in told.text


@test
async def test_where_it_is_not_deliverable_is_clear_although_the_endpoint_is_down(
    provserver: RunningServer,
) -> None:
    provserver.endpoint("hpdev01").down()
    admin = await administrator(provserver)
    told = await admin.modify(ADA, replace("eTPassword", GIVEN), replace("eTSyncAccounts", "1"))
    assert "failures: 3)" in told.text
    assert (await status(provserver, ADA_UNIX)).event == Outcome.NEEDS_CLEAR_TEXT
    assert provserver.endpoint("hpdev01").asked[Operation.OPEN] == 0


@test
async def test_an_older_password_does_not_come_after_it(provserver: RunningServer) -> None:
    provserver.endpoint("hpdev01").down()
    admin = await administrator(provserver)
    both = replace("eTPassword", OTHER), replace("eTSyncAccounts", "1")
    assert "pending: 1" in (await admin.modify(ADA, *both)).text
    assert (await admin.modify(ADA, replace("eTPassword", GIVEN), both[1])).code == 0
    provserver.endpoint("hpdev01").mend()
    provserver.clock.turn(600)
    await provserver.delivered()
    assert provserver.endpoint("hpdev01").received == 0


@test
async def test_one_that_waits_is_delivered_by_the_next_process(
    start_provserver: Starter, tmp_path: Path
) -> None:
    server = await start_provserver(directory=tmp_path)
    await take_schemes(server, HPDEV01)
    server.endpoint("hpdev01").down()
    admin = await administrator(server)
    told = await admin.modify(ADA, replace("eTPassword", GIVEN), replace("eTSyncAccounts", "1"))
    assert "failures: 2, pending: 1" in told.text
    await server.stop()
    server = await start_provserver(directory=tmp_path, clock=server.clock)
    server.clock.turn(600)
    await server.delivered()
    assert holds(server, "hpdev01", "aokafor", GIVEN)
    assert (await status(server, ADA_UNIX)).state is DeliveryState.UPDATED


# ---------------------------------------------------------------- by Password Modify, and loaded


@test
async def test_password_modify_takes_it_for_a_user(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    told = await admin.ask(extended(PasswordModify("aokafor", None, Secret.of_text(GIVEN))))
    assert (told.code, "failures: 3" in told.text) == (0, True)
    assert await stored(provserver) == GIVEN


@test
async def test_one_account_takes_it_if_its_endpoint_does(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    request = extended(PasswordModify(ADA_UNIX, None, Secret.of_text(GIVEN)))
    told = await admin.ask(request)
    assert told.code is ResultCode.UNWILLING_TO_PERFORM
    assert "not deliverable: needs clear text" in told.text
    assert await provserver.service.foundation.store.status(await id_of(provserver, ADA_UNIX)) is None
    await take_schemes(provserver, HPDEV01)
    assert (await admin.ask(request)).code == 0
    assert holds(provserver, "hpdev01", "aokafor", GIVEN)
    line = [line for line in await provserver.journal() if line.event == Event.ACCOUNT_RESET][-1]
    assert line.fields["encoded"] == "SSHA256"


def record(password: str) -> str:
    return (
        f"dn: {user_dn('loaded').removesuffix(',dc=eta')}\nobjectClass: eTGlobalUser\n"
        f"eTGlobalUserName: loaded\neTPassword: {password}\n"
    )


@test
async def test_it_is_loaded_as_it_is(provserver: RunningServer) -> None:
    digest = hashlib.sha1(b"Bell-Buoy-Watch-4" + b"salt").digest()
    value = "{SSHA}" + base64.b64encode(digest + b"salt").decode()
    await provserver.load(record(value))
    assert await stored(provserver, user_dn("loaded")) == value
    await provserver.wire("loaded", "Bell-Buoy-Watch-4")


@test
async def test_it_is_added_as_it_is_and_a_garbled_one_is_not(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    entry = {"objectClass": ["eTGlobalUser"], "eTGlobalUserName": ["loaded"]}
    told = await admin.add(user_dn("loaded"), {**entry, "eTPassword": [GIVEN[:-20]]})
    assert told.code is ResultCode.CONSTRAINT_VIOLATION
    assert "cannot be read as one" in told.text
    assert (await admin.add(user_dn("loaded"), {**entry, "eTPassword": [GIVEN]})).code == 0
    assert await stored(provserver, user_dn("loaded")) == GIVEN
