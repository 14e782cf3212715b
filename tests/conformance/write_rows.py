"""Every way in which an add, a modify, a delete or a rename fails (RFC 4511 4.6-4.9), but for those of controls
and of passwords.
"""

# ruff: noqa: E501 -- a row is a line

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from asking import Case, Row
from harbour import (
    AD_CORP,
    ADA_AD,
    ADA_LDAP,
    ADA_UNIX,
    COMMON,
    HPDEV01,
    LDAP_HQ,
    NEW,
    NOBODY_AD,
    PROFILE,
    SUFFIX,
    UNIX,
)
from signposted import BEYOND, BLANK, EXTENDED, MADE_ROLE, PHOTOGRAPHED
from twisted.internet.defer import Deferred

from provserver.ldap.messages import (
    AddRequest,
    Change,
    ChangeKind,
    DeleteRequest,
    ModifyDNRequest,
    ModifyRequest,
    PartialAttribute,
)
from provserver.ldap.results import ResultCode
from provserver.storage.contract import Commit, Committed, Conflict
from provserver.testing.server import GLOBAL_USERS, RunningServer, user_dn
from provserver.testing.wire import Told, WireClient, add, delete, replace

C = ResultCode
ADA, BORIS, GHOST = user_dn("aokafor"), user_dn("bnovak"), user_dn("ghost")
ACCOUNT = {"objectClass": ["eTETCAccount"], "eTETCAccountName": ["fresh"]}
FRESH = f"eTETCAccountName=fresh,{UNIX}"
USER = {"objectClass": ["eTGlobalUser"]}
ROLES = f"eTRoleContainerName=Roles,{COMMON}"
ROLE = f"eTRoleName=fresh,{ROLES}"
STAFF = f"eTADSOrgUnitName=Staff,{AD_CORP}"
QUAYSIDE = f"eTADSOrgUnitName=Quayside,{STAFF}"
IS_A_ROLE = PartialAttribute("objectClass", (b"eTRole",))
PHOTO = "jpegPhoto"

Attributes = Mapping[str, Sequence[str | bytes]]


def adding(dn: str, attributes: Attributes) -> Case:
    return lambda c: c.add(dn, attributes)


def account(**more: Sequence[str | bytes]) -> Case:
    return adding(FRESH, {**ACCOUNT, **more})


def changing(dn: str, *changes: Change) -> Case:
    return lambda c: c.modify(dn, *changes)


def increment(description: str, *values: str) -> Change:
    return Change(ChangeKind.INCREMENT, PartialAttribute(description, tuple(one.encode() for one in values)))


def rename(dn: str, rdn: str, superior: str | None = None, *, delete_old: bool = True) -> Case:
    return lambda c: c.ask(ModifyDNRequest(dn, rdn, delete_old, superior))


async def always_lose(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    """Every commit from now on loses against another one."""

    async def commit(commit: object) -> None:
        raise Conflict("somebody was faster")

    patches.setattr(server.service.foundation.store, "commit", commit)


async def allow_few(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    """One request may change two entries at most."""
    patches.setattr("provserver.operations.subtrees.MOST_TOUCHED", 2)


async def with_its_id(client: WireClient) -> Told:
    """Add an entry with the id of another one."""
    found = await client.search(ADA, "(objectClass=*)", "eTID")
    return await client.add(ROLE, {"objectClass": ["eTRole"], "eTID": found.values("eTID")})


async def be_overtaken(server: RunningServer, patches: pytest.MonkeyPatch) -> None:
    """The next commit waits until another one was made."""
    store = server.service.foundation.store
    at_once = store.commit
    overtaken: list[Deferred[None]] = []

    async def commit(commit: Commit) -> Committed:
        if not overtaken:
            overtaken.append(Deferred())
            await overtaken[0]
            return await at_once(commit)
        committed = await at_once(commit)
        if not overtaken[0].called:
            overtaken[0].callback(None)
        return committed

    patches.setattr(store, "commit", commit)


async def what_goes(client: WireClient) -> Told:
    """Modify what is deleted meanwhile."""
    number = client.begin(ModifyRequest(ADA_UNIX, (replace("eTDescription", "x"),)))
    client.begin(DeleteRequest(ADA_UNIX))
    return await client.answer(number)


async def below_what_goes(client: WireClient) -> Told:
    """Add an entry to one that is deleted meanwhile."""
    number = client.begin(AddRequest(f"eTRoleName=x,{ADA_UNIX}", (IS_A_ROLE,)))
    client.begin(DeleteRequest(ADA_UNIX))
    return await client.answer(number)


async def what_comes(client: WireClient) -> Told:
    """Add what is added meanwhile."""
    number = client.begin(AddRequest(ROLE, (IS_A_ROLE,)))
    client.begin(AddRequest(ROLE, (IS_A_ROLE,)))
    return await client.answer(number)


ADDS = [
    Row("what is there", adding(ADA_UNIX, ACCOUNT), C.ENTRY_ALREADY_EXISTS, "exists already", "RFC 4511 4.7"),
    Row("what is there, in another case", adding(ADA_UNIX.upper(), ACCOUNT), C.ENTRY_ALREADY_EXISTS, "exists already", "RFC 4511 4.7"),
    Row("the domain", adding(SUFFIX, {"objectClass": ["domain"]}), C.ENTRY_ALREADY_EXISTS, "exists already", "RFC 4511 4.7"),
    Row("an id that is there", with_its_id, C.ENTRY_ALREADY_EXISTS, "with the id", "ours"),
    Row("what somebody else adds meanwhile", what_comes, C.ENTRY_ALREADY_EXISTS, "exists already", "RFC 4511 4.7", first=be_overtaken, changes=True),
    Row("a parent that goes meanwhile", below_what_goes, C.NO_SUCH_OBJECT, "does not exist", "RFC 4511 4.7", first=be_overtaken, changes=True),
    Row("no parent", adding(f"eTETCAccountName=x,eTETCAccountContainerName=y,{HPDEV01}", ACCOUNT), C.NO_SUCH_OBJECT, "its parent does not exist", "RFC 4511 4.7"),
    Row("elsewhere", adding("dc=elsewhere", {"objectClass": ["domain"]}), C.NO_SUCH_OBJECT, "no such suffix", "RFC 4511 4.7"),
    Row("the root", adding("", {"objectClass": ["domain"]}), C.NO_SUCH_OBJECT, "no such suffix", "RFC 4511 4.7"),
    Row("what is no name", adding("no name", ACCOUNT), C.INVALID_DN_SYNTAX, "not a distinguished name", "RFC 4511 4.1.3"),
    Row("nobody", adding(FRESH, ACCOUNT), C.INSUFFICIENT_ACCESS_RIGHTS, "may not add", "RFC 4511 A.2", who=""),
    Row("nobody, no parent", adding(f"cn=x,{NOBODY_AD}", ACCOUNT), C.INSUFFICIENT_ACCESS_RIGHTS, "may not add", "RFC 4511 A.2", who=""),
    Row("an attribute without values", account(eTDescription=[]), C.PROTOCOL_ERROR, "at least one value", "RFC 4511 4.7"),
    Row("a type that no schema has", account(nonesuch=["x"]), C.UNDEFINED_ATTRIBUTE_TYPE, "no such attribute type", "RFC 4511 A.2"),
    Row("what only the server sets", account(modifyTimestamp=["20260101000000Z"]), C.CONSTRAINT_VIOLATION, "only the server itself", "RFC 4512 3.4"),
    Row("two values of a single-valued type", account(eTFullName=["x", "y"]), C.CONSTRAINT_VIOLATION, "expected a single value", "RFC 4511 A.2"),
    Row("a value that is too long", adding(f"cn=x,{ROLES}", {"objectClass": ["inetOrgPerson"], "sn": ["x"], "mail": ["x" * 257]}), C.CONSTRAINT_VIOLATION, "at most 256 characters", "RFC 4512 4.1.2"),
    Row("a value twice", account(description=["x", "X"]), C.ATTRIBUTE_OR_VALUE_EXISTS, "the same as value 1", "RFC 4511 4.7"),
    Row("an integer that is none", adding(GHOST, {**USER, "eTSuspended": ["one"]}), C.INVALID_ATTRIBUTE_SYNTAX, "eTSuspended: expected", "RFC 4511 A.2"),
    Row("a name of a type that is none", adding(f"nonesuch=x,{UNIX}", ACCOUNT), C.NAMING_VIOLATION, "no such attribute type", "RFC 4511 A.2"),
    Row("a name by a password", adding(f"eTPassword=x,{UNIX}", ACCOUNT), C.NAMING_VIOLATION, "cannot name an entry", "RFC 4511 A.2"),
    Row("a name by a photo", adding(f"{PHOTO}=x,{UNIX}", ACCOUNT), C.NAMING_VIOLATION, "cannot name an entry", "RFC 4511 A.2"),
    Row("a name whose value is no string", adding(f"eTETCAccountName=#020101,{UNIX}", ACCOUNT), C.NAMING_VIOLATION, "whose values are strings", "RFC 4514 2.4"),
    Row("a name with another value", adding(ROLE, {"objectClass": ["eTRole"], "eTRoleName": ["other"]}), C.NAMING_VIOLATION, "the value that the entry's name has", "RFC 4511 4.7"),
    Row("no class", adding(FRESH, {"eTDescription": ["x"]}), C.OBJECT_CLASS_VIOLATION, "objectClass: expected at least one value", "RFC 4511 4.7"),
    Row("a class that no schema has", adding(FRESH, {"objectClass": ["nonesuch"]}), C.OBJECT_CLASS_VIOLATION, "no such class", "RFC 4512 2.4"),
    Row("a class that is no text", adding(FRESH, {"objectClass": [b"\xff"]}), C.INVALID_ATTRIBUTE_SYNTAX, "objectClass: expected", "RFC 4512 3.3"),
    Row("no structural class", adding(FRESH, {"objectClass": ["top"]}), C.OBJECT_CLASS_VIOLATION, "a structural object class", "RFC 4512 2.4.2"),
    Row("two structural classes", adding(FRESH, {"objectClass": ["eTETCAccount", "eTRole"]}), C.OBJECT_CLASS_VIOLATION, "not both", "RFC 4512 2.4.2"),
    Row("without what a class requires", adding(f"cn=x,{ROLES}", {"objectClass": ["person"]}), C.OBJECT_CLASS_VIOLATION, "requires sn", "RFC 4512 2.4"),
    Row("an attribute that no class allows", account(provMinLength=["1"]), C.OBJECT_CLASS_VIOLATION, "is not allowed by", "RFC 4512 2.4"),
    Row("a trigger", account(eTSyncAccounts=["1"]), C.UNWILLING_TO_PERFORM, "starts an action", "ours"),
    Row("a password trigger", account(eTSyncPassword=[NEW]), C.UNWILLING_TO_PERFORM, "cannot be written", "ours"),
    Row("a secret that is none of ours", adding(ROLE, {"objectClass": ["eTRole", "extensibleObject"], "userPassword": [NEW]}), C.UNWILLING_TO_PERFORM, "cannot be written", "ours"),
    Row("a secret without a key", adding(f"eTDYNDirectoryName=x,eTNamespaceName=OpenLDAP,{SUFFIX}", {"objectClass": ["eTDYNDirectory"], "provSecret": ["x"]}), C.INVALID_ATTRIBUTE_SYNTAX, "expected key=value", "ours"),
    Row("an account of who is not there", account(provGlobalUser=[GHOST]), C.CONSTRAINT_VIOLATION, "there is no global user", "ours"),
    Row("an account of an account", account(provGlobalUser=[ADA_UNIX]), C.CONSTRAINT_VIOLATION, "there is no global user", "ours"),
    Row("an account of two", account(provGlobalUser=[ADA, BORIS]), C.CONSTRAINT_VIOLATION, "expected exactly one value", "RFC 4511 A.2"),
    Row("an account of what is no text", account(provGlobalUser=[b"\xff"]), C.INVALID_ATTRIBUTE_SYNTAX, "expected UTF-8 text", "RFC 4511 A.2"),
    Row("an owner of what is no account", adding(ROLE, {"objectClass": ["eTRole"], "provGlobalUser": [ADA]}), C.OBJECT_CLASS_VIOLATION, "can be set on accounts only", "ours"),
    Row("a password of what is no user", adding(ROLE, {"objectClass": ["eTRole"], "eTPassword": [NEW]}), C.OBJECT_CLASS_VIOLATION, "on global users only", "ours"),
    Row("an empty password", adding(GHOST, {**USER, "eTPassword": [""]}), C.CONSTRAINT_VIOLATION, "exactly one non-empty value", "ours"),
    Row("two passwords", adding(GHOST, {**USER, "eTPassword": [NEW, "x"]}), C.CONSTRAINT_VIOLATION, "exactly one non-empty value", "ours"),
    Row("a password, in clear from another machine", adding(GHOST, {**USER, "eTPassword": [NEW]}), C.CONFIDENTIALITY_REQUIRED, "unprotected", "RFC 4511 A.2", far=True),
    Row("another server holds the place", adding(f"ou=x,{BEYOND}", {"objectClass": ["organizationalUnit"]}), C.REFERRAL, "another server holds", "RFC 3296 5.2", scene="signposted"),
    Row("others keep changing it", account(), C.BUSY, "others keep changing this entry", "RFC 4511 A.2", first=always_lose),
]  # fmt: skip

THRESHOLD = (
    "eTConfigParamName=Agent Response Threshold,eTConfigParamFolderName=Password Synchronization,"
    f"eTConfigParamContainerName=Parameters,eTConfigContainerName=Configuration,{COMMON}"
)
MODIFIES = [
    Row("a parameter that makes no sense", changing(THRESHOLD, replace("eTConfigParamValue", "soon")), C.CONSTRAINT_VIOLATION, "Agent Response Threshold: expected a number of seconds", "ours"),
    Row("nothing at all", changing(ADA), C.SUCCESS, "", "RFC 4511 4.6"),
    Row("no such entry", changing(NOBODY_AD, replace("eTDescription", "x")), C.NO_SUCH_OBJECT, "does not exist", "RFC 4511 4.6"),
    Row("what goes meanwhile", what_goes, C.NO_SUCH_OBJECT, "does not exist", "RFC 4511 4.6", first=be_overtaken, changes=True),
    Row("an entry elsewhere", changing("dc=elsewhere", replace("eTDescription", "x")), C.NO_SUCH_OBJECT, "no such suffix", "RFC 4511 4.6"),
    Row("what is no name", changing("no name", replace("eTDescription", "x")), C.INVALID_DN_SYNTAX, "not a distinguished name", "RFC 4511 4.1.3"),
    Row("nobody", changing(ADA, replace("eTTitle", "x")), C.INSUFFICIENT_ACCESS_RIGHTS, "may not modify", "RFC 4511 A.2", who=""),
    Row("nobody, no such entry", changing(GHOST, replace("eTTitle", "x")), C.INSUFFICIENT_ACCESS_RIGHTS, "may not modify", "RFC 4511 A.2", who=""),
    Row("nothing added", changing(ADA, add("description")), C.PROTOCOL_ERROR, "at least one value to add", "RFC 4511 4.6"),
    Row("an increment of nothing", changing(ADA, increment("eTSuspended")), C.PROTOCOL_ERROR, "exactly one increment", "RFC 4525 3"),
    Row("two increments at once", changing(ADA, increment("eTSuspended", "1", "2")), C.PROTOCOL_ERROR, "exactly one increment", "RFC 4525 3"),
    Row("an increment of what is no number", changing(ADA, increment("eTTitle", "1")), C.CONSTRAINT_VIOLATION, "attribute of integers", "RFC 4525 3"),
    Row("an increment of what is not there", changing(ADA, increment("eTSuspended", "1")), C.NO_SUCH_ATTRIBUTE, "the entry has no such attribute", "RFC 4525 3"),
    Row("an increment by what is no number", changing(user_dn("eyilmaz"), increment("eTSuspended", "x")), C.INVALID_ATTRIBUTE_SYNTAX, "eTSuspended", "RFC 4525 3"),
    Row("a type that no schema has", changing(ADA, replace("nonesuch", "x")), C.UNDEFINED_ATTRIBUTE_TYPE, "no such attribute type", "RFC 4511 A.2"),
    Row("what only the server sets", changing(ADA, replace("modifyTimestamp", "20260101000000Z")), C.CONSTRAINT_VIOLATION, "only the server itself", "RFC 4512 3.4"),
    Row("what follows from the entry", changing(ADA, replace("entryDN", ADA)), C.CONSTRAINT_VIOLATION, "only the server itself", "RFC 5020 2"),
    Row("a second value of a single-valued type", changing(ADA, add("eTTitle", "x")), C.CONSTRAINT_VIOLATION, "expected a single value", "RFC 4511 A.2"),
    Row("a value that is there", changing(ADA, add("objectClass", "etglobaluser")), C.ATTRIBUTE_OR_VALUE_EXISTS, "has this value already", "RFC 4511 4.6"),
    Row("a value twice", changing(ADA, replace("description", "x", "X")), C.ATTRIBUTE_OR_VALUE_EXISTS, "the same as value 1", "RFC 4511 4.6"),
    Row("delete of what is not there", changing(ADA, delete("eTOffice")), C.NO_SUCH_ATTRIBUTE, "the entry has no such attribute", "RFC 4511 4.6"),
    Row("delete of a value that is not there", changing(ADA, delete("eTTitle", "admiral")), C.NO_SUCH_ATTRIBUTE, "does not have this value", "RFC 4511 4.6"),
    Row("delete of a value without an equality rule", changing(PHOTOGRAPHED, delete(PHOTO, b"\xff\xd8\xff\xe0\x00\x10JFIF")), C.INAPPROPRIATE_MATCHING, "cannot be compared", "RFC 4511 4.6", scene="signposted"),
    Row("delete of a value of a secret", changing(LDAP_HQ, add("provSecret", "a=b"), delete("provSecret", "a=b")), C.INAPPROPRIATE_MATCHING, "cannot be compared", "ours"),
    Row("a character that no text has", changing(ADA, replace("eTTitle", "\ue000")), C.INVALID_ATTRIBUTE_SYNTAX, "eTTitle: expected", "RFC 4518 2.4"),
    Row("an integer that is none", changing(ADA, replace("eTSuspended", "one")), C.INVALID_ATTRIBUTE_SYNTAX, "eTSuspended: expected", "RFC 4511 A.2"),
    Row("a day that is none", changing(ADA, replace("eTPasswordExpirationDate", "0000123366")), C.CONSTRAINT_VIOLATION, "expected a day as CYYDDD", "ours"),
    Row("a Password Profile that makes no sense", changing(PROFILE, replace("provMaxLength", "9")), C.CONSTRAINT_VIOLATION, "at least provMinLength (10) was expected", "ours"),
    Row("a name that is none", changing(ADA, replace("eTRoleDN", "no name")), C.INVALID_ATTRIBUTE_SYNTAX, "eTRoleDN: expected", "RFC 4511 A.2"),
    Row("a secret without a key", changing(LDAP_HQ, replace("provSecret", "x")), C.INVALID_ATTRIBUTE_SYNTAX, "expected key=value", "ours"),
    Row("a secret that is none of ours", changing(ADA, replace("eTIMPasswordData", "x")), C.UNWILLING_TO_PERFORM, "cannot be written", "ours"),
    Row("an account's owner", changing(ADA_UNIX, replace("provGlobalUser", BORIS)), C.UNWILLING_TO_PERFORM, "shorthand for an inclusion", "ours"),
    Row("an attribute that no class allows", changing(ADA, replace("provMinLength", "1")), C.OBJECT_CLASS_VIOLATION, "is not allowed by", "RFC 4512 2.4"),
    Row("all classes away", changing(ADA, delete("objectClass")), C.OBJECT_CLASS_VIOLATION, "objectClass: expected at least one value", "RFC 4512 2.4"),
    Row("a class that no schema has", changing(ADA, add("objectClass", "nonesuch")), C.OBJECT_CLASS_VIOLATION, "no such class", "RFC 4512 2.4"),
    Row("what a class requires away", changing(PHOTOGRAPHED, delete("sn")), C.OBJECT_CLASS_VIOLATION, "requires sn", "RFC 4512 2.4", scene="signposted"),
    Row("a class away whose attributes stay", changing(EXTENDED, replace("objectClass", "inetOrgPerson")), C.OBJECT_CLASS_VIOLATION, "is not allowed by", "RFC 4512 2.4", scene="signposted"),
    Row("the name's own value", changing(ADA, replace("eTGlobalUserName", "else")), C.NOT_ALLOWED_ON_RDN, "names the entry must stay", "RFC 4511 4.6"),
    Row("the name's own value away", changing(ADA, delete("eTGlobalUserName")), C.NOT_ALLOWED_ON_RDN, "names the entry must stay", "RFC 4511 4.6"),
    Row("another structural class", changing(ADA, replace("objectClass", "eTADSAccount")), C.OBJECT_CLASS_MODS_PROHIBITED, "cannot be changed", "RFC 4512 2.4.2"),
    Row("the entry does not say which server holds it", changing(BLANK, replace("description", "x")), C.UNAVAILABLE, "does not say which server", "ours", scene="signposted"),
    Row("the second change of two", changing(ADA, replace("eTTitle", "x"), delete("eTOffice")), C.NO_SUCH_ATTRIBUTE, "the entry has no such attribute", "RFC 4511 4.6"),
    Row("an endpoint's secret, in clear from another machine", changing(LDAP_HQ, replace("provSecret", "a=b")), C.CONFIDENTIALITY_REQUIRED, "unprotected", "RFC 4511 A.2", far=True),
    Row("another server holds it", changing(BEYOND, replace("description", "x")), C.REFERRAL, "another server holds", "RFC 3296 5.2", scene="signposted"),
    Row("others keep changing it", changing(ADA, replace("eTTitle", "x")), C.BUSY, "others keep changing this entry", "RFC 4511 A.2", first=always_lose),
]  # fmt: skip

DELETES = [
    Row("no such entry", lambda c: c.delete(NOBODY_AD), C.NO_SUCH_OBJECT, "does not exist", "RFC 4511 4.8"),
    Row("an entry elsewhere", lambda c: c.delete("dc=elsewhere"), C.NO_SUCH_OBJECT, "no such suffix", "RFC 4511 4.8"),
    Row("what is no name", lambda c: c.delete("no name"), C.INVALID_DN_SYNTAX, "not a distinguished name", "RFC 4511 4.1.3"),
    Row("nobody", lambda c: c.delete(ADA), C.INSUFFICIENT_ACCESS_RIGHTS, "may not delete", "RFC 4511 A.2", who=""),
    Row("nobody, no such entry", lambda c: c.delete(GHOST), C.INSUFFICIENT_ACCESS_RIGHTS, "may not delete", "RFC 4511 A.2", who=""),
    Row("what has entries below", lambda c: c.delete(AD_CORP), C.NOT_ALLOWED_ON_NON_LEAF, "has entries below it", "RFC 4511 4.8"),
    Row("the domain", lambda c: c.delete(SUFFIX), C.UNWILLING_TO_PERFORM, "the domain itself", "ours"),
    Row("another server holds it", lambda c: c.delete(BEYOND), C.REFERRAL, "another server holds", "RFC 3296 5.2", scene="signposted"),
    Row("others keep changing it", lambda c: c.delete(ADA_UNIX), C.BUSY, "others keep changing this entry", "RFC 4511 A.2", first=always_lose),
]  # fmt: skip

RENAMES = [
    Row("to the same name", rename(ADA, "eTGlobalUserName=aokafor"), C.SUCCESS, "", "RFC 4511 4.9"),
    Row("no such entry", rename(NOBODY_AD, "eTADSAccountName=x"), C.NO_SUCH_OBJECT, "does not exist", "RFC 4511 4.9"),
    Row("an entry elsewhere", rename("dc=elsewhere", "dc=x"), C.NO_SUCH_OBJECT, "no such suffix", "RFC 4511 4.9"),
    Row("no such superior", rename(QUAYSIDE, "eTADSOrgUnitName=x", f"eTADSOrgUnitName=Ghost,{STAFF}"), C.NO_SUCH_OBJECT, "does not exist", "RFC 4511 4.9"),
    Row("a superior elsewhere", rename(QUAYSIDE, "eTADSOrgUnitName=x", "dc=elsewhere"), C.NO_SUCH_OBJECT, "no such suffix", "RFC 4511 4.9"),
    Row("what is no name", rename("no name", "eTADSOrgUnitName=x"), C.INVALID_DN_SYNTAX, "not a distinguished name", "RFC 4511 4.1.3"),
    Row("a superior that is no name", rename(QUAYSIDE, "eTADSOrgUnitName=x", "??"), C.INVALID_DN_SYNTAX, "not a distinguished name", "RFC 4511 4.1.3"),
    Row("a new name that is none", rename(ADA, "aking"), C.INVALID_DN_SYNTAX, "not a relative distinguished name", "RFC 4511 4.1.3"),
    Row("no new name", rename(ADA, ""), C.INVALID_DN_SYNTAX, "of one level", "RFC 4511 4.9"),
    Row("a new name of two levels", rename(ADA, "eTGlobalUserName=a,ou=b"), C.INVALID_DN_SYNTAX, "of one level", "RFC 4511 4.9"),
    Row("nobody", rename(ADA, "eTGlobalUserName=x"), C.INSUFFICIENT_ACCESS_RIGHTS, "may not rename", "RFC 4511 A.2", who=""),
    Row("nobody, no such entry", rename(GHOST, "eTGlobalUserName=x"), C.INSUFFICIENT_ACCESS_RIGHTS, "may not rename", "RFC 4511 A.2", who=""),
    Row("a name in use", rename(ADA, "eTGlobalUserName=bnovak"), C.ENTRY_ALREADY_EXISTS, "exists already", "RFC 4511 4.9"),
    Row("a name in use, in another case", rename(ADA, "eTGlobalUserName=BNOVAK"), C.ENTRY_ALREADY_EXISTS, "exists already", "RFC 4511 4.9"),
    Row("a name in use elsewhere", rename(QUAYSIDE, "eTADSOrgUnitName=Staff", AD_CORP), C.ENTRY_ALREADY_EXISTS, "exists already", "RFC 4511 4.9"),
    Row("the domain", rename(SUFFIX, "dc=other"), C.UNWILLING_TO_PERFORM, "the domain itself", "ours"),
    Row("below itself", rename(STAFF, "eTADSOrgUnitName=x", QUAYSIDE), C.UNWILLING_TO_PERFORM, "below itself", "RFC 4511 4.9"),
    Row("an endpoint to another namespace", rename(HPDEV01, "eTETCDirectoryName=x", COMMON), C.UNWILLING_TO_PERFORM, "an endpoint stays in its namespace", "ours"),
    Row("an account to another endpoint", rename(ADA_AD, "eTADSAccountName=x", UNIX), C.UNWILLING_TO_PERFORM, "what is of an endpoint stays there", "ours"),
    Row("a namespace elsewhere", rename(f"eTNamespaceName=OpenLDAP,{SUFFIX}", "eTNamespaceName=LND", COMMON), C.UNWILLING_TO_PERFORM, "a namespace stays where it is", "ours"),
    Row("a known namespace", rename(f"eTNamespaceName=RACF,{SUFFIX}", "eTNamespaceName=x"), C.UNWILLING_TO_PERFORM, "can be spelled anew only", "ours"),
    Row("the container of users", rename(GLOBAL_USERS, "eTGlobalUserContainerName=x"), C.UNWILLING_TO_PERFORM, "is found by its name", "ours"),
    Row("a user out of its container", rename(ADA, "eTGlobalUserName=x", ROLES), C.UNWILLING_TO_PERFORM, "global users are found by their names", "ours"),
    Row("what is in one container, to another", rename(MADE_ROLE, "eTRoleName=x", GLOBAL_USERS), C.UNWILLING_TO_PERFORM, "expected a name below", "ours", scene="signposted"),
    Row("a user by another type", rename(ADA, "eTFullName=Ada"), C.NAMING_VIOLATION, "expected a name by eTGlobalUserName", "ours"),
    Row("a type that is none", rename(QUAYSIDE, "nonesuch=x"), C.NAMING_VIOLATION, "no such attribute type", "RFC 4511 A.2"),
    Row("a name by a password", rename(QUAYSIDE, "eTPassword=x"), C.NAMING_VIOLATION, "cannot name an entry", "RFC 4511 A.2"),
    Row("a name whose value is no string", rename(QUAYSIDE, "eTADSOrgUnitName=#020101"), C.NAMING_VIOLATION, "whose values are strings", "RFC 4514 2.4"),
    Row("a name that is too long for those below", rename(STAFF, f"eTADSOrgUnitName={'x' * 65_400}"), C.NAMING_VIOLATION, "too long a name", "ours"),
    Row("a value that its type has not", rename(PHOTOGRAPHED, "c=Norway"), C.INVALID_ATTRIBUTE_SYNTAX, "expected", "RFC 4511 A.2", scene="signposted"),
    Row("the old value of a single-valued type stays", rename(ADA, "eTGlobalUserName=x", delete_old=False), C.CONSTRAINT_VIOLATION, "must go with the old name", "RFC 4511 4.9"),
    Row("a type that no class allows", rename(QUAYSIDE, "provMinLength=1"), C.OBJECT_CLASS_VIOLATION, "is not allowed by", "RFC 4511 A.2"),
    Row("without what a class requires", rename(QUAYSIDE, "description=x"), C.OBJECT_CLASS_VIOLATION, "requires", "RFC 4511 A.2"),
    Row("another server holds it", rename(BEYOND, "ou=x"), C.REFERRAL, "another server holds", "RFC 3296 5.2", scene="signposted"),
    Row("another server holds the place", rename(PHOTOGRAPHED, "cn=x", BEYOND), C.AFFECTS_MULTIPLE_DSAS, "another server holds", "RFC 3296 5.6.2", scene="signposted"),
    Row("too many entries", rename(STAFF, "eTADSOrgUnitName=x"), C.ADMIN_LIMIT_EXCEEDED, "entries to be changed at once", "ours", first=allow_few),
    Row("others keep changing it", rename(ADA_LDAP, "eTDYNAccountName=x"), C.BUSY, "others keep changing this entry", "RFC 4511 A.2", first=always_lose),
]  # fmt: skip

TABLES = {"add": ADDS, "modify": MODIFIES, "delete": DELETES, "rename": RENAMES}
