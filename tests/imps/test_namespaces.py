"""The table of namespaces: rows that agree with the schema, and what other rooms ask of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provserver.imps.namespaces import (
    ACCOUNT_CLASSES,
    COMMON_OBJECTS,
    DYNAMIC,
    ENDPOINT_CLASSES,
    NAMESPACES,
    Kind,
    Namespace,
    display_name,
    namespace,
)

SCHEMA = "\n".join(
    path.read_text() for path in sorted((Path(__file__).resolve().parents[2] / "schema").glob("*.schema"))
)


def definition(keyword: str, name: str) -> str:
    for block in SCHEMA.split("\n\n"):
        if re.search(rf"^{keyword} \( \S+ NAME '{name}'", block, re.M):
            return block
    pytest.fail(f"no {keyword} {name}")


def id_of(row: Namespace) -> str:
    return row.name


@pytest.mark.parametrize("row", NAMESPACES, ids=id_of)
def test_a_row_names_classes_and_types_that_the_schema_has(row: Namespace) -> None:
    for kind in (row.endpoint, row.account, *row.containers):
        assert f"MUST {kind.rdn_type}\n" in definition("objectclass", kind.object_class)
        definition("attributetype", kind.rdn_type)
    definition("attributetype", row.logon)
    assert row.containers


@pytest.mark.parametrize("row", NAMESPACES, ids=id_of)
def test_a_row_gives_endpoints_and_accounts_what_all_kinds_have(row: Namespace) -> None:
    assert "SUP provEndpoint STRUCTURAL" in definition("objectclass", row.endpoint.object_class)
    assert "SUP provAccount STRUCTURAL" in definition("objectclass", row.account.object_class)
    for kind in row.containers:
        assert "SUP provAccountContainer STRUCTURAL" in definition("objectclass", kind.object_class)


def test_every_account_class_of_the_schema_has_a_row() -> None:
    found = set(re.findall(r"objectclass \( \S+ NAME '(\w+)'\n  DESC [^\n]*\n  SUP provAccount ", SCHEMA))
    assert found == set(ACCOUNT_CLASSES.values())


def test_a_namespace_is_found_whatever_the_case() -> None:
    assert namespace("unix - ETC").account == Kind("eTETCAccount", "eTETCAccountName")
    assert display_name("activedirectory") == "Active Directory"


def test_a_namespace_without_a_row_is_dynamic_and_shows_its_own_name() -> None:
    row = namespace("IFS2")
    assert (row.name, row.display_name) == ("IFS2", "IFS2")
    assert row.account == DYNAMIC.account
    assert display_name("IFS2") == "IFS2"


def test_classes_are_found_by_their_lower_case_octets() -> None:
    assert ACCOUNT_CLASSES[b"etadsaccount"] == "eTADSAccount"
    assert ENDPOINT_CLASSES[b"etacfdirectory"] == "eTACFDirectory"
    assert not ACCOUNT_CLASSES.keys() & ENDPOINT_CLASSES.keys()


def test_no_name_is_used_twice() -> None:
    names = [row.name.lower() for row in NAMESPACES]
    assert len(set(names)) == len(names)
    assert COMMON_OBJECTS.lower() not in names
    assert len(ACCOUNT_CLASSES) == len(ENDPOINT_CLASSES) == len(NAMESPACES)


def test_the_documented_acf2_name_can_be_built_from_its_row() -> None:
    # The LDS's USERDNS template (CA docs 387557).
    row = namespace("CA-ACF2")
    (container,) = row.containers
    template = (
        f"{row.account.rdn_type}=%L,{container.rdn_type}=Accounts,{row.endpoint.rdn_type}=www,"
        f"eTNamespaceName={row.name}"
    )
    assert template == (
        "eTACFLidName=%L,eTACFLidContainerName=Accounts,eTACFDirectoryName=www,eTNamespaceName=CA-ACF2"
    )
