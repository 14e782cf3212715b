"""The schema and the LDIF that ship, read here by a reader of its own: an oracle for the real ones.

One file, although long: the reader, what it read, and the comparison with the real readers belong together.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from provserver.directory.entries import Entry, EntryId
from provserver.directory.ldif import LdifRecord, read_ldif
from provserver.directory.names import DN
from provserver.directory.schema import Schema
from provserver.directory.tree import modified, new_entry
from provserver.imps.namespaces import NAMESPACES, namespace

ROOT = Path(__file__).resolve().parents[2]
COMMON = "eTNamespaceName=CommonObjects,dc=im"
GLOBAL_USERS = f"eTGlobalUserContainerName=Global Users,{COMMON}"

# As the documents write them (seeds/000_0c77f06d0736ac89.txt, that is KB 36131).
SEED_PARAMETERS = {
    "eTConfigParamName=Create Users Default Attributes,eTConfigParamFolderName=Explore and Correlate,"
    "eTConfigParamContainerName=Parameters,eTConfigContainerName=Configuration,"
    "eTNamespaceName=CommonObjects,dc=im,dc=etadb": [],
    "eTConfigParamName=Agent Response Threshold,eTConfigParamFolderName=Password Synchronization,"
    "eTConfigParamContainerName=Parameters,eTConfigContainerName=Configuration,"
    "eTNamespaceName=CommonObjects,dc=im,dc=etadb": ["600"],
    "eTConfigParamName=Update Only Global User,eTConfigParamFolderName=Password Synchronization,"
    "eTConfigParamContainerName=Parameters,eTConfigContainerName=Configuration,"
    "eTNamespaceName=CommonObjects,dc=im,dc=etadb": ["No"],
    "eTConfigParamName=Use External Password Policies,eTConfigParamFolderName=Identity Manager Server,"
    "eTConfigParamContainerName=Parameters,eTConfigContainerName=Configuration,"
    "eTNamespaceName=CommonObjects,dc=im,dc=etadb": ["Yes"],
}
SEED_PROFILE = (
    "eTPasswordProfileName=Password Profile,eTPasswordProfileContainerName=Password Profile,"
    "eTNamespaceName=CommonObjects,dc=im,dc=etadb"
)


@dataclass(frozen=True)
class Definition:
    """An attribute type or an object class, as text."""

    kind: str
    oid: str
    text: str

    @property
    def names(self) -> list[str]:
        found = re.search(r" NAME (?:'([^']+)'|\(([^)]*)\))", self.text)
        assert found is not None, self.text
        return [found[1]] if found[1] else re.findall(r"'([^']+)'", found[2])

    def words(self, keyword: str) -> list[str]:
        found = re.search(rf" {keyword} (\([^)]*\)|\S+)", self.text)
        return re.findall(r"[^\s()$]+", found[1]) if found else []

    def extension(self, keyword: str) -> str | None:
        found = re.search(rf" {keyword} '([^']*)'", self.text)
        return found[1] if found else None


@cache
def definitions() -> tuple[Definition, ...]:
    found = []
    for path in sorted((ROOT / "schema").glob("*.schema")):
        macros: dict[str, str] = {}
        text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#"))
        for line in re.sub(r"\n[ \t]+", " ", text).splitlines():
            if not line.strip():
                continue
            kind, _, rest = line.partition(" ")
            if kind == "objectidentifier":
                name, oid = rest.split()
                macros[name] = oid
                continue
            assert kind in ("attributetype", "objectclass"), f"{path.name}: {line}"
            macro, colon, tail = rest.split()[1].partition(":")
            found.append(Definition(kind, f"{macros[macro]}.{tail}" if colon else macro, line))
    return tuple(found)


def by_name(kind: str) -> dict[str, Definition]:
    return {name.lower(): each for each in definitions() if each.kind == kind for name in each.names}


@cache
def classes() -> dict[str, Definition]:
    return by_name("objectclass")


@cache
def types() -> dict[str, Definition]:
    return by_name("attributetype")


@dataclass(frozen=True)
class Record:
    dn: str
    changetype: str
    pairs: tuple[tuple[str, str], ...]

    def get(self, name: str) -> list[str]:
        return [value for key, value in self.pairs if key.lower() == name.lower()]

    def one(self, name: str) -> str:
        (value,) = self.get(name)
        return value

    @property
    def object_class(self) -> str:
        return self.one("objectClass")


@cache
def records(name: str) -> tuple[Record, ...]:
    found = []
    for block in re.split(r"\n{2,}", (ROOT / "ldif" / name).read_text(encoding="ascii")):
        lines = [line for line in block.replace("\n ", "").splitlines() if line and not line.startswith("#")]
        pairs = []
        for line in lines:
            key, _, value = line.partition(":")
            text = base64.b64decode(value[1:]).decode() if value.startswith(":") else value.strip()
            pairs.append((key, text))
        if not pairs or pairs[0][0] == "version":
            continue
        assert pairs[0][0] == "dn", block
        change = pairs[1][1] if pairs[1][0] == "changetype" else "add"
        found.append(Record(pairs[0][1], change, tuple(pairs[2 if change != "add" else 1 :])))
    return tuple(found)


def added(name: str) -> list[Record]:
    return [record for record in records(name) if record.changetype == "add"]


def rdns(dn: str) -> list[str]:
    return re.split(r"(?<!\\),", dn)


def superclasses(name: str) -> list[str]:
    chain = [name.lower()]
    while chain[-1] != "top":
        (parent,) = classes()[chain[-1]].words("SUP")
        chain.append(parent.lower())
    return chain


def inside(dn: str) -> str:
    """A name of the repository's view as it is inside."""
    return dn.removesuffix(",dc=etadb")


# ------------------------------------------------------------------------------------------ schema


def test_every_oid_and_every_name_is_defined_once() -> None:
    oids = [each.oid for each in definitions()]
    assert len(oids) == len(set(oids))
    names = [name.lower() for each in definitions() if each.kind == "attributetype" for name in each.names]
    assert len(names) == len(set(names))
    names = [name.lower() for each in definitions() if each.kind == "objectclass" for name in each.names]
    assert len(names) == len(set(names))


def test_what_a_class_names_is_defined() -> None:
    for each in classes().values():
        for parent in each.words("SUP"):
            assert parent.lower() in classes(), each.text
        for name in each.words("MUST") + each.words("MAY"):
            assert name.lower() in types(), f"{each.names}: {name}"


def test_what_a_type_derives_from_is_defined() -> None:
    for each in types().values():
        for parent in each.words("SUP"):
            assert parent.lower() in types(), each.text


def test_every_definition_says_where_it_comes_from() -> None:
    for each in definitions():
        assert each.extension("X-ORIGIN"), each.text


def test_a_comment_marks_exactly_what_is_not_confirmed() -> None:
    for path in sorted((ROOT / "schema").glob("*.schema")):
        for block in path.read_text().split("\n\n"):
            if re.search(r"^(attributetype|objectclass) ", block, re.M) is None:
                continue
            mark = re.search(r"^# \[([KG])\]", block, re.M)
            origin = re.search(r"X-ORIGIN 'not confirmed \(\[([KG])\]", block)
            assert (mark and mark[1]) == (origin and origin[1]), block


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("eTTestPassword", "test"),
        ("eTSyncPassword", "sync"),
        ("eTPassword", "password"),
        ("eTSyncAccounts", "sync-accounts"),
    ],
)
def test_triggers_are_declared_by_the_schema(name: str, word: str) -> None:
    assert types()[name.lower()].extension("X-PROV-TRIGGER") == word


@pytest.mark.parametrize(
    "name",
    [
        "eTPassword",
        "eTTestPassword",
        "eTSyncPassword",
        "eTIMPasswordData",
        "userPassword",
        "provSecret",
        "provPasswordHash",
        "provPasswordHistory",
    ],
)
def test_every_type_that_can_hold_a_password_is_secret_and_not_indexed(name: str) -> None:
    definition = types()[name.lower()]
    assert definition.extension("X-PROV-SECRET") == "TRUE"
    assert definition.extension("X-PROV-INDEX") is None


def test_only_reviewed_types_have_password_in_their_name_and_are_shown() -> None:
    shown = {
        each.names[0]
        for each in types().values()
        if "passw" in each.names[0].lower() and each.extension("X-PROV-SECRET") is None
    }
    assert shown == {
        "eTPropagatePassword",
        "eTPasswordExpirationDate",
        "eTPasswordProfileName",
        "eTPasswordProfileContainerName",
        "provDisablePasswordPropagation",
        "provPasswordSyncAgentInstalled",
        "provPasswordChanged",
        "provPasswordChangeId",
        "provMustChangePassword",
    }


def test_what_agents_and_associations_are_found_by_is_indexed() -> None:
    names = "objectClass eTID eTPID eTCID eTGlobalUserName eTAccountName eTDirectoryName eTUserid eTFullName"
    names += (
        " eTEmailAddress eTRoleDN eTSuperiorClassEntry eTSubordinateClassEntry provGlobalUser uid cn mail"
    )
    names += " eTADSsAMAccountName eTADSuserPrincipalName"
    for name in (
        names.split() + [row.logon for row in NAMESPACES] + [row.account.rdn_type for row in NAMESPACES]
    ):
        assert types()[name.lower()].extension("X-PROV-INDEX") == "eq", name


def test_all_99_custom_fields_are_there() -> None:
    allowed = classes()["etglobaluser"].words("MAY")
    for number in range(1, 100):
        assert f"etcustomfield{number:02d}" in types()
        assert f"eTCustomField{number:02d}" in allowed


# ------------------------------------------------------------------------------------------ base tree


@pytest.mark.parametrize("name", ["base.ldif", "demo.ldif"])
def test_every_entry_keeps_to_its_class(name: str) -> None:
    for record in added(name):
        chain = superclasses(record.object_class)
        assert " STRUCTURAL" in classes()[chain[0]].text, record.dn
        must = {name.lower() for each in chain for name in classes()[each].words("MUST")}
        may = {name.lower() for each in chain for name in classes()[each].words("MAY")}
        used = {key.lower() for key, _ in record.pairs}
        if record.dn == "dc=im":
            used.add("dc")  # the server adds it: it differs with the domain
        assert must <= used, f"{record.dn}: {must - used} missing"
        assert used <= must | may, f"{record.dn}: {used - must - may} not allowed"
        for key in used:
            if "SINGLE-VALUE" in types()[key].text and record.dn != "dc=im":
                assert len(record.get(key)) == 1, f"{record.dn}: {key}"


@pytest.mark.parametrize("name", ["base.ldif", "demo.ldif"])
def test_every_entry_holds_its_own_name(name: str) -> None:
    for record in added(name):
        if record.dn == "dc=im":
            continue
        kind, _, value = rdns(record.dn)[0].partition("=")
        assert value.replace("\\", "") in record.get(kind), record.dn


def test_parents_come_before_children_and_no_name_comes_twice() -> None:
    known = {""}
    for record in added("base.ldif") + added("demo.ldif"):
        assert record.dn not in known
        assert ",".join(rdns(record.dn)[1:]) in known, record.dn
        known.add(record.dn)


def test_every_name_valued_attribute_names_an_entry_and_ends_in_the_domain() -> None:
    entries = {record.dn for record in added("base.ldif") + added("demo.ldif")}
    for record in added("base.ldif") + added("demo.ldif"):
        for key, value in record.pairs:
            if "SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 " in types()[key.lower()].text + " ":
                assert value in entries, f"{record.dn}: {key}"
                assert value.endswith(",dc=im")


@pytest.mark.parametrize("documented", sorted(SEED_PARAMETERS))
def test_a_documented_parameter_is_where_the_document_says_with_its_default(documented: str) -> None:
    (record,) = [each for each in records("base.ldif") if each.dn == inside(documented)]
    assert record.get("eTConfigParamValue") == SEED_PARAMETERS[documented]


def test_the_other_parameters_are_there() -> None:
    found = {
        record.one("eTConfigParamName"): record.get("eTConfigParamValue")
        for record in records("base.ldif")
        if record.object_class == "eTConfigParam" and record.dn not in map(inside, SEED_PARAMETERS)
    }
    assert found == {
        "Enforce Synchronized Account Passwords": ["No"],
        "Check Account Passwords": ["-ALL"],
        "Automatic Correlation": ["No"],
        "Level": ["3"],
        "Propagation Wait": [],
        "Synchronization Managers": [],
        "Change After Reset": ["Yes"],
    }, "without a value the setting passwords.propagation_wait is in force, and nobody is listed"


def test_the_password_profile_is_where_the_document_says_and_disabled() -> None:
    (record,) = [each for each in records("base.ldif") if each.dn == inside(SEED_PROFILE)]
    assert record.one("provProfileEnabled") == "FALSE"
    assert record.one("provMinLength") == "8"
    assert record.one("provHistoryCount") == "5"


def test_the_base_tree_has_the_documented_names() -> None:
    found = {record.dn for record in records("base.ldif")}
    profiles = f"eTAdminProfileContainerName=Admin Profiles,{COMMON}"
    assert {
        "dc=im",
        COMMON,
        GLOBAL_USERS,
        f"eTGlobalUserName=[default user],{GLOBAL_USERS}",
        f"eTRoleContainerName=Roles,{COMMON}",
        f"eTADSPolicyContainerName=Active Directory Policies,{COMMON}",
        "eTDYNPolicyContainerName=DYN Policies,eTNamespaceName=UNIX v2,dc=im",
        f"eTAdminProfileName=DomainAdministrator,{profiles}",
        f"eTAdminProfileName=PasswordAdministrator,{profiles}",
        f"eTDSAContainerName=DSAs,{COMMON}",
    } <= found


def test_the_base_tree_knows_no_administrator_and_no_password() -> None:
    for record in records("base.ldif"):
        assert not record.get("eTUserAdminProfile")
        assert not record.get("eTPassword")
        assert not record.get("userPassword")


def test_every_namespace_of_the_table_has_its_entry_and_every_account_class_its_inclusions() -> None:
    found = {record.dn for record in records("base.ldif")}
    for row in NAMESPACES:
        assert f"eTNamespaceName={row.name},dc=im" in found
        inclusions = f"eTSuperiorClass=eTGlobalUser,eTInclusionContainerName=Inclusions,{COMMON}"
        assert f"eTSubordinateClass={row.account.object_class},{inclusions}" in found


# ------------------------------------------------------------------------------------------ demo domain


def of_class(*names: str) -> list[Record]:
    return [record for record in added("demo.ldif") if record.object_class in names]


def people() -> list[Record]:
    return [record for record in of_class("eTGlobalUser") if not record.get("provAgentScope")]


def agents() -> list[Record]:
    return [record for record in of_class("eTGlobalUser") if record.get("provAgentScope")]


def endpoints() -> list[Record]:
    return of_class(*(row.endpoint.object_class for row in NAMESPACES))


def accounts() -> list[Record]:
    return of_class(*(row.account.object_class for row in NAMESPACES))


def test_the_demo_has_six_people_four_endpoints_and_fourteen_accounts() -> None:
    assert (len(people()), len(endpoints()), len(accounts())) == (6, 4, 14)
    assert len({rdns(endpoint.dn)[1] for endpoint in endpoints()}) == 4


def test_one_person_may_not_be_changed_by_agents_and_one_is_suspended() -> None:
    assert [each.one("eTUserid") for each in people() if not each.get("eTPropagatePassword")] == ["fgreco"]
    assert [each.one("eTUserid") for each in people() if each.get("eTSuspended") == ["1"]] == ["eyilmaz"]


def test_every_account_but_one_belongs_to_a_person() -> None:
    owned = [owner for account in accounts() for owner in account.get("provGlobalUser")]
    assert len(owned) == 13
    assert set(owned) == {person.dn for person in people()}


def test_every_endpoint_has_an_agent_that_may_act_on_it_alone() -> None:
    assert sorted(agent.one("provAgentScope") for agent in agents()) == sorted(
        each.dn for each in endpoints()
    )
    for agent in agents():
        assert agent.one("eTUserAdminProfile").startswith("eTAdminProfileName=PasswordAdministrator,")


def test_one_endpoint_has_propagation_disabled_and_all_are_emulated_and_secure() -> None:
    disabled = [each for each in endpoints() if each.one("provDisablePasswordPropagation") == "TRUE"]
    assert [rdns(each.dn)[0] for each in disabled] == ["eTACFDirectoryName=MVSPROD"]
    for endpoint in endpoints():
        assert endpoint.one("provConnector") == "emulated"
        assert endpoint.one("provRequireSecureConnection") == "TRUE"


def test_accounts_containers_and_endpoints_have_the_classes_of_their_namespace() -> None:
    for account in accounts():
        names = rdns(account.dn)
        row = namespace(names[-2].partition("=")[2])
        assert account.object_class == row.account.object_class
        assert names[0].startswith(f"{row.account.rdn_type}=")
        assert names[-3].startswith(f"{row.endpoint.rdn_type}=")
        assert account.get(row.logon)
        for container in names[1:-3]:
            assert container.partition("=")[0] in {kind.rdn_type for kind in row.containers}


def test_one_active_directory_account_has_a_comma_in_its_name() -> None:
    assert sum(account.dn.startswith(r"eTADSAccountName=Okafor\, Ada,") for account in accounts()) == 1


def test_active_directory_accounts_live_below_organisational_units_and_a_container() -> None:
    above = {rdns(account.dn)[1].partition("=")[0] for account in of_class("eTADSAccount")}
    assert above == {"eTADSOrgUnitName", "eTADSContainerName"}
    assert max(len(rdns(account.dn)) for account in of_class("eTADSAccount")) == 6


def test_the_demo_puts_the_profile_in_force() -> None:
    (change,) = [each for each in records("demo.ldif") if each.changetype == "modify"]
    assert change.dn == inside(SEED_PROFILE)
    wanted = {"provProfileEnabled": "TRUE", "provMinLength": "10", "provMinDigits": "1", "provMinUpper": "1"}
    wanted |= {"provMinLower": "1", "provHistoryCount": "5"}
    assert {key: change.one(key) for key in wanted} == wanted
    assert sorted(change.get("replace")) == sorted(wanted)


def test_every_demo_password_keeps_to_the_profile_and_is_used_once() -> None:
    passwords = [user.one("eTPassword") for user in people() + agents()]
    assert len(set(passwords)) == len(passwords) == 10
    for password in passwords:
        assert len(password) >= 10
        assert re.search(r"[0-9]", password)
        assert re.search(r"[A-Z]", password)
        assert re.search(r"[a-z]", password)


# ------------------------------------------------------------------------------------------ the real readers

STAMP = "20240101000000Z"
ADMIN = f"eTGlobalUserName=etaadmin,{GLOBAL_USERS}"
TRIGGERS_OF_A_LOAD = {"etpassword"}
"""Attributes that the loader takes out and acts on before it makes an entry."""


@cache
def schema() -> Schema:
    return Schema.parse((path.name, path.read_text()) for path in sorted((ROOT / "schema").glob("*.schema")))


def read(name: str) -> list[LdifRecord]:
    return list(read_ldif((ROOT / "ldif" / name).read_bytes().splitlines(keepends=True)))


def made(record: LdifRecord, number: int) -> Entry:
    attributes = [
        (description, values)
        for description, values in record.attributes
        if schema().key(description) not in TRIGGERS_OF_A_LOAD
    ]
    entry_id = EntryId(f"00000000-0000-4000-8000-{number:012d}")
    return new_entry(DN.parse(record.dn), attributes, schema(), entry_id, STAMP, ADMIN)


def test_the_schema_that_ships_is_the_schema_that_is_written() -> None:
    real = schema()
    wanted = {each.names[0].lower() for each in definitions() if each.kind == "attributetype"}
    assert set(real.attribute_types) == wanted
    oids = {each.oid for each in real.attribute_types.values()}
    oids |= {each.oid for each in real.object_classes.values()}
    assert oids == {each.oid for each in definitions()}
    for name, definition in types().items():
        type_ = real.attribute(name)
        assert type_.trigger == definition.extension("X-PROV-TRIGGER")
        assert type_.secret == (definition.extension("X-PROV-SECRET") == "TRUE")
        assert type_.indexed == (definition.extension("X-PROV-INDEX") == "eq")


def test_the_loader_and_this_reader_see_the_same_records() -> None:
    for name in ("base.ldif", "demo.ldif"):
        seen = [record.dn for record in records(name)]
        assert [record.dn for record in read(name)] == seen
        for record, mine in zip(read(name), records(name), strict=True):
            pairs = [(key, value.decode()) for key, values in record.attributes for value in values]
            if mine.changetype == "add":
                assert sorted(pairs) == sorted(mine.pairs)


@pytest.mark.parametrize("name", ["base.ldif", "demo.ldif"])
def test_every_entry_is_accepted_by_the_directory(name: str) -> None:
    for number, record in enumerate(read(name)):
        if record.changes:
            continue
        entry = made(record, number)
        assert entry.dn.is_within(DN.parse("dc=im"))


@pytest.mark.parametrize("domain", ["dc=chicago", "dc=chicago,dc=usa"])
def test_the_base_tree_fits_another_domain_when_only_its_names_are_rewritten(domain: str) -> None:
    for number, record in enumerate(read("base.ldif")):
        moved = replace(record, dn=record.dn.removesuffix("dc=im") + domain)
        assert made(moved, number).dn.is_within(DN.parse(domain))


def test_the_demo_changes_the_profile_of_the_base_tree() -> None:
    profile = DN.parse(inside(SEED_PROFILE))
    (record,) = [each for each in read("base.ldif") if DN.parse(each.dn) == profile]
    (change,) = [each for each in read("demo.ldif") if each.changes]
    assert DN.parse(change.dn) == profile
    after = modified(made(record, 1), change.changes, schema(), STAMP, ADMIN)
    assert after.text("provprofileenabled") == "TRUE"
    assert after.text("provminlength") == "10"
    assert after.text("provmaxlength") == "0"


def test_the_documented_name_with_a_comma_is_one_rdn() -> None:
    (record,) = [each for each in read("demo.ldif") if r"Okafor\," in each.dn]
    dn = DN.parse(record.dn)
    assert dn.rdns[0].pairs == (("eTADSAccountName", "Okafor, Ada"),)
    assert dn.is_within(DN.parse("eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory,dc=im"))
