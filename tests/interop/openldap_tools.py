"""OpenLDAP's command-line clients, and what they print."""

from __future__ import annotations

import base64

from plugins.served_instance import Ran
from quay import EAST, Quay


def ldif_text(found: Ran) -> list[tuple[str, dict[str, list[bytes]]]]:
    """The entries of an answer: names, and values by attribute."""
    assert found.returncode == 0, found.stderr
    entries = []
    for block in found.stdout.strip().split("\n\n"):
        pairs = []
        for line in block.splitlines():
            if line.startswith("#") or not line:
                continue
            description, _, value = line.partition(":")
            coded = value.startswith(":")
            pairs.append(
                (description, base64.b64decode(value[2:]) if coded else value.removeprefix(" ").encode())
            )
        if pairs and pairs[0][0] == "dn":
            values: dict[str, list[bytes]] = {}
            for description, octets in pairs[1:]:
                values.setdefault(description, []).append(octets)
            entries.append((pairs[0][1].decode(), values))
    return entries


def names(found: Ran) -> list[str]:
    return [dn for dn, _ in ldif_text(found)]


def search(quay: Quay, base: str, *arguments: str, who: str = "", password: str = "") -> Ran:
    words = ("-LLL", "-o", "ldif-wrap=no", "-b", base, *arguments)
    return quay.served.client("ldapsearch", *words, who=who, password=password)


def read(quay: Quay, dn: str, *attributes: str) -> dict[str, list[bytes]]:
    [(_, values)] = ldif_text(search(quay, dn, "-s", "base", "(objectClass=*)", *attributes))
    return values


def modify(quay: Quay, ldif: str, *arguments: str) -> Ran:
    return quay.served.client("ldapmodify", *arguments, stdin=ldif)


def add_person(quay: Quay, name: str, base: str = EAST) -> str:
    dn = f"cn={name},{base}"
    added = quay.served.client("ldapadd", stdin=f"dn: {dn}\nobjectClass: inetOrgPerson\nsn: {name}\n")
    assert added.returncode == 0, added.stderr
    return dn
