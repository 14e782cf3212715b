"""Adding and changing entries: the result codes of RFC 4511, all or nothing, no value in a diagnostic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from small_schema import NAME, TEXT, person, small

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.directory.schema import Schema
from provserver.directory.tree import ADD, DELETE, INCREMENT, REPLACE, modified, new_entry
from provserver.ldap.messages import ChangeKind
from provserver.ldap.results import Refusal, ResultCode

PERSON = [("objectClass", [b"person"]), ("cn", [b"Jack"]), ("sn", [b"Doe"])]
Attributes = Sequence[tuple[str, Sequence[bytes]]]


def add(attributes: Attributes, dn: str = "cn=Jack,dc=im", schema: Schema | None = None) -> Entry:
    return new_entry(
        DN.parse(dn), attributes, schema or small(), EntryId("id-1"), "20260102030405Z", "cn=admin,dc=im"
    )


def change(entry: Entry, *changes: tuple[int, str, Sequence[bytes]]) -> Entry:
    return modified(entry, changes, small(), "20270102030405Z", "cn=other,dc=im")


def refused(attributes: Attributes, dn: str = "cn=Jack,dc=im") -> tuple[ResultCode, str]:
    with pytest.raises(Refusal) as caught:
        add(attributes, dn)
    return caught.value.code, caught.value.result.diagnostic


def change_refused(entry: Entry, *changes: tuple[int, str, Sequence[bytes]]) -> tuple[ResultCode, str]:
    before = dict(entry.attributes)
    with pytest.raises(Refusal) as caught:
        change(entry, *changes)
    assert dict(entry.attributes) == before
    return caught.value.code, caught.value.result.diagnostic


def test_kinds_have_the_numbers_of_the_wire() -> None:
    assert tuple(ChangeKind) == (ADD, DELETE, REPLACE, INCREMENT)


# ---------------------------------------------------------------- add


def test_an_added_entry_has_its_attributes_its_id_and_its_history() -> None:
    entry = add([*PERSON, ("DESCRIPTION", [b"one"]), ("commonName", [b"Jacky"]), ("sn;LANG-de", [b"Reh"])])
    assert entry.version == 0
    assert entry.id == "id-1"
    assert entry.texts("cn") == ("Jack", "Jacky")
    assert entry.attributes["description"] == Attribute("description", (b"one",))
    assert entry.attributes["sn;lang-de"] == Attribute("sn;lang-de", (b"Reh",))
    assert entry.text("etid") == "id-1"
    assert entry.attributes["etid"].description == "eTID"
    assert entry.text("structuralobjectclass") == "person"
    assert entry.text("createtimestamp") == entry.text("modifytimestamp") == "20260102030405Z"
    assert entry.text("creatorsname") == entry.text("modifiersname") == "cn=admin,dc=im"


def test_superclasses_are_added_and_classes_are_spelled_as_defined() -> None:
    entry = add([("objectClass", [b"EMPLOYEE", b"2.999.2.4"]), ("sn", [b"Doe"]), ("mail", [b"a@b"])])
    assert entry.texts("objectclass") == ("employee", "mailbox", "person", "top")


def test_values_of_the_name_are_added_where_they_are_missing() -> None:
    entry = add([("objectClass", [b"person"]), ("sn", [b"Doe"]), ("cn", [b"other"])])
    assert entry.texts("cn") == ("Jack", "other")
    entry = add([("objectClass", [b"person"])], "sn=Doe\\, Jr+cn=Jack,dc=im")
    assert entry.text("sn") == "Doe, Jr"
    assert entry.text("cn") == "Jack"
    assert add(PERSON, "CN=jack,dc=im").texts("cn") == ("Jack",)
    assert add([("objectClass", [b"domain"])], "dc=im").texts("dc") == ("im",)


@pytest.mark.parametrize(
    ("attributes", "dn", "code", "said"),
    [
        ([*PERSON, ("nosuch", [b"vv9"])], "cn=Jack,dc=im", ResultCode.UNDEFINED_ATTRIBUTE_TYPE, "nosuch"),
        (PERSON, "nosuch=x,dc=im", ResultCode.NAMING_VIOLATION, "nosuch: no such attribute type"),
        (
            [*PERSON, ("flags", [b"vv9"])],
            "cn=Jack,dc=im",
            ResultCode.INVALID_ATTRIBUTE_SYNTAX,
            "flags: expected an integer",
        ),
        ([*PERSON, ("manager", [b"vv9"])], "cn=Jack,dc=im", ResultCode.INVALID_ATTRIBUTE_SYNTAX, "manager"),
        (
            [*PERSON, ("description", [b""])],
            "cn=Jack,dc=im",
            ResultCode.INVALID_ATTRIBUTE_SYNTAX,
            "description",
        ),
        (
            [*PERSON, ("description", ["vv9\ue000".encode()])],
            "cn=Jack,dc=im",
            ResultCode.INVALID_ATTRIBUTE_SYNTAX,
            "description",
        ),
        (PERSON, "cn=,dc=im", ResultCode.INVALID_ATTRIBUTE_SYNTAX, "cn"),
        (
            [*PERSON, ("description", [b"vv9", b" VV9 "])],
            "cn=Jack,dc=im",
            ResultCode.ATTRIBUTE_OR_VALUE_EXISTS,
            "description",
        ),
        ([*PERSON, ("commonName", [b"JACK"])], "cn=Jack,dc=im", ResultCode.ATTRIBUTE_OR_VALUE_EXISTS, "cn"),
        (
            [*PERSON, ("uidNumber", [b"1", b"2"])],
            "cn=Jack,dc=im",
            ResultCode.CONSTRAINT_VIOLATION,
            "uidNumber: expected a single",
        ),
        (
            [*PERSON, ("flags", [b"1", b"vv9"])],
            "cn=Jack,dc=im",
            ResultCode.INVALID_ATTRIBUTE_SYNTAX,
            "flags, value 2: expected an integer",
        ),
        (
            [*PERSON, ("description", [b"a", b"vv9", b"VV9"])],
            "cn=Jack,dc=im",
            ResultCode.ATTRIBUTE_OR_VALUE_EXISTS,
            "description, value 3: the same as value 2",
        ),
        (
            [*PERSON, ("short", [b"vv999"])],
            "cn=Jack,dc=im",
            ResultCode.CONSTRAINT_VIOLATION,
            "short: expected at most 4 characters",
        ),
        (
            [*PERSON, ("entryUUID", [b"00000000-0000-0000-0000-000000000001"])],
            "cn=Jack,dc=im",
            ResultCode.CONSTRAINT_VIOLATION,
            "entryUUID: only the server",
        ),
        (
            [*PERSON, ("createTimestamp", [b"20260101000000Z"])],
            "cn=Jack,dc=im",
            ResultCode.CONSTRAINT_VIOLATION,
            "createTimestamp",
        ),
        ([*PERSON, ("eTID", [b"vv9"])], "cn=Jack,dc=im", ResultCode.CONSTRAINT_VIOLATION, "eTID"),
        ([*PERSON, ("description", [])], "cn=Jack,dc=im", ResultCode.PROTOCOL_ERROR, "description"),
        (
            [*PERSON, ("eTSyncPassword", [b"vv9"])],
            "cn=Jack,dc=im",
            ResultCode.UNWILLING_TO_PERFORM,
            "eTSyncPassword",
        ),
        ([("cn", [b"Jack"])], "cn=Jack,dc=im", ResultCode.OBJECT_CLASS_VIOLATION, "objectClass"),
        ([("objectClass", [b"nosuch"])], "cn=Jack,dc=im", ResultCode.OBJECT_CLASS_VIOLATION, "nosuch"),
        (
            [("objectClass", [b"mailbox"]), ("mail", [b"a"])],
            "cn=Jack,dc=im",
            ResultCode.OBJECT_CLASS_VIOLATION,
            "structural",
        ),
        ([("objectClass", [b"top"])], "cn=Jack,dc=im", ResultCode.OBJECT_CLASS_VIOLATION, "structural"),
        (PERSON, "mail=vv9,dc=im", ResultCode.OBJECT_CLASS_VIOLATION, "mail is not allowed"),
        (
            [("objectClass", [b"person", b"device"]), ("sn", [b"x"])],
            "cn=Jack,dc=im",
            ResultCode.OBJECT_CLASS_VIOLATION,
            "not both",
        ),
        (
            [("objectClass", [b"employee"])],
            "cn=Jack,dc=im",
            ResultCode.OBJECT_CLASS_VIOLATION,
            "class person requires sn",
        ),
        (
            [*PERSON, ("mail", [b"a@b"])],
            "cn=Jack,dc=im",
            ResultCode.OBJECT_CLASS_VIOLATION,
            "mail is not allowed",
        ),
        (
            [*PERSON, ("dc;lang-de", [b"a"])],
            "cn=Jack,dc=im",
            ResultCode.OBJECT_CLASS_VIOLATION,
            "dc;lang-de is not allowed",
        ),
        ([("objectClass", [b"domain"]), ("dc", [b"vv9"])], "dc=im", ResultCode.NAMING_VIOLATION, "dc"),
        (PERSON, "", ResultCode.NAMING_VIOLATION, "root"),
        (PERSON, "secretKey=vv9,dc=im", ResultCode.NAMING_VIOLATION, "secretKey"),
        (PERSON, "picture=vv9,dc=im", ResultCode.NAMING_VIOLATION, "picture"),
        (PERSON, "eTID=vv9,dc=im", ResultCode.NAMING_VIOLATION, "eTID"),
        (PERSON, "cn=#02010A,dc=im", ResultCode.NAMING_VIOLATION, "strings"),
    ],
)
def test_an_entry_against_the_rules_is_refused_with_the_code_of_the_rfc(
    attributes: Attributes, dn: str, code: ResultCode, said: str
) -> None:
    found, diagnostic = refused(attributes, dn)
    assert (found, said in diagnostic) == (code, True), diagnostic
    assert "vv9" not in diagnostic.lower()


def test_an_extensible_object_may_have_any_attribute() -> None:
    entry = add(
        [
            ("objectClass", [b"person", b"extensibleObject"]),
            ("sn", [b"x"]),
            ("mail", [b"a@b"]),
            ("dc", [b"x"]),
        ]
    )
    assert entry.text("mail") == "a@b"


def test_secret_values_are_stored_as_they_come() -> None:
    entry = add([*PERSON, ("secretKey", [b"same", b"same"])])
    assert entry.values("secretkey") == (b"same", b"same")


# ---------------------------------------------------------------- modify


def test_changes_are_made_in_their_order_and_leave_id_and_history() -> None:
    entry = replace(person(description=["a", "b"]), version=7)
    after = change(
        entry,
        (ADD, "description", [b"c"]),
        (DELETE, "DESCRIPTION", [b" A "]),
        (REPLACE, "telephoneNumber", [b"1"]),
        (DELETE, "telephoneNumber", []),
        (REPLACE, "sn", [b"Smith"]),
        (REPLACE, "mail", []),
    )
    assert after.texts("description") == ("b", "c")
    assert after.text("sn") == "Smith"
    assert "telephonenumber" not in after.attributes
    assert (after.id, after.dn, after.version) == (entry.id, entry.dn, 7)
    assert after.text("createtimestamp") == entry.text("createtimestamp")
    assert after.text("modifytimestamp") == "20270102030405Z"
    assert after.text("modifiersname") == "cn=other,dc=im"
    assert entry.texts("description") == ("a", "b")


def test_rules_about_the_whole_are_judged_after_the_last_change() -> None:
    entry = person(uidNumber="1")
    after = change(entry, (ADD, "uidNumber", [b"2"]), (DELETE, "uidNumber", [b"1"]))
    assert after.texts("uidnumber") == ("2",)
    after = change(entry, (DELETE, "cn", []), (ADD, "cn", [b"jack"]), (DELETE, "sn", []), (ADD, "sn", [b"x"]))
    assert after.text("cn") == "jack"


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ([(ADD, "description", [b"VV1"])], ResultCode.ATTRIBUTE_OR_VALUE_EXISTS, "description"),
        ([(ADD, "description", [b"x", b"X"])], ResultCode.ATTRIBUTE_OR_VALUE_EXISTS, "description"),
        ([(REPLACE, "description", [b"x", b"X"])], ResultCode.ATTRIBUTE_OR_VALUE_EXISTS, "description"),
        ([(ADD, "description", [])], ResultCode.PROTOCOL_ERROR, "description"),
        (
            [(ADD, "description", [b"x", b"VV1"])],
            ResultCode.ATTRIBUTE_OR_VALUE_EXISTS,
            "description, value 2: the entry has",
        ),
        (
            [(DELETE, "description", [b"vv1", b"vv9"])],
            ResultCode.NO_SUCH_ATTRIBUTE,
            "description, value 2: the entry does not have",
        ),
        ([(DELETE, "description", [b"vv1", b"VV1"])], ResultCode.ATTRIBUTE_OR_VALUE_EXISTS, "description"),
        ([(REPLACE, "short", [b"x", b"vv999"])], ResultCode.CONSTRAINT_VIOLATION, "short, value 2"),
        ([(REPLACE, "entryDN", [b"cn=vv9"])], ResultCode.CONSTRAINT_VIOLATION, "entryDN"),
        ([(ADD, "note", [b"vv9"]), (DELETE, "note", [b"vv9"])], ResultCode.INAPPROPRIATE_MATCHING, "note"),
        ([(DELETE, "description", [b"vv9"])], ResultCode.NO_SUCH_ATTRIBUTE, "description"),
        ([(DELETE, "ou", [])], ResultCode.NO_SUCH_ATTRIBUTE, "ou"),
        ([(DELETE, "ou", [b"vv9"])], ResultCode.NO_SUCH_ATTRIBUTE, "ou"),
        (
            [(DELETE, "description", []), (DELETE, "description", [])],
            ResultCode.NO_SUCH_ATTRIBUTE,
            "description",
        ),
        ([(DELETE, "nosuch", [])], ResultCode.UNDEFINED_ATTRIBUTE_TYPE, "nosuch"),
        ([(ADD, "flags", [b"vv9"])], ResultCode.INVALID_ATTRIBUTE_SYNTAX, "flags"),
        ([(DELETE, "uidNumber", [b"vv9"])], ResultCode.INVALID_ATTRIBUTE_SYNTAX, "uidNumber"),
        ([(DELETE, "picture", [b"vv9"])], ResultCode.INAPPROPRIATE_MATCHING, "picture"),
        ([(ADD, "uidNumber", [b"2"])], ResultCode.CONSTRAINT_VIOLATION, "uidNumber"),
        (
            [(REPLACE, "modifyTimestamp", [b"20260101000000Z"])],
            ResultCode.CONSTRAINT_VIOLATION,
            "modifyTimestamp",
        ),
        ([(DELETE, "eTID", [])], ResultCode.CONSTRAINT_VIOLATION, "eTID"),
        ([(REPLACE, "eTSyncPassword", [b"vv9"])], ResultCode.UNWILLING_TO_PERFORM, "eTSyncPassword"),
        ([(DELETE, "cn", [])], ResultCode.NOT_ALLOWED_ON_RDN, "cn"),
        ([(DELETE, "commonName", [b"JACK"])], ResultCode.NOT_ALLOWED_ON_RDN, "cn"),
        ([(REPLACE, "cn", [b"vv9"])], ResultCode.NOT_ALLOWED_ON_RDN, "cn"),
        ([(DELETE, "sn", [])], ResultCode.OBJECT_CLASS_VIOLATION, "person requires sn"),
        ([(ADD, "dc", [b"vv9"])], ResultCode.OBJECT_CLASS_VIOLATION, "dc is not allowed"),
        ([(DELETE, "objectClass", [])], ResultCode.OBJECT_CLASS_VIOLATION, "objectClass"),
        ([(REPLACE, "objectClass", [b"device"])], ResultCode.OBJECT_CLASS_MODS_PROHIBITED, "employee"),
        ([(REPLACE, "objectClass", [b"person"])], ResultCode.OBJECT_CLASS_MODS_PROHIBITED, "employee"),
        ([(ADD, "objectClass", [b"device"])], ResultCode.OBJECT_CLASS_VIOLATION, "not both"),
        ([(ADD, "objectClass", [b"nosuch"])], ResultCode.OBJECT_CLASS_VIOLATION, "nosuch"),
        ([(INCREMENT, "description", [b"1"])], ResultCode.CONSTRAINT_VIOLATION, "description"),
        ([(INCREMENT, "flags", [b"1"])], ResultCode.NO_SUCH_ATTRIBUTE, "flags"),
        ([(INCREMENT, "flags;x-a", [b"1"])], ResultCode.NO_SUCH_ATTRIBUTE, "flags"),
        ([(INCREMENT, "uidNumber", [b"1.5"])], ResultCode.INVALID_ATTRIBUTE_SYNTAX, "uidNumber"),
        ([(INCREMENT, "secretKey", [b"1"])], ResultCode.CONSTRAINT_VIOLATION, "secretKey"),
        ([(INCREMENT, "numSubordinates", [b"1"])], ResultCode.CONSTRAINT_VIOLATION, "numSubordinates"),
        (
            [(REPLACE, "uidNumber", [b"9" * 4_000]), (INCREMENT, "uidNumber", [b"1"])],
            ResultCode.INVALID_ATTRIBUTE_SYNTAX,
            "uidNumber",
        ),
        ([(INCREMENT, "uidNumber", [b"1", b"2"])], ResultCode.PROTOCOL_ERROR, "uidNumber"),
        ([(INCREMENT, "uidNumber", [])], ResultCode.PROTOCOL_ERROR, "uidNumber"),
        ([(INCREMENT, "uidNumber", [b"vv9"])], ResultCode.INVALID_ATTRIBUTE_SYNTAX, "uidNumber"),
        ([(7, "description", [b"x"])], ResultCode.PROTOCOL_ERROR, "description"),
    ],
)
def test_a_change_against_the_rules_is_refused_and_nothing_has_changed(
    changes: list[tuple[int, str, Sequence[bytes]]], code: ResultCode, said: str
) -> None:
    entry = person(description=["vv1"], uidNumber="1", picture=b"p")
    found, diagnostic = change_refused(entry, (REPLACE, "telephoneNumber", [b"1"]), *changes)
    assert (found, said in diagnostic) == (code, True), diagnostic
    assert "vv" not in diagnostic.lower()


def test_no_answer_says_whether_a_secret_value_was_right() -> None:
    entry = person(secretKey="hunter2")
    right = change_refused(entry, (DELETE, "secretKey", [b"hunter2"]))
    assert right == change_refused(entry, (DELETE, "secretKey", [b"wrong"]))
    assert right[0] is ResultCode.INAPPROPRIATE_MATCHING
    assert change(entry, (ADD, "secretKey", [b"hunter2"])).values("secretkey") == (b"hunter2", b"hunter2")
    assert change(entry, (ADD, "secretKey", [b"wrong"])).values("secretkey") == (b"hunter2", b"wrong")
    assert "secretkey" not in change(entry, (DELETE, "secretKey", [])).attributes


def test_an_auxiliary_class_comes_and_goes_with_its_attributes() -> None:
    entry = add(PERSON)
    assert (
        change_refused(entry, (ADD, "objectClass", [b"mailbox"]))[1] == "object class mailbox requires mail"
    )
    with_mail = change(entry, (ADD, "objectClass", [b"MAILBOX"]), (ADD, "mail", [b"a@b"]))
    assert with_mail.texts("objectclass") == ("person", "top", "mailbox")
    code, said = change_refused(with_mail, (DELETE, "objectClass", [b"mailbox"]))
    assert (code, said) == (
        ResultCode.OBJECT_CLASS_VIOLATION,
        "mail is not allowed by the object classes of the entry",
    )
    without = change(with_mail, (DELETE, "objectClass", [b"2.999.2.4"]), (DELETE, "mail", []))
    assert without.texts("objectclass") == ("person", "top")


def test_a_superclass_that_is_taken_away_comes_back() -> None:
    assert change(add(PERSON), (DELETE, "objectClass", [b"top"])).texts("objectclass") == ("person", "top")


def test_increment_counts_up_and_down_every_value() -> None:
    entry = person(flags=["9", "-1"])
    assert change(entry, (INCREMENT, "flags", [b"2"])).texts("flags") == ("11", "1")
    assert change(entry, (INCREMENT, "flags", [b"-10"])).texts("flags") == ("-1", "-11")
    assert change(entry, (INCREMENT, "flags", [b"0"])).texts("flags") == ("9", "-1")
    large = person(flags="9" * 30)
    assert change(large, (INCREMENT, "flags", [b"1"])).text("flags") == "1" + "0" * 30


def test_an_increment_sees_what_the_changes_before_it_left() -> None:
    after = change(
        person(),
        (ADD, "flags", [b"1"]),
        (INCREMENT, "flags", [b"2"]),
        (DELETE, "flags", [b"3"]),
        (ADD, "flags", [b"7"]),
    )
    assert after.texts("flags") == ("7",)


def test_an_increment_may_not_take_the_entry_s_name_away() -> None:
    entry = add([("objectClass", [b"person"]), ("cn", [b"x"]), ("sn", [b"y"])], "uidNumber=5,dc=im")
    assert change_refused(entry, (INCREMENT, "uidNumber", [b"1"]))[0] is ResultCode.NOT_ALLOWED_ON_RDN


def test_a_change_elsewhere_is_not_held_up_by_what_older_schemas_allowed() -> None:
    entry = person()
    held = {
        **entry.attributes,
        "gone": Attribute("gone", (b"x",)),
        "uidnumber": Attribute("uidNumber", (b"x", b"y")),
    }
    old = replace(entry, attributes=held)
    assert change(old, (REPLACE, "sn", [b"New"])).text("sn") == "New"
    assert change(old, (ADD, "objectClass", [b"extensibleObject"])).values("gone") == (b"x",)


def test_a_value_that_was_stored_before_its_syntax_changed_can_still_be_deleted_whole() -> None:
    entry = replace(person(), attributes={**person().attributes, "flags": Attribute("flags", (b"odd",))})
    assert "flags" not in change(entry, (DELETE, "flags", [])).attributes
    assert change(entry, (ADD, "flags", [b"1"])).values("flags") == (b"odd", b"1")


def test_names_are_values_compared_by_what_they_mean() -> None:
    entry = person(manager="CN=Boss,DC=im")
    assert (
        change_refused(entry, (ADD, "manager", [b"cn=boss, dc=im"]))[0]
        is ResultCode.ATTRIBUTE_OR_VALUE_EXISTS
    )
    assert "manager" not in change(entry, (DELETE, "manager", [b"cn=boss,dc=IM"])).attributes


def test_operational_attributes_that_users_may_write_need_no_class() -> None:
    text = (
        "attributetype ( 2.999.8.1 NAME 'seeAlsoToo' EQUALITY distinguishedNameMatch "
        f"SYNTAX {NAME} USAGE directoryOperation )"
    )
    schema = Schema.parse([("small", TEXT), ("site", text)])
    assert add([*PERSON, ("seeAlsoToo", [b"dc=im"])], schema=schema).text("seealsotoo") == "dc=im"
