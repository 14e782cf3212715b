"""Passwords that come encoded, resets that demand another change, and what is left to who must make it."""

# ruff: noqa: E501 -- a row is a line

from __future__ import annotations

from typing import Final

import pytest
from asking import Row
from harbour import ADA_AD, ADA_UNIX, NEW, OTHER, PASSWORDS, administrator
from password_rows import because, modifying, policed
from write_rows import changing

from provserver.ldap.controls import PolicyError
from provserver.ldap.extended import WhoAmI
from provserver.ldap.extended import encode_request as extended
from provserver.ldap.results import ResultCode
from provserver.testing.connector_contract import encode
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import replace
from provserver.vault.schemes import Argon2, Derived
from provserver.vault.secret import Secret

C = ResultCode
ADA, LOADED = user_dn("aokafor"), user_dn("loaded")
SYNC, PASSWORD, FLAG = "eTSyncPassword", "eTPassword", "provMustChangePassword"
ENCODED: Final = encode(Secret.of_text(NEW), "SSHA256").reveal_text()
COSTLY: Final = Derived(Argon2(2**20, 1000, 1), b"s" * 16, b"k" * 32).text
BAD: Final = because(PolicyError.INSUFFICIENT_PASSWORD_QUALITY)
BEHERA: Final = "draft-behera-ldap-password-policy 8.2.5"
_MUST: Final = "must change its password before anything else"
_THEN: Final = "draft-behera-ldap-password-policy 8.3"


async def reset_ada(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    admin = await administrator(server)
    changes = replace(PASSWORD, PASSWORDS["aokafor"]), replace(FLAG, "TRUE")
    assert (await admin.modify(ADA, *changes)).code is C.SUCCESS


async def forget_history(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    await server.load(
        "dn: eTPasswordProfileName=Password Profile,eTPasswordProfileContainerName=Password Profile,"
        "eTNamespaceName=CommonObjects,dc=im\nchangetype: modify\nreplace: provProfileEnabled\n"
        "provProfileEnabled: FALSE\n-\n"
    )
    await reset_ada(server, patches)


def adding(password: str) -> dict[str, list[str]]:
    return {"objectClass": ["eTGlobalUser"], "eTGlobalUserName": ["loaded"], PASSWORD: [password]}


TRUSTED = [
    Row("an encoded one by an agent that is not listed", policed(ADA_AD, replace(SYNC, ENCODED)), C.CONSTRAINT_VIOLATION, "expected clear text, from all but synchronisation managers", BEHERA, who="psync-ad-corp", control=BAD),
    Row("an encoded one of one's own", policed(ADA, replace(PASSWORD, ENCODED)), C.CONSTRAINT_VIOLATION, "expected clear text, from all but synchronisation managers", BEHERA, who="aokafor", control=BAD),
    Row("one that was cut", policed(ADA, replace(PASSWORD, ENCODED[:30])), C.CONSTRAINT_VIOLATION, "begins like a password encoded as SSHA256, and cannot be read as one", BEHERA, control=BAD),
    Row("one of another server's scheme", policed(ADA, replace(PASSWORD, "{CRYPT}$6$saltsalt$abcdefghijklmnopqrstuv")), C.CONSTRAINT_VIOLATION, "passwords encoded as CRYPT are not taken; expected clear text, or one of SSHA,", BEHERA, control=BAD),
    Row("one that takes minutes to check", policed(ADA, replace(PASSWORD, COSTLY)), C.CONSTRAINT_VIOLATION, "asks for too much memory", "ours", control=BAD),
    Row("one that was cut, with a new user", lambda c: c.add(LOADED, adding(ENCODED[:30])), C.CONSTRAINT_VIOLATION, "eTPassword: it begins like a password encoded as SSHA256", "ours"),
    Row("an encoded one of an account that needs clear text", modifying(ADA_UNIX, ENCODED), C.UNWILLING_TO_PERFORM, "not deliverable: needs clear text", "ours"),
    Row("who changes its own says what it demands", changing(ADA, replace(PASSWORD, NEW), replace(FLAG, "FALSE")), C.INSUFFICIENT_ACCESS_RIGHTS, "may not set provMustChangePassword of", "ours", who="aokafor"),
    Row("a reset that demands neither yes nor no", changing(ADA, replace(PASSWORD, NEW), replace(FLAG, "perhaps")), C.INVALID_ATTRIBUTE_SYNTAX, "by TRUE or FALSE, beside a password", "RFC 4517 3.3.3"),
    Row("beside a sync", changing(ADA_AD, replace(SYNC, NEW), replace(FLAG, "FALSE")), C.UNWILLING_TO_PERFORM, "in one request with a password trigger", "ours"),
]  # fmt: skip

MUST_CHANGE = [
    Row("a search", lambda c: c.search(ADA), C.INSUFFICIENT_ACCESS_RIGHTS, _MUST, _THEN, who="aokafor", first=reset_ada),
    Row("a compare", lambda c: c.compare(ADA, "eTTitle", "x"), C.INSUFFICIENT_ACCESS_RIGHTS, _MUST, _THEN, who="aokafor", first=reset_ada),
    Row("another change", policed(ADA, replace("eTTitle", "x")), C.INSUFFICIENT_ACCESS_RIGHTS, _MUST, _THEN, who="aokafor", first=reset_ada, control=because(PolicyError.CHANGE_AFTER_RESET)),
    Row("who am I", lambda c: c.ask(extended(WhoAmI())), C.INSUFFICIENT_ACCESS_RIGHTS, _MUST, _THEN, who="aokafor", first=reset_ada),
    Row("the password that it has", policed(ADA, replace(PASSWORD, PASSWORDS["aokafor"])), C.CONSTRAINT_VIOLATION, "must be another one than the administrator has set", "ours", who="aokafor", first=forget_history, control=because(PolicyError.PASSWORD_IN_HISTORY)),
    Row("another password", policed(ADA, replace(PASSWORD, OTHER)), C.SUCCESS, "updated successfully", _THEN, who="aokafor", first=reset_ada),
]  # fmt: skip

TABLES = {"trusted": TRUSTED, "must change": MUST_CHANGE}
