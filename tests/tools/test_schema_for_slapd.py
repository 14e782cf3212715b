"""The schema as OpenLDAP takes it. (That slapd does take it: tests/interop/test_syncrepl.py.)"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from provserver.directory.ldif import read_ldif
from provserver.directory.schema import Schema
from provserver.foundation import load_schema, shipped_schema_texts

TOOL = Path(__file__).parents[2] / "tools" / "schema_for_slapd.py"
KNOWN = """\
dn: cn=schema,cn=config
olcAttributeTypes: ( 2.5.4.0 NAME 'objectClass' EQUALITY objectIdentifierMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.38 )
olcObjectClasses: ( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )
"""
SITE = """\
objectidentifier siteRoot 1.2.3
attributetype ( siteRoot:1 NAME 'below' SUP above )
attributetype ( siteRoot:2 NAME 'above' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15
  NO-USER-MODIFICATION USAGE directoryOperation X-ORIGIN 'site' X-PROV-INDEX 'eq' )
objectclass ( siteRoot:3 NAME 'lower' SUP higher MAY below )
objectclass ( siteRoot:4 NAME 'higher' SUP top MAY above )
objectclass ( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )
"""


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("schema_for_slapd", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_only_what_is_not_known_is_written_each_after_what_it_rests_on(tool: ModuleType) -> None:
    made = tool.as_file(tool.converted([("site", SITE)], [("known", KNOWN)]))
    assert made.splitlines() == [
        "attributetype ( 1.2.3.2 NAME 'above' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 X-ORIGIN 'site' )",
        "attributetype ( 1.2.3.1 NAME 'below' SUP above )",
        "objectclass ( 1.2.3.4 NAME 'higher' SUP top MAY above )",
        "objectclass ( 1.2.3.3 NAME 'lower' SUP higher MAY below )",
    ]


def test_no_line_is_longer_than_slapd_reads(tool: ModuleType) -> None:
    made = tool.as_file(tool.converted(shipped_schema_texts(), []))
    assert max(map(len, made.splitlines())) < 1_000


def test_what_is_written_is_the_same_schema(tool: ModuleType) -> None:
    made = Schema.parse([("made", tool.as_file(tool.converted(shipped_schema_texts(), [])))])
    ours = load_schema()
    assert made.attribute_types.keys() == ours.attribute_types.keys()
    assert made.object_classes.keys() == ours.object_classes.keys()
    for key, one in ours.object_classes.items():
        assert (made.object_classes[key].must, made.object_classes[key].may) == (one.must, one.may)
    assert not any(type.operational for type in made.attribute_types.values())


def test_the_entry_for_cn_config_says_the_same(tool: ModuleType) -> None:
    definitions = tool.converted([("site", SITE)], [("known", KNOWN)])
    [entry] = read_ldif(tool.as_ldif(definitions).encode().splitlines(keepends=True))
    held: dict[str, list[str]] = {}
    for name, values in entry.attributes:
        held.setdefault(name, []).extend(value.decode() for value in values)
    assert held == {
        "objectClass": ["olcSchemaConfig"],
        "cn": ["provserver"],
        "olcAttributeTypes": [one.text() for one in definitions[:2]],
        "olcObjectClasses": [one.text() for one in definitions[2:]],
    }


def test_the_command_writes_the_site_s_schema_too(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known, site = tmp_path / "known.ldif", tmp_path / "site.schema"
    known.write_text(KNOWN)
    site.write_text(SITE.replace("objectclass ( 2.5.6.0 NAME 'top' ABSTRACT MUST objectClass )\n", ""))
    assert tool.main(["--known", str(known), str(site)]) == 0
    made = capsys.readouterr().out
    assert "NAME 'eTGlobalUser'" in made
    assert "NAME 'above'" in made
    assert "NAME 'objectClass'" not in made
    assert tool.main(["--known", str(known), "--ldif"]) == 0
    assert capsys.readouterr().out.startswith("dn: cn=provserver,cn=schema,cn=config\n")


def test_a_file_that_is_missing_or_wrong_is_named(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known, site = tmp_path / "known.ldif", tmp_path / "site.schema"
    assert tool.main(["--known", str(known)]) == 1
    assert "known.ldif" in capsys.readouterr().err
    known.write_text(KNOWN)
    site.write_text("attributetype ( 1.2.3 NAME 'x'\n")
    assert tool.main(["--known", str(known), str(site)]) == 1
    assert "site.schema:1" in capsys.readouterr().err
