"""Which attributes an answer has: lists, classes, options, subtypes; what is computed for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import pytest_twisted
from harbour import COMMON, HPDEV01, SUFFIX, UNIX, administrator, id_of

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.directory.names import DN
from provserver.directory.tree import new_entry
from provserver.foundation import load_schema
from provserver.imps.views import View
from provserver.ldap.filters import Scope
from provserver.operations.selection import Selection
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import WireClient, add

ID = "597ae2f6-16a6-1027-98f4-d28b5365dc14"
SCHEMA = load_schema()
ADA = new_entry(
    DN.parse("cn=Ada,dc=im"),
    [
        ("objectClass", [b"inetOrgPerson"]),
        ("sn", [b"Okafor"]),
        ("cn;lang-de", [b"Adele"]),
        ("cn;lang-de;x-short", [b"A."]),
        ("cn;lang-fr", [b"Adelle"]),
        ("givenName", [b"Ada"]),
        ("description", [b"pilot"]),
        ("userPassword", [b"hush"]),
    ],
    SCHEMA,
    EntryId(ID),
    "20260102030405Z",
    "cn=admin,dc=im",
)
PLAIN = replace(ADA, attributes={key: one for key, one in ADA.attributes.items() if ";" not in key})
USER = ["objectClass", "cn", "sn", "givenName", "description"]
OPTIONED = ["cn;lang-de", "cn;lang-de;x-short", "cn;lang-fr"]
STORED = [
    "eTID",
    "structuralObjectClass",
    "createTimestamp",
    "creatorsName",
    "modifyTimestamp",
    "modifiersName",
]
COMPUTED = ["entryDN", "entryUUID", "subschemaSubentry"]


def selected(*requested: str, entry: Entry = ADA) -> list[str]:
    """The descriptions, sorted; each must come once."""
    found = [attribute.description for attribute in Selection(requested, SCHEMA).of(entry, View.SERVER)]
    assert len(set(found)) == len(found)
    return sorted(found)


@pytest.mark.parametrize(
    ("requested", "expected"),
    [
        ((), [*USER, *OPTIONED]),
        (("*",), [*USER, *OPTIONED]),
        (("+",), [*STORED, *COMPUTED]),
        (("*", "+"), [*USER, *OPTIONED, *STORED, *COMPUTED]),
        (("1.1",), []),
        (("1.1", "1.1"), []),
        (("1.1", "sn"), ["sn"]),
        (("1.1", "*"), [*USER, *OPTIONED]),
        (("sn",), ["sn"]),
        (("SN", "surname", "2.5.4.4", "sn"), ["sn"]),
        (("sn", "noSuchAttribute", "sn;no-such-option", "@noSuchClass", ""), ["sn"]),
        (("noSuchAttribute",), []),
        (("name",), ["cn", "sn", "givenName", *OPTIONED]),
        (("cn",), ["cn", *OPTIONED]),
        (("cn;lang-de",), ["cn;lang-de", "cn;lang-de;x-short"]),
        (("CN;X-SHORT;LANG-DE",), ["cn;lang-de;x-short"]),
        (("cn;x-short",), ["cn;lang-de;x-short"]),
        (("name;lang-fr",), ["cn;lang-fr"]),
        (("cn;lang-it",), []),
        (("cn", "cn;lang-de"), ["cn", *OPTIONED]),
        (("*", "createTimestamp"), [*USER, *OPTIONED, "createTimestamp"]),
        (("+", "sn"), [*STORED, *COMPUTED, "sn"]),
        (("*", "cn"), [*USER, *OPTIONED]),
        (("entryUUID",), ["entryUUID"]),
        (("1.3.6.1.1.20", "entryDN"), ["entryDN"]),
        (("@person",), ["objectClass", "cn", "sn", "description", *OPTIONED]),
        (("@2.5.6.6",), ["objectClass", "cn", "sn", "description", *OPTIONED]),
        (("@INETORGPERSON",), [*USER, *OPTIONED]),
        (("@top",), ["objectClass"]),
        (("@person", "givenName"), [*USER, *OPTIONED]),
        (("@top;x-a",), []),
        (("@extensibleObject",), [*USER, *OPTIONED]),
        (("@country",), ["objectClass", "description"]),
        (("userPassword", "2.5.4.35", "userPassword;x-a"), []),
    ],
)  # fmt: skip
def test_a_list_selects_what_the_rfcs_say(requested: tuple[str, ...], expected: list[str]) -> None:
    assert selected(*requested) == sorted(expected)
    plain = [description for description in expected if ";" not in description]
    assert selected(*requested, entry=PLAIN) == sorted(plain)


def test_the_values_are_those_of_the_entry() -> None:
    found = Selection(("cn;lang-de", "sn"), SCHEMA).of(ADA, View.SERVER)
    assert {one.description: one.values for one in found} == {
        "sn": (b"Okafor",),
        "cn;lang-de": (b"Adele",),
        "cn;lang-de;x-short": (b"A.",),
    }


@pytest.mark.parametrize("view", View)
def test_computed_values_are_made_for_the_view_that_was_asked(view: View) -> None:
    found = {one.description: one.values for one in Selection(("+",), SCHEMA).of(ADA, view)}
    assert found["entryDN"] == (f"cn=Ada,dc=im{view.value}".encode(),)
    assert found["entryUUID"] == (ID.encode(),)
    assert found["subschemaSubentry"] == (b"cn=Subschema",)
    assert found["creatorsName"] == (b"cn=admin,dc=im",)


def test_an_entry_without_its_history_or_with_another_id_is_answered_all_the_same() -> None:
    bare = Entry(EntryId("not a UUID"), DN.parse("cn=x,dc=im"), {"cn": Attribute("cn", (b"x",))})
    assert selected("*", "+", entry=bare) == ["cn", "entryDN", "subschemaSubentry"]
    assert selected("entryUUID", "creatorsName", entry=bare) == []


def test_what_an_entry_stores_is_not_computed_again() -> None:
    made = Entry(
        EntryId(""), DN.parse(""), {"subschemasubentry": Attribute("subschemaSubentry", (b"cn=elsewhere",))}
    )
    found = Selection(("+",), SCHEMA).of(made, View.BARE)
    assert [one.values for one in found if one.description == "subschemaSubentry"] == [(b"cn=elsewhere",)]


def test_an_attribute_whose_type_the_schema_no_longer_knows_is_kept_back() -> None:
    old = replace(ADA, attributes={**ADA.attributes, "gone": Attribute("gone", (b"x",))})
    assert "gone" not in selected("*", "+", "gone", entry=old)


def test_lists_that_differ_only_in_what_is_unknown_select_the_same_for_many_kinds_of_entries() -> None:
    """More descriptions than a selection remembers."""
    selection = Selection(("*",), SCHEMA)
    for number in range(3_000):
        key = f"cn;x-{number}"
        entry = replace(ADA, attributes={key: Attribute(key, (b"x",)), "eTID": ADA.attributes["etid"]})
        assert [one.description for one in selection.of(entry, View.BARE)] == [key]


# ---------------------------------------------------------------- on the wire


async def asked(client: WireClient, dn: str, *attributes: str) -> dict[str, list[str]]:
    told = await client.search(dn, "(objectClass=*)", *attributes, scope=Scope.BASE)
    assert told.code == 0
    return {one.description: [value.decode() for value in one.values] for one in told.entries[0].attributes}


@pytest_twisted.ensureDeferred
async def test_the_uuid_is_the_id_and_finds_the_entry(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    ada = user_dn("aokafor")
    found = await asked(admin, ada, "entryUUID", "eTID")
    entry_id = await id_of(provserver, ada)
    assert found == {"entryUUID": [entry_id], "eTID": [entry_id]}
    for text in (f"(entryUUID={entry_id})", f"(1.3.6.1.1.16.4={entry_id.upper()})"):
        assert (await admin.search(SUFFIX, text, "1.1")).names == [ada]
    assert (await admin.search(SUFFIX, f"(&(entryUUID={entry_id})(objectClass=eTRole))", "1.1")).names == []
    assert (await admin.search(ada, "(!(entryUUID=none))", "1.1", scope=Scope.BASE)).names == []


@pytest.mark.parametrize("tail", [",dc=eta", ",dc=etadb", ""])
@pytest_twisted.ensureDeferred
async def test_the_name_finds_the_entry_under_every_view(provserver: RunningServer, tail: str) -> None:
    admin = await administrator(provserver)
    base = f"eTNamespaceName=CommonObjects,dc=im{tail}"
    ada = f"eTGlobalUserName=aokafor,eTGlobalUserContainerName=Global Users,{base}"
    told = await admin.search(base, f"(entryDN={ada})", "entryDN")
    assert told.names == [ada]
    assert told.values("entryDN") == [ada]
    assert (await admin.search(base, f"(!(entryDN={ada}))", "1.1", scope=Scope.BASE)).names == [base]


@pytest_twisted.ensureDeferred
async def test_an_entry_tells_whether_and_how_many_entries_are_below_it(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    assert await asked(admin, HPDEV01, "hasSubordinates") == {"hasSubordinates": ["TRUE"]}
    assert await asked(admin, UNIX, "numSubordinates") == {"numSubordinates": ["4"]}
    leaf = await asked(admin, user_dn("aokafor"), "hasSubordinates", "numSubordinates", "eTTitle")
    assert leaf == {"hasSubordinates": ["FALSE"], "numSubordinates": ["0"], "eTTitle": ["Berth planner"]}
    for dn, there in ((UNIX, "TRUE"), (user_dn("aokafor"), "FALSE")):
        everything = await asked(admin, dn, "+")
        assert everything["hasSubordinates"] == [there]
        assert everything["numSubordinates"] == ["4" if there == "TRUE" else "0"]
    assert "hasSubordinates" not in await asked(admin, UNIX, "*")


@pytest_twisted.ensureDeferred
async def test_the_number_of_entries_below_follows_every_change(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    fresh = f"eTETCAccountName=fresh,{UNIX}"
    assert await asked(admin, UNIX, "numSubordinates") == {"numSubordinates": ["4"]}
    assert (
        await admin.add(fresh, {"objectClass": ["eTETCAccount"], "eTETCAccountName": ["fresh"]})
    ).code == 0
    assert await asked(admin, UNIX, "numSubordinates") == {"numSubordinates": ["5"]}
    assert (await admin.delete(fresh)).code == 0
    assert await asked(admin, UNIX, "numSubordinates") == {"numSubordinates": ["4"]}


@pytest_twisted.ensureDeferred
async def test_types_only_leaves_the_values_of_computed_attributes_out(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    told = await admin.search(
        UNIX, "(objectClass=*)", "numSubordinates", "entryDN", scope=Scope.BASE, types_only=True
    )
    found = {one.description: one.values for one in told.entries[0].attributes}
    assert found == {"numSubordinates": (), "entryDN": ()}


@pytest_twisted.ensureDeferred
async def test_entries_are_found_by_their_structural_class(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    told = await admin.search(COMMON, "(structuralObjectClass=eTGlobalUser)", "structuralObjectClass")
    assert user_dn("aokafor") in told.names
    assert set(told.values("structuralObjectClass")) == {"eTGlobalUser"}


@pytest_twisted.ensureDeferred
async def test_a_value_in_another_language_comes_with_its_attribute(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    ada = user_dn("aokafor")
    assert (await admin.modify(ada, add("eTDescription;lang-de", "Liegeplatzplanerin"))).code == 0
    assert (await asked(admin, ada, "eTDescription"))["eTDescription;lang-de"] == ["Liegeplatzplanerin"]
    assert await asked(admin, ada, "eTDescription;lang-de") == {
        "eTDescription;lang-de": ["Liegeplatzplanerin"]
    }
    assert (await admin.search(COMMON, "(eTDescription;lang-de=LIEGE*)", "1.1")).names == [ada]


@pytest_twisted.ensureDeferred
async def test_a_class_selects_what_it_allows_and_never_a_secret(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    whole = await asked(admin, user_dn("aokafor"), "*")
    found = await asked(admin, user_dn("aokafor"), "@eTGlobalUser")
    assert whole.items() <= found.items()
    assert "eTFullName" in whole
    assert found.keys() - whole.keys() == {"provPasswordChanged", "provPasswordChangeId"}  # operational ones
    assert "provpasswordhash" in SCHEMA.object_class("eTGlobalUser").may


@pytest_twisted.ensureDeferred
async def test_the_subschema_tells_where_rules_can_be_used(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    found = await asked(admin, "cn=Subschema", "matchingRuleUse", "matchingRules", "ldapSyntaxes")
    assert set(found) == {"matchingRuleUse", "matchingRules", "ldapSyntaxes"}
    assert any("'integerBitAndMatch' APPLIES (" in text for text in found["matchingRuleUse"])
    told = await admin.search("cn=Subschema", "(attributeTypes=commonName)", "1.1", scope=Scope.BASE)
    assert told.names == ["cn=Subschema"]
