"""Who plays: accounts of the endpoint, each of another global user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from provserver.agents.line import Line
from provserver.agents.post import Post
from provserver.agents.rehearsal.reading import any_of, below
from provserver.directory.names import DN
from provserver.ldap.filters import And, Equality, Filter

_ID: Final = "eTID"
_OF_USER: Final = "eTPID"
_OF_ACCOUNT: Final = "eTCID"
_COMMON: Final = "eTNamespaceName=CommonObjects"
_INCLUSIONS: Final = "eTInclusionContainerName=Inclusions"
_USERS: Final = "eTGlobalUserContainerName=Global Users"


class NoCast(Exception):
    """Nobody can play so; a sentence."""


@dataclass(frozen=True, slots=True)
class Part:
    """An account. `user`: the name of its global user; "" where nobody has said."""

    account: str
    id: str
    user: str = ""


def suffix_of(post: Post) -> DN:
    """The domain of an endpoint, as the agent names it. NoCast."""
    name = DN.parse(post.endpoint_dn)
    while (above := name.parent) is not None:
        if name.rdns[0].pairs[0][0].lower() == "etnamespacename":
            return above
        name = above
    raise NoCast(f"{post.endpoint_dn} is not below a namespace: nobody can say which domain it belongs to")


def listed(file: Path) -> list[str]:
    """The accounts of a file, one a line; empty lines and those that begin with # are not meant. NoCast."""
    try:
        lines = [line.strip() for line in file.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise NoCast(f"{file} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    names = list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    if not names:
        raise NoCast(f"{file}: expected the names of accounts, one a line, and there is none")
    return names


def named(line: Line, post: Post, names: Sequence[str], patience: float) -> list[Part]:
    """The accounts of these names, in this order. NoCast: some are not there; NoAnswer."""
    known: dict[str, Part] = {}
    for question in any_of(post.logon_attribute, names):
        for part in searched(line, post, post.endpoint_dn, question, patience):
            known[part.account.lower()] = part
    missing = [name for name in names if name.lower() not in known]
    if missing:
        first = ", ".join(missing[:5])
        raise NoCast(f"{len(missing)} of {len(names)} accounts are not below {post.endpoint_dn}: {first}")
    return [known[name.lower()] for name in names]


def searched(line: Line, post: Post, base: str, wanted: Filter | None, patience: float) -> list[Part]:
    """The accounts below a base that match. NoAnswer."""
    accounts: Filter = Equality("objectClass", post.account_class.encode())
    question = accounts if wanted is None else And((accounts, wanted))
    found = below(line, base, question, (post.logon_attribute, _ID), patience)
    parts = [Part(entry.first(post.logon_attribute), entry.first(_ID)) for entry in found]
    return [part for part in parts if part.account]


def with_owners(line: Line, suffix: DN, parts: Sequence[Part], patience: float) -> list[Part]:
    """The same, each with its global user; of a user with several accounts only the first, as two of them
    cannot change at the same time. NotRead: not for this identity; NoAnswer.
    """
    owners: dict[str, str] = {}
    inclusions = f"{_INCLUSIONS},{_COMMON},{suffix.text}"
    for question in any_of(_OF_ACCOUNT, [part.id for part in parts if part.id]):
        for entry in below(line, inclusions, question, (_OF_USER, _OF_ACCOUNT), patience):
            owners[entry.first(_OF_ACCOUNT)] = entry.first(_OF_USER)
    users: dict[str, str] = {}
    for question in any_of(_ID, list(dict.fromkeys(owners.values()))):
        for entry in below(line, f"{_USERS},{_COMMON},{suffix.text}", question, (_ID,), patience):
            users[entry.first(_ID)] = entry.dn
    chosen: dict[str, Part] = {}
    for part in parts:
        user = users.get(owners.get(part.id, ""), "")
        chosen.setdefault(user or part.id or part.account, replace(part, user=user))
    return list(chosen.values())
