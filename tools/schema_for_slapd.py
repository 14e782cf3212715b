"""This server's schema in a form that OpenLDAP's slapd takes, for a replica: docs/let-a-replica-follow.md.

    slapcat -n 0 -b cn=schema,cn=config > known.ldif               (at the replica: what it has)
    schema_for_slapd.py --known known.ldif [SITE.schema ...] > provserver.schema

Written is only what the replica does not have, each definition after those that it rests on, and with numbers
in the place of OID macros. Operational attribute types become ordinary ones, because slapd takes none from a
file, and our own extensions (X-PROV-) are left out. `--ldif` writes an entry for cn=config, to be added with
ldapadd, in the place of a file for slapd.conf.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from provserver.directory.definitions import ATTRIBUTE_TYPES, OBJECT_CLASSES, Definition, SchemaError
from provserver.directory.ldif import write_entry
from provserver.directory.schematext import Macros, read_definitions
from provserver.foundation import shipped_schema_texts

KEYWORDS = {ATTRIBUTE_TYPES: "attributetype", OBJECT_CLASSES: "objectclass"}
LDIF_ATTRIBUTES = {ATTRIBUTE_TYPES: "olcAttributeTypes", OBJECT_CLASSES: "olcObjectClasses"}
OPERATIONAL = ("USAGE", "NO-USER-MODIFICATION")


def converted(texts: Iterable[tuple[str, str]], known: Iterable[tuple[str, str]]) -> list[Definition]:
    """The definitions of some files, each with its name for errors, that are not in the known ones.

    SchemaError names file and line.
    """
    there = {(one.kind, one.oid) for one in _read(known)}
    wanted = {(one.kind, one.oid): _plain(one) for one in _read(texts) if (one.kind, one.oid) not in there}
    return [one for kind in KEYWORDS for one in _in_order([d for d in wanted.values() if d.kind == kind])]


def as_file(definitions: Sequence[Definition]) -> str:
    """A file for slapd.conf's `include`: slapd misreads lines of more than some two thousand characters."""
    return "".join([f"{KEYWORDS[one.kind]} {one.text()}\n".replace(" $ ", "\n  $ ") for one in definitions])


def as_ldif(definitions: Sequence[Definition]) -> str:
    """An entry for cn=config."""
    attributes = [("objectClass", [b"olcSchemaConfig"]), ("cn", [b"provserver"])]
    for kind, name in LDIF_ATTRIBUTES.items():
        values = [one.text().encode() for one in definitions if one.kind == kind]
        attributes += [(name, values)] if values else []
    return write_entry("cn=provserver,cn=schema,cn=config", attributes).decode()


def _read(texts: Iterable[tuple[str, str]]) -> Iterator[Definition]:
    macros = Macros()
    for source, text in texts:
        for definition in read_definitions(source, text, macros):
            if definition.kind in KEYWORDS:
                yield definition


def _plain(definition: Definition) -> Definition:
    clauses = {
        keyword: words
        for keyword, words in definition.clauses.items()
        if keyword not in OPERATIONAL and not keyword.startswith("X-PROV-")
    }
    return replace(definition, clauses=clauses)


def _in_order(definitions: Sequence[Definition]) -> list[Definition]:
    """Each after those that it is derived from."""
    named = {name.lower(): one for one in definitions for name in (one.oid, *one.names)}
    ordered: dict[str, Definition] = {}

    def place(one: Definition) -> None:
        if one.oid in ordered:
            return
        for superior in one.many("SUP"):
            if superior.lower() in named:
                place(named[superior.lower()])
        ordered[one.oid] = one

    for one in definitions:
        place(one)
    return list(ordered.values())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="This server's schema in a form that slapd takes.")
    parser.add_argument(
        "--known", type=Path, required=True, metavar="FILE", help="the schema that slapd has: LDIF of slapcat"
    )
    parser.add_argument("--ldif", action="store_true", help="write an entry for cn=config")
    parser.add_argument("site", nargs="*", type=Path, metavar="SITE.schema", help="the site's schema")
    options = parser.parse_args(arguments)
    try:
        site = [(str(path), path.read_text("utf-8")) for path in options.site]
        known = [(str(options.known), options.known.read_text("utf-8"))]
        definitions = converted([*shipped_schema_texts(), *site], known)
    except (OSError, UnicodeDecodeError, SchemaError) as error:
        print(f"schema_for_slapd: {error}", file=sys.stderr)
        return 1
    sys.stdout.write(as_ldif(definitions) if options.ldif else as_file(definitions))
    return 0


if __name__ == "__main__":
    sys.exit(main())
