"""Password Modify (RFC 3062) of global users, over the wire. Of accounts: passwords/test_resetting.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_twisted
from far_away import Line, as_administrator, asked
from harbour import (
    COMMON,
    NEW,
    OTHER,
    PASSWORDS,
    PROFILE,
    administrator,
    holds,
    overwrite,
    snapshot,
    wire,
)

from provserver.connectors.contract import PasswordPolicyViolation
from provserver.ldap.controls import (
    PasswordPolicyRequest,
    PasswordPolicyResponse,
    PolicyError,
    ProxiedAuthorization,
    encode_request,
)
from provserver.ldap.extended import PasswordModified, PasswordModify
from provserver.ldap.extended import encode_request as extended
from provserver.ldap.messages import Control
from provserver.ldap.results import ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, replace
from provserver.vault.secret import Secret

test = pytest_twisted.ensureDeferred

ADA = user_dn("aokafor")
INSIDE = ADA.removesuffix(",dc=eta")
OLD = PASSWORDS["aokafor"]
POLICY = [encode_request(PasswordPolicyRequest())]
DENIED = ResultCode.INSUFFICIENT_ACCESS_RIGHTS
E = PolicyError


async def change(
    client: WireClient,
    user: str | None = None,
    *,
    old: str | None = None,
    new: str | None = None,
    controls: list[Control] = POLICY,
) -> Told:
    request = PasswordModify(
        user,
        None if old is None else Secret.of_text(old),
        None if new is None else Secret.of_text(new),
    )
    return await client.ask(extended(request), controls)


def error(told: Told) -> PolicyError | None:
    answer = told.control(PasswordPolicyResponse)
    assert answer is not None, told
    return answer.error


# ---------------------------------------------------------------- one's own


@test
async def test_a_user_changes_its_password_with_the_old_one_and_its_accounts_hear_of_it(
    provserver: RunningServer,
) -> None:
    ada = await wire(provserver, "aokafor")
    told = await change(ada, old=OLD, new=NEW)
    assert (told.code, told.value, error(told)) == (0, None, None)
    assert "(accounts updated: 3, unchanged: 1, failures: 0)" in told.text
    assert await provserver.has_password("aokafor", NEW)
    for endpoint, account in (("AD-Corp", "Okafor, Ada"), ("hpdev01", "aokafor"), ("ldap-hq", "aokafor")):
        assert holds(provserver, endpoint, account, NEW)
    assert provserver.endpoint("MVSPROD").asked.total() == 0


@test
async def test_without_etpropagatepassword_it_is_the_users_alone(provserver: RunningServer) -> None:
    franco = await wire(provserver, "fgreco")
    told = await change(franco, old=PASSWORDS["fgreco"], new=NEW)
    assert (told.code, told.text) == (
        0,
        ":ETA_S_9021<MGU>, Global User 'fgreco' password updated successfully",
    )
    assert await provserver.has_password("fgreco", NEW)
    assert provserver.endpoint("AD-Corp").asked.total() == 0


@pytest.mark.parametrize(
    ("old", "code", "text"),
    [
        (None, DENIED, "oldPasswd: expected, to change one's own password"),
        (OTHER, ResultCode.UNWILLING_TO_PERFORM, "the old password is wrong"),
        ("", ResultCode.UNWILLING_TO_PERFORM, "the old password is wrong"),
    ],
)
@pytest.mark.parametrize("who", ["aokafor", "etaadmin"])
@test
async def test_ones_own_password_is_changed_with_the_old_one_only(
    provserver: RunningServer, who: str, old: str | None, code: ResultCode, text: str
) -> None:
    """RFC 3062 2: not changed if the old one is wrong. The control says what is missing."""
    client = await wire(provserver, who)
    before = await snapshot(provserver)
    told = await change(client, old=old, new=NEW)
    assert (told.code, told.value, error(told)) == (code, None, E.MUST_SUPPLY_OLD_PASSWORD)
    assert told.text.endswith(text)
    assert await snapshot(provserver) == before


@pytest.mark.parametrize(
    ("new", "wanted"),
    [
        ("short", E.PASSWORD_TOO_SHORT),
        ("nocapitals-1", E.INSUFFICIENT_PASSWORD_QUALITY),
        (OLD, E.PASSWORD_IN_HISTORY),
        ("", E.PASSWORD_TOO_SHORT),
        (f"{NEW}\0", E.INSUFFICIENT_PASSWORD_QUALITY),
    ],
)
@test
async def test_the_policy_judges_the_new_one(
    provserver: RunningServer, new: str, wanted: PolicyError
) -> None:
    ada = await wire(provserver, "aokafor")
    before = await snapshot(provserver)
    told = await change(ada, old=OLD, new=new)
    assert (told.code, told.value, error(told)) == (ResultCode.CONSTRAINT_VIOLATION, None, wanted)
    assert NEW not in told.text
    assert await snapshot(provserver) == before


@test
async def test_the_minimum_interval_binds_it(provserver: RunningServer) -> None:
    admin, ada = await administrator(provserver), await wire(provserver, "aokafor")
    assert (await admin.modify(PROFILE, replace("provMinInterval", "3600"))).code == 0
    provserver.clock.turn(3600)
    assert (await change(ada, old=OLD, new=NEW)).code == 0
    told = await change(ada, old=NEW, new=OTHER)
    assert (told.code, error(told)) == (ResultCode.CONSTRAINT_VIOLATION, E.PASSWORD_TOO_YOUNG)
    assert (await change(admin, ADA, new=OTHER)).code == 0


# ---------------------------------------------------------------- somebody else's


@pytest.mark.parametrize(
    "name",
    [
        ADA,
        f"{INSIDE},dc=etadb",
        INSIDE,
        f"dn:{ADA}",
        "u:aokafor",
        "aokafor",
        "AOKAFOR",
    ],
)
@test
async def test_an_administrator_resets_a_user_by_any_of_its_names(
    provserver: RunningServer, name: str
) -> None:
    admin = await administrator(provserver)
    told = await change(admin, name, new=NEW)
    assert (told.code, told.value) == (0, None)
    assert await provserver.has_password("aokafor", NEW)
    assert holds(provserver, "hpdev01", "aokafor", NEW)


@pytest.mark.parametrize("name", [ADA, "aokafor", "u:aokafor", None])
@test
async def test_one_may_also_name_oneself(provserver: RunningServer, name: str | None) -> None:
    ada = await wire(provserver, "aokafor")
    assert error(await change(ada, name, new=NEW)) is E.MUST_SUPPLY_OLD_PASSWORD
    assert (await change(ada, name, old=OLD, new=NEW)).code == 0


@test
async def test_an_administrator_may_give_the_old_one_and_then_it_must_be_right(
    provserver: RunningServer,
) -> None:
    admin = await administrator(provserver)
    told = await change(admin, ADA, old=OTHER, new=NEW)
    assert (told.code, error(told)) == (ResultCode.UNWILLING_TO_PERFORM, E.MUST_SUPPLY_OLD_PASSWORD)
    assert (await change(admin, ADA, old=OLD, new=NEW)).code == 0


@test
async def test_a_reset_is_judged_by_length_and_classes_but_not_by_history(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    told = await change(admin, ADA, new="weak")
    assert (told.code, error(told)) == (ResultCode.CONSTRAINT_VIOLATION, E.PASSWORD_TOO_SHORT)
    assert (await change(admin, ADA, new=OLD)).code == 0


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ghost", ResultCode.NO_SUCH_OBJECT),
        (user_dn("ghost"), ResultCode.NO_SUCH_OBJECT),
        ("cn=a,dc=elsewhere", ResultCode.NO_SUCH_OBJECT),
        ("dn:no name", ResultCode.INVALID_DN_SYNTAX),
        ("=", ResultCode.INVALID_DN_SYNTAX),
        (COMMON, ResultCode.UNWILLING_TO_PERFORM),
    ],
)
@test
async def test_who_is_no_user_has_no_password(provserver: RunningServer, name: str, code: ResultCode) -> None:
    admin = await administrator(provserver)
    told = await change(admin, name, new=NEW)
    assert (told.code, bool(told.text), told.value) == (code, True, None)


@pytest.mark.parametrize("name", [user_dn("bnovak"), "ghost", COMMON])
@pytest.mark.parametrize("who", ["aokafor", "psync-ad-corp"])
@test
async def test_others_may_not_and_are_not_told_who_exists(
    provserver: RunningServer, who: str, name: str
) -> None:
    client = await wire(provserver, who)
    before = await snapshot(provserver)
    told = await change(client, name, old=OLD, new=NEW)
    assert (told.code, error(told)) == (DENIED, E.PASSWORD_MOD_NOT_ALLOWED)
    assert await snapshot(provserver) == before


@pytest.mark.parametrize("name", [None, ADA, "aokafor"])
@test
async def test_the_old_password_is_no_way_to_log_in(provserver: RunningServer, name: str | None) -> None:
    nobody = await provserver.wire()
    before = await snapshot(provserver)
    told = await change(nobody, name, old=OLD, new=NEW)
    assert (told.code, error(told)) == (DENIED, E.PASSWORD_MOD_NOT_ALLOWED)
    assert await snapshot(provserver) == before


@test
async def test_with_proxied_authorization_it_is_the_other_ones_own_change(
    provserver: RunningServer,
) -> None:
    admin = await administrator(provserver)
    as_ada = [*POLICY, encode_request(ProxiedAuthorization("u:aokafor"))]
    assert error(await change(admin, new=NEW, controls=as_ada)) is E.MUST_SUPPLY_OLD_PASSWORD
    assert (await change(admin, old=OLD, new=NEW, controls=as_ada)).code == 0
    assert (await change(admin, "bnovak", new=NEW, controls=as_ada)).code is DENIED


# ---------------------------------------------------------------- made up by the server


def made(told: Told) -> str:
    assert told.value is not None
    secret = PasswordModified.decode(told.value).generated
    assert secret is not None
    return secret.reveal_text()


@test
async def test_without_a_new_password_one_is_made_up_that_the_profile_accepts(
    provserver: RunningServer,
) -> None:
    admin, ada = await administrator(provserver), await wire(provserver, "aokafor")
    assert (await admin.modify(PROFILE, replace("provMinSpecial", "5"))).code == 0
    told = await change(admin, "bnovak")
    assert told.code == 0
    password = made(told)
    assert len(password) == 16
    assert await provserver.has_password("bnovak", password)
    assert holds(provserver, "hpdev01", "bnovak", password)
    own = made(await change(ada, old=OLD))
    assert await provserver.has_password("aokafor", own)
    assert own != password
    log = str(await provserver.journal())
    assert password not in log
    assert own not in log


@test
async def test_none_comes_with_a_refusal(provserver: RunningServer) -> None:
    """RFC 3062 2: the value is absent unless it succeeds."""
    ada = await wire(provserver, "aokafor")
    told = await change(ada, old=OTHER)
    assert (told.code, told.value) == (ResultCode.UNWILLING_TO_PERFORM, None)


@test
async def test_what_an_endpoint_does_with_it_does_not_hide_it(start_provserver: Starter) -> None:
    """The user's password is changed, whatever became of the accounts: the client must learn which it is."""
    server = await start_provserver(settings=["passwords.partial_failure_result=1"])
    admin = await administrator(server)
    server.endpoint("hpdev01").refuse(lambda: PasswordPolicyViolation("no"))
    told = await change(admin, "aokafor")
    assert (told.code, "failures: 1" in told.text) == (0, True)
    assert await server.has_password("aokafor", made(told))


@test
async def test_a_profile_that_makes_no_sense_changes_nobodys_password(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    await overwrite(provserver, PROFILE, "provMaxLength", b"3")
    told = await change(admin, "aokafor")
    assert (told.code, told.value) == (ResultCode.UNAVAILABLE, None)


# ---------------------------------------------------------------- what is written down


def written(logs: Path) -> str:
    return "".join(path.read_text() for path in logs.glob("etatrans*.log"))


@test
async def test_the_transaction_log_has_it_at_the_level_of_other_changes(
    start_provserver: Starter, tmp_path: Path
) -> None:
    server = await start_provserver(settings=["logging.etatrans=true"], logs=tmp_path)
    admin = await administrator(server)
    assert (await change(admin, "aokafor", new=NEW)).code == 0
    assert (await change(admin, "bnovak", new="short")).code is ResultCode.CONSTRAINT_VIOLATION
    await server.stop()
    log = written(tmp_path)
    assert ":PasswdMod :E" in log
    assert "SUCCESS: :ETA_S_0245<MGU>, Global User 'aokafor'" in log
    assert "FAILURE: External PasswdMod" in log
    assert NEW not in log


# ---------------------------------------------------------------- over which line


@test
async def test_in_clear_from_another_machine_it_is_refused(provserver: RunningServer) -> None:
    """RFC 3062 4: passwords travel protected."""
    line = Line()
    await as_administrator(provserver, line)
    before = await snapshot(provserver)
    for new in (Secret.of_text(NEW), None):
        result = await asked(provserver, line, extended(PasswordModify("aokafor", None, new)))
        assert result.code is ResultCode.CONFIDENTIALITY_REQUIRED
    assert await snapshot(provserver) == before


@test
async def test_none_is_sent_back_in_clear_even_where_a_setting_takes_them(start_provserver: Starter) -> None:
    server = await start_provserver(settings=["passwords.require_protected_connection=false"])
    line = Line()
    await as_administrator(server, line)
    before = await snapshot(server)
    result = await asked(server, line, extended(PasswordModify("aokafor")))
    assert result.code is ResultCode.CONFIDENTIALITY_REQUIRED
    assert await snapshot(server) == before
    given = extended(PasswordModify("aokafor", None, Secret.of_text(NEW)))
    assert (await asked(server, line, given)).code == 0
