"""Every way in which a password is not changed: the triggers of a modify (design "The exchange"), and Password
Modify (RFC 3062).
"""

# ruff: noqa: E501 -- a row is a line

from __future__ import annotations

import pytest
from asking import Case, Row
from harbour import (
    AD_CORP,
    ADA_AD,
    ADA_MVS,
    ADA_UNIX,
    BORIS_UNIX,
    COMMON,
    ELIF_AD,
    FRANCO_AD,
    NEW,
    NOBODY_AD,
    ORACLE,
    OTHER,
    PASSWORDS,
    PROFILE,
    UNIX,
    administrator,
    overwrite,
)
from signposted import BEYOND
from twisted.internet.defer import DeferredSemaphore
from write_rows import always_lose, be_overtaken, changing

from provserver.connectors.contract import AccessDenied
from provserver.imps.parameters import CHECK_ACCOUNT_PASSWORDS, ENFORCE_SYNCHRONIZED_ACCOUNT_PASSWORDS
from provserver.ldap.controls import (
    PasswordPolicyRequest,
    PasswordPolicyResponse,
    PolicyError,
    encode_request,
)
from provserver.ldap.extended import PasswordModify
from provserver.ldap.extended import encode_request as extended
from provserver.ldap.messages import Change, DeleteRequest, ExtendedRequest, ModifyRequest
from provserver.ldap.results import ResultCode
from provserver.passwords.hashing import HashingBusy
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, add, delete, replace
from provserver.vault.secret import Secret

C = ResultCode
ADA, BORIS, GHOST = user_dn("aokafor"), user_dn("bnovak"), user_dn("ghost")
TEST, SYNC, PASSWORD = "eTTestPassword", "eTSyncPassword", "eTPassword"
AGENT, UNIX_AGENT = "psync-ad-corp", "pam-hpdev01"


def policed(dn: str, *changes: Change) -> Case:
    """With the control that has the policy's own word for it."""
    return lambda c: c.ask(ModifyRequest(dn, changes), [encode_request(PasswordPolicyRequest())])


def because(error: PolicyError) -> PasswordPolicyResponse:
    return PasswordPolicyResponse(error=error)


async def twice(client: WireClient) -> Told:
    await client.test(ADA_AD, NEW)
    return await client.test(ADA_AD, OTHER)


# ---------------------------------------------------------------- what is done before


async def arrive_from_unix(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    """A password is on its way to all other accounts."""
    admin = await administrator(server)
    assert (await admin.sync(ADA_UNIX, NEW)).code is C.SUCCESS


async def fill_the_outbox(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    server.endpoint("hpdev01").down()
    admin = await administrator(server)
    assert (await admin.sync(ADA_AD, NEW)).code is C.SUCCESS


async def let_a_delivery_wait(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    await fill_the_outbox(server, patches)
    server.clock.turn(61)


async def refuse_at_unix(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    server.endpoint("hpdev01").refuse(lambda: AccessDenied("not you"))


async def be_busy(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    """Nothing can be hashed."""

    async def derive(*arguments: object) -> None:
        raise HashingBusy("1000 passwords are waiting to be hashed")

    patches.setattr(server.service.foundation.hasher, "derive", derive)


async def _profile(server: RunningServer, *changes: Change) -> None:
    admin = await administrator(server)
    assert (await admin.modify(PROFILE, *changes)).code is C.SUCCESS


async def crowd_the_external_policy(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    """As many are asked about as may be, and nobody may wait."""
    external = server.service.external
    patches.setattr(external, "_waiting", 0)
    patches.setattr(external, "_turns", DeferredSemaphore(1))
    assert external is not None
    external._turns.acquire()


async def muddle_the_profile(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    await overwrite(server, PROFILE, "provMaxLength", b"3")


async def ask_for_too_much(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    await _profile(server, replace("provMinLength", "257"))


async def ask_for_all_characters(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    await _profile(server, replace("provMinLength", "100"), replace("provMaxOccurrences", "1"))


async def demand_no_breach(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    await _profile(server, replace("provBreachCount", "1"))


async def lose_the_list(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    await demand_no_breach(server, patches)
    server.service._lists.close()


async def change_too_soon(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    await _profile(server, replace("provMinInterval", "3600"))


TRIGGERS = [
    Row("a test by nobody", lambda c: c.test(ADA_AD, NEW), C.INSUFFICIENT_ACCESS_RIGHTS, "may not synchronise passwords of", "RFC 4513 4", who=""),
    Row("a sync by nobody", lambda c: c.sync(ADA_AD, NEW), C.INSUFFICIENT_ACCESS_RIGHTS, "may not synchronise passwords of", "RFC 4513 4", who=""),
    Row("a sync by the user", lambda c: c.sync(ADA_AD, NEW), C.INSUFFICIENT_ACCESS_RIGHTS, "may not synchronise passwords of", "ours", who="aokafor"),
    Row("a sync out of the agent's scope", lambda c: c.sync(ADA_UNIX, NEW), C.INSUFFICIENT_ACCESS_RIGHTS, "may not synchronise passwords of", "ours", who=AGENT),
    Row("a sync out of the agent's scope, no such entry", lambda c: c.sync(f"eTETCAccountName=ghost,{UNIX}", NEW), C.INSUFFICIENT_ACCESS_RIGHTS, "may not synchronise passwords of", "ours", who=AGENT),
    Row("a test of what is not there", lambda c: c.test(NOBODY_AD, NEW), C.NO_SUCH_OBJECT, "does not exist", "RFC 4511 4.6", who=AGENT),
    Row("a sync of what is not there", lambda c: c.sync(NOBODY_AD, NEW), C.NO_SUCH_OBJECT, "does not exist", "RFC 4511 4.6", who=AGENT),
    Row("a sync elsewhere", lambda c: c.sync("dc=elsewhere", NEW), C.NO_SUCH_OBJECT, "no such suffix", "RFC 4511 4.6", who=AGENT),
    Row("a sync of what is no name", lambda c: c.sync("no name", NEW), C.INVALID_DN_SYNTAX, "not a distinguished name", "RFC 4511 4.1.3", who=AGENT),
    Row("a test of what is no account", lambda c: c.test(AD_CORP, NEW), C.OBJECT_CLASS_VIOLATION, "is not an account", "ours", who=AGENT),
    Row("a sync of a user", lambda c: c.sync(ADA, NEW), C.OBJECT_CLASS_VIOLATION, "is not an account", "ours"),
    Row("a test of an account of nobody", lambda c: c.test(ORACLE, NEW), C.UNWILLING_TO_PERFORM, "not yet correlated", "ours", who=UNIX_AGENT),
    Row("a sync of an account of nobody", lambda c: c.sync(ORACLE, NEW), C.UNWILLING_TO_PERFORM, "not yet correlated", "ours", who=UNIX_AGENT),
    Row("a sync that is not enabled", lambda c: c.sync(FRANCO_AD, NEW), C.UNWILLING_TO_PERFORM, "not enabled", "ours", who=AGENT),
    Row("a sync of a suspended user", lambda c: c.sync(ELIF_AD, NEW), C.UNWILLING_TO_PERFORM, "is suspended", "ours", who=AGENT),
    Row("a test while another password arrives", lambda c: c.test(ADA_AD, OTHER), C.UNWILLING_TO_PERFORM, "Another password change is in progress.", "ours", who=AGENT, first=arrive_from_unix),
    Row("a sync while another password arrives", lambda c: c.sync(ADA_AD, OTHER), C.UNWILLING_TO_PERFORM, "Another password change is in progress.", "ours", who=AGENT, first=arrive_from_unix),
    Row("a test of a weak password", policed(ADA_AD, replace(TEST, "weak")), C.CONSTRAINT_VIOLATION, "at least 10 characters", "draft-behera-ldap-password-policy 8.2", who=AGENT, control=because(PolicyError.PASSWORD_TOO_SHORT)),
    Row("a sync of a weak password", policed(ADA_AD, replace(SYNC, "onlylowercase")), C.CONSTRAINT_VIOLATION, "at least 1 upper-case letter", "draft-behera-ldap-password-policy 8.2", who=AGENT, control=because(PolicyError.INSUFFICIENT_PASSWORD_QUALITY)),
    Row("a test of the present password", policed(ADA_AD, replace(TEST, PASSWORDS["aokafor"])), C.CONSTRAINT_VIOLATION, "was used before", "draft-behera-ldap-password-policy 8.2", who=AGENT, control=because(PolicyError.PASSWORD_IN_HISTORY)),
    Row("no password", changing(ADA_AD, replace(SYNC)), C.CONSTRAINT_VIOLATION, "exactly one value, 0 were given", "ours", who=AGENT),
    Row("two passwords", changing(ADA_AD, replace(SYNC, NEW, OTHER)), C.CONSTRAINT_VIOLATION, "exactly one value, 2 were given", "ours", who=AGENT),
    Row("an empty password", policed(ADA_AD, replace(SYNC, "")), C.CONSTRAINT_VIOLATION, "an empty password", "ours", who=AGENT, control=because(PolicyError.PASSWORD_TOO_SHORT)),
    Row("a password with a NUL", policed(ADA_AD, replace(SYNC, b"Kelp\0Compass-88")), C.CONSTRAINT_VIOLATION, "a NUL character", "ours", who=AGENT, control=because(PolicyError.INSUFFICIENT_PASSWORD_QUALITY)),
    Row("a password of 10,000 characters", policed(ADA_AD, replace(SYNC, "Kelp-88-" * 1250)), C.CONSTRAINT_VIOLATION, "at most 1024 bytes", "ours", who=AGENT, control=because(PolicyError.INSUFFICIENT_PASSWORD_QUALITY)),
    Row("a password that is no text", changing(ADA_AD, replace(SYNC, b"\xff")), C.INVALID_ATTRIBUTE_SYNTAX, "expected UTF-8 text", "RFC 4511 A.2", who=AGENT),
    Row("a trigger twice", changing(ADA_AD, replace(SYNC, NEW), replace(SYNC, OTHER)), C.CONSTRAINT_VIOLATION, "given twice", "ours", who=AGENT),
    Row("a trigger with another change", changing(ADA_AD, replace(SYNC, NEW), replace("eTDescription", "x")), C.UNWILLING_TO_PERFORM, "in one request with a password trigger", "ours", who=AGENT),
    Row("a trigger with a type that no schema has", changing(ADA_AD, replace(SYNC, NEW), replace("nonesuch", "x")), C.UNWILLING_TO_PERFORM, "in one request with a password trigger", "ours", who=AGENT),
    Row("a test and a sync", changing(ADA_AD, replace(SYNC, NEW), replace(TEST, NEW)), C.UNWILLING_TO_PERFORM, "in one request with a password trigger", "ours", who=AGENT),
    Row("a trigger away", changing(ADA_AD, delete(SYNC)), C.UNWILLING_TO_PERFORM, "can be added or replaced", "ours", who=AGENT),
    Row("a trigger that does nothing yet, by a user", changing(ADA, replace("eTSyncAccounts", "1")), C.INSUFFICIENT_ACCESS_RIGHTS, "may not modify", "ours", who="aokafor"),
    Row("a trigger that does nothing yet", changing(ADA, replace("eTSyncAccounts", "1")), C.UNWILLING_TO_PERFORM, "does nothing yet", "ours"),
    Row("a sync in clear from another machine", lambda c: c.sync(ADA_AD, NEW), C.CONFIDENTIALITY_REQUIRED, "unprotected", "RFC 4511 A.2", who=AGENT, far=True),
    Row("another server holds the account", lambda c: c.sync(BEYOND, NEW), C.REFERRAL, "another server holds", "RFC 3296 5.2", scene="signposted"),
    Row("more tests than an agent may make", twice, C.BUSY, "too many password checks", "ours", who=AGENT, scene="watched"),
    Row("a test into a full outbox", lambda c: c.test(FRANCO_AD, NEW), C.BUSY, "too many deliveries are waiting", "ours", scene="full", first=fill_the_outbox),
    Row("a sync while a delivery waits for too long", lambda c: c.sync(BORIS_UNIX, OTHER), C.BUSY, "deliveries have been waiting for too long", "ours", scene="aging", first=let_a_delivery_wait),
    Row("a sync into a full outbox", lambda c: c.sync(BORIS_UNIX, OTHER), C.BUSY, "too many deliveries are waiting", "ours", scene="full", first=fill_the_outbox),
    Row("too many that are hashed", lambda c: c.sync(ADA_AD, NEW), C.BUSY, "waiting to be hashed", "RFC 4511 A.2", who=AGENT, first=be_busy),
    Row("others keep changing the user", lambda c: c.sync(ADA_AD, NEW), C.BUSY, "others keep changing this user", "RFC 4511 A.2", who=AGENT, first=always_lose),
    Row("nobody answers for the external policy, a test", policed(ADA_AD, replace(TEST, NEW)), C.UNAVAILABLE, "the external password policy cannot be reached", "ours", who=AGENT, scene="advised", control=PasswordPolicyResponse()),
    Row("nobody answers for the external policy", lambda c: c.sync(ADA_AD, NEW), C.UNAVAILABLE, "the external password policy cannot be reached", "ours", who=AGENT, scene="advised"),
    Row("a weak password, and nobody answers for the external policy", lambda c: c.sync(ADA_AD, "weak"), C.CONSTRAINT_VIOLATION, "at least 10 characters", "ours", who=AGENT, scene="advised"),
    Row("too many wait for the external policy", lambda c: c.sync(ADA_AD, NEW), C.BUSY, "too many passwords wait for the external policy", "ours", who=AGENT, scene="advised", first=crowd_the_external_policy),
    Row("a profile that makes no sense", lambda c: c.sync(ADA_AD, NEW), C.UNAVAILABLE, "the Password Profile makes no sense", "ours", who=AGENT, first=muddle_the_profile),
    Row("a breached password", policed(ADA_AD, replace(SYNC, "Correct-Horse-9")), C.CONSTRAINT_VIOLATION, "is known from data breaches", "draft-behera-ldap-password-policy 8.2", who=AGENT, scene="listed", first=demand_no_breach, control=because(PolicyError.INSUFFICIENT_PASSWORD_QUALITY)),
    Row("a list that cannot be asked", lambda c: c.sync(ADA_AD, NEW), C.UNAVAILABLE, "the Password Profile cannot be applied", "ours", who=AGENT, scene="listed", first=lose_the_list),
    Row("an endpoint refuses, the answer of IMPS", lambda c: c.sync(ADA_AD, NEW), C.OPERATIONS_ERROR, "failures: 1", "ours", who=AGENT, scene="as IMPS", first=refuse_at_unix, changes=True),
    Row("an endpoint refuses", lambda c: c.sync(ADA_AD, NEW), C.SUCCESS, "failures: 1", "ours", who=AGENT, first=refuse_at_unix),
]  # fmt: skip


async def of_who_goes(client: WireClient) -> Told:
    """A second change waits for the first, and meanwhile the user is deleted."""
    client.begin(ModifyRequest(ADA, (replace(PASSWORD, NEW),)))
    number = client.begin(ModifyRequest(ADA, (replace(PASSWORD, OTHER),)))
    client.begin(DeleteRequest(ADA))
    return await client.answer(number)


CHANGES = [
    Row("by nobody", changing(ADA, replace(PASSWORD, NEW)), C.INSUFFICIENT_ACCESS_RIGHTS, "may not change the password of", "RFC 4513 4", who=""),
    Row("another's", policed(BORIS, replace(PASSWORD, NEW)), C.INSUFFICIENT_ACCESS_RIGHTS, "may not change the password of", "ours", who="aokafor", control=because(PolicyError.PASSWORD_MOD_NOT_ALLOWED)),
    Row("of who is not there", changing(GHOST, replace(PASSWORD, NEW)), C.NO_SUCH_OBJECT, "does not exist", "RFC 4511 4.6"),
    Row("of who goes meanwhile", of_who_goes, C.NO_SUCH_OBJECT, "does not exist", "RFC 4511 4.6", first=be_overtaken, changes=True),
    Row("of an account", changing(ADA_AD, replace(PASSWORD, NEW)), C.UNWILLING_TO_PERFORM, "is not a global user", "ours"),
    Row("a wrong old one", policed(ADA, delete(PASSWORD, OTHER), add(PASSWORD, NEW)), C.UNWILLING_TO_PERFORM, "the old password is wrong", "ours", who="aokafor", control=because(PolicyError.MUST_SUPPLY_OLD_PASSWORD)),
    Row("a weak one", policed(ADA, replace(PASSWORD, "weak")), C.CONSTRAINT_VIOLATION, "at least 10 characters", "draft-behera-ldap-password-policy 8.2", who="aokafor", control=because(PolicyError.PASSWORD_TOO_SHORT)),
    Row("the present one", policed(ADA, replace(PASSWORD, PASSWORDS["aokafor"])), C.CONSTRAINT_VIOLATION, "was used before", "draft-behera-ldap-password-policy 8.2", who="aokafor", control=because(PolicyError.PASSWORD_IN_HISTORY)),
    Row("too soon", policed(ADA, replace(PASSWORD, NEW)), C.CONSTRAINT_VIOLATION, "changed too recently", "draft-behera-ldap-password-policy 8.2", who="aokafor", control=because(PolicyError.PASSWORD_TOO_YOUNG), first=change_too_soon),
    Row("nobody answers for the external policy", changing(ADA, replace(PASSWORD, NEW)), C.UNAVAILABLE, "the external password policy cannot be reached", "ours", who="aokafor", scene="advised"),
    Row("two new ones", changing(ADA, replace(PASSWORD, NEW), add(PASSWORD, OTHER)), C.CONSTRAINT_VIOLATION, "given twice", "ours"),
    Row("the old one away and no new one", changing(ADA, delete(PASSWORD, PASSWORDS["aokafor"])), C.UNWILLING_TO_PERFORM, "can be added or replaced", "ours"),
    Row("in clear from another machine", changing(ADA, replace(PASSWORD, NEW)), C.CONFIDENTIALITY_REQUIRED, "unprotected", "RFC 4511 A.2", far=True),
    Row("to accounts, into a full outbox", changing(BORIS, replace(PASSWORD, OTHER), replace("eTSyncAccounts", "1")), C.BUSY, "too many deliveries are waiting", "ours", scene="full", first=fill_the_outbox),
]  # fmt: skip


def modifying(user: str | None = None, new: str | bytes | None = NEW, old: str | None = None) -> Case:
    """Password Modify."""
    octets = new.encode() if isinstance(new, str) else new
    value = PasswordModify(
        user,
        Secret.of_text(old) if old is not None else None,
        Secret(octets) if octets is not None else None,
    )
    return lambda c: c.ask(extended(value), [encode_request(PasswordPolicyRequest())])


async def check_accounts(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    await server.set_parameter(CHECK_ACCOUNT_PASSWORDS, "ALL")


async def enforce_the_users(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    await server.set_parameter(ENFORCE_SYNCHRONIZED_ACCOUNT_PASSWORDS, "Yes")


PASSWORD_MODIFIES = [
    Row("a value that is malformed", lambda c: c.ask(ExtendedRequest(PasswordModify.oid, b"\x30\x02")), C.PROTOCOL_ERROR, "Password Modify request", "RFC 3062 2"),
    Row("by nobody", modifying(ADA), C.INSUFFICIENT_ACCESS_RIGHTS, "somebody is bound", "ours", who="", control=because(PolicyError.PASSWORD_MOD_NOT_ALLOWED)),
    Row("nobody's own", modifying(), C.INSUFFICIENT_ACCESS_RIGHTS, "somebody is bound", "RFC 3062 2.1", who=""),
    Row("another's", modifying(BORIS), C.INSUFFICIENT_ACCESS_RIGHTS, "may not change the password of", "RFC 3062 2.1", who="aokafor", control=because(PolicyError.PASSWORD_MOD_NOT_ALLOWED)),
    Row("of who is not there, by a user", modifying(GHOST), C.INSUFFICIENT_ACCESS_RIGHTS, "may not change the password of", "RFC 3062 2.1", who="aokafor"),
    Row("an account in the agent's scope", modifying(ADA_AD), C.INSUFFICIENT_ACCESS_RIGHTS, "may not change the password of", "ours", who=AGENT),
    Row("one's own without the old one", modifying(), C.INSUFFICIENT_ACCESS_RIGHTS, "oldPasswd: expected", "draft-behera-ldap-password-policy 8.2.1", who="aokafor", control=because(PolicyError.MUST_SUPPLY_OLD_PASSWORD)),
    Row("a wrong old one", modifying(old=OTHER), C.UNWILLING_TO_PERFORM, "the old password is wrong", "RFC 3062 2", who="aokafor", control=because(PolicyError.MUST_SUPPLY_OLD_PASSWORD)),
    Row("a wrong old one, by an administrator", modifying(ADA, old=OTHER), C.UNWILLING_TO_PERFORM, "the old password is wrong", "RFC 3062 2"),
    Row("of who is not there", modifying(GHOST), C.NO_SUCH_OBJECT, "does not exist", "RFC 3062 2"),
    Row("of a bare name that is nobody's", modifying("u:ghost"), C.NO_SUCH_OBJECT, "does not exist", "RFC 3062 2.1"),
    Row("of who is elsewhere", modifying("dc=elsewhere"), C.NO_SUCH_OBJECT, "no such suffix", "RFC 3062 2"),
    Row("of what is no name", modifying("=x"), C.INVALID_DN_SYNTAX, "not a distinguished name", "RFC 4511 4.1.3"),
    Row("of what is neither user nor account", modifying(COMMON), C.UNWILLING_TO_PERFORM, "is not a global user", "ours"),
    Row("an account's old one", modifying(ADA_AD, old=OTHER), C.UNWILLING_TO_PERFORM, "cannot be checked", "ours", control=because(PolicyError.PASSWORD_MOD_NOT_ALLOWED)),
    Row("an account where passwords are never sent", modifying(ADA_MVS), C.UNWILLING_TO_PERFORM, "no passwords are sent to this endpoint", "ours"),
    Row("an account whose endpoint refuses", modifying(ADA_UNIX), C.UNWILLING_TO_PERFORM, "failed at the endpoint", "ours", first=refuse_at_unix),
    Row("an account to which another one is on its way", modifying(ADA_UNIX, OTHER), C.BUSY, "is on its way there", "ours", scene="hasty answers", first=fill_the_outbox),
    Row("an account, into a full outbox", modifying(BORIS_UNIX), C.BUSY, "too many deliveries are waiting", "ours", scene="full", first=fill_the_outbox),
    Row("a weak one", modifying(ADA, "weak"), C.CONSTRAINT_VIOLATION, "at least 10 characters", "draft-behera-ldap-password-policy 8.2", control=because(PolicyError.PASSWORD_TOO_SHORT)),
    Row("a weak one of an account", modifying(ADA_AD, "weak"), C.CONSTRAINT_VIOLATION, "at least 10 characters", "ours", control=because(PolicyError.PASSWORD_TOO_SHORT), first=check_accounts),
    Row("another than the user's, of an account", modifying(ADA_UNIX), C.UNWILLING_TO_PERFORM, "must be the current password of Global User 'aokafor'", "ours", control=because(PolicyError.PASSWORD_MOD_NOT_ALLOWED), first=enforce_the_users),
    Row("an empty one", modifying(ADA, ""), C.CONSTRAINT_VIOLATION, "newPasswd: an empty password", "ours"),
    Row("one with a NUL", modifying(ADA, b"Kelp\0Compass-88"), C.CONSTRAINT_VIOLATION, "newPasswd: a password cannot contain a NUL", "ours"),
    Row("one that is no text", modifying(ADA, b"\xff"), C.INVALID_ATTRIBUTE_SYNTAX, "newPasswd: expected UTF-8 text", "ours"),
    Row("one that cannot be made up", modifying(ADA, None), C.UNWILLING_TO_PERFORM, "more than 256 characters", "RFC 3062 2", first=ask_for_too_much),
    Row("one for which there are not enough characters", modifying(ADA, None), C.UNWILLING_TO_PERFORM, "no password could be made up", "RFC 3062 2", first=ask_for_all_characters),
    Row("one that cannot be sent back", modifying(ADA, None), C.CONFIDENTIALITY_REQUIRED, "where none can be sent back", "RFC 3062 4", scene="trusting", far=True),
    Row("in clear from another machine", modifying(ADA), C.CONFIDENTIALITY_REQUIRED, "unprotected", "RFC 4511 A.2", far=True),
    Row("too many that are hashed", modifying(ADA), C.BUSY, "waiting to be hashed", "RFC 4511 A.2", first=be_busy),
    Row("others keep changing the user", modifying(ADA), C.BUSY, "others keep changing this user", "RFC 4511 A.2", first=always_lose),
    Row("nobody answers for the external policy", modifying(ADA), C.UNAVAILABLE, "the external password policy cannot be reached", "ours", scene="advised", control=PasswordPolicyResponse()),
    Row("a profile that makes no sense", modifying(ADA), C.UNAVAILABLE, "the Password Profile makes no sense", "ours", first=muddle_the_profile),
]  # fmt: skip

TABLES = {"trigger": TRIGGERS, "eTPassword": CHANGES, "Password Modify": PASSWORD_MODIFIES}
