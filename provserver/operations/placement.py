"""Where an entry may go, and what it may be called there: renames that would break the tree's meaning are
refused.

An account belongs to the endpoint above it, an endpoint to the namespace above that, and the server finds
users, profiles and parameters by their names. Source: design "The tree"; the rules are ours
(docs/decisions/0008).
"""

from __future__ import annotations

from functools import lru_cache

from provserver.directory.access import Role
from provserver.directory.entries import Entry
from provserver.directory.names import DN, RDN
from provserver.imps.inclusions import account_class_of, inclusions_container
from provserver.imps.namespaces import ACCOUNT_CLASSES, NAMESPACES, namespace
from provserver.imps.parameters import AGENT_RESPONSE_THRESHOLD
from provserver.imps.profiles import profile_dn
from provserver.imps.users import global_user_dn, global_users, is_global_user
from provserver.ldap.results import Refusal, ResultCode
from provserver.passwords.profile import profile_dn as password_profile_dn


def demand_place(entry: Entry, new: DN, domain: DN) -> None:
    """Refusal UNWILLING_TO_PERFORM: this entry cannot have that name; NAMING_VIOLATION: it has to be named by
    the type that it is named by. A new spelling of the old name is always possible.
    """
    old = entry.dn
    levels = domain.depth + 2
    common = global_users(domain).ancestor(domain.depth + 1)
    if old == new or not _in_a_namespace(old, common):
        return
    if old.depth < levels:
        _demand_namespace(old, new, common)
    elif old.is_within(common):
        _demand_common(entry, new, levels, domain)
    elif old.depth == levels and new.parent != old.parent:
        raise _unwilling(f"an endpoint stays in its namespace: expected a name just below '{old.parent}'")
    elif old.depth > levels and not new.is_within(old.ancestor(levels)):
        raise _unwilling(
            f"what is of an endpoint stays there: expected a name below '{old.ancestor(levels)}'"
        )
    if old.depth <= levels or is_global_user(entry) or account_class_of(entry):
        _demand_types(old.rdns[0], new.rdns[0])


def _in_a_namespace(dn: DN, common: DN) -> bool:
    """Whether the name is a namespace's or below one: only there a place has a meaning. `common` is one."""
    return dn.depth >= common.depth and _type(dn.ancestor(common.depth)) == _type(common)


def _type(dn: DN) -> str:
    return dn.rdns[0].pairs[0][0].lower()


def _demand_namespace(old: DN, new: DN, common: DN) -> None:
    """Namespaces in the table, and that of the common objects, are what they are called."""
    if new.parent != old.parent:
        raise _unwilling(f"a namespace stays where it is: expected a name just below '{old.parent}'")
    if common in (old, new) or any(namespace(dn.rdns[0].pairs[0][1]) in NAMESPACES for dn in (old, new)):
        raise _unwilling("the name of a namespace says what its endpoints are: it can be spelled anew only")


def _demand_common(entry: Entry, new: DN, levels: int, domain: DN) -> None:
    old = entry.dn
    if old.depth == levels or old.ancestor(levels) in _fixed(domain):
        raise _unwilling(f"'{old}' is found by its name: it can be spelled anew only")
    if is_global_user(entry) and new.parent != old.parent:
        raise _unwilling(f"global users are found by their names: expected a name just below '{old.parent}'")
    if not new.is_within(old.ancestor(levels)):
        raise _unwilling(f"expected a name below '{old.ancestor(levels)}'")


@lru_cache(16)
def _fixed(domain: DN) -> frozenset[DN]:
    """The containers of the common objects whose entries the server finds by their names."""
    known = [
        AGENT_RESPONSE_THRESHOLD.dn(domain),
        inclusions_container(domain, next(iter(ACCOUNT_CLASSES.values()))),
        password_profile_dn(domain),
        profile_dn(Role.DOMAIN_ADMINISTRATOR, global_user_dn("any", domain)),
    ]
    return frozenset(dn.ancestor(domain.depth + 2) for dn in known if dn is not None)


def _demand_types(old: RDN, new: RDN) -> None:
    """The server reads who somebody is from such a name."""
    if {type.lower() for type, _ in old.pairs} != {type.lower() for type, _ in new.pairs}:
        types = " and ".join([type for type, _ in old.pairs])
        raise Refusal(ResultCode.NAMING_VIOLATION, f"expected a name by {types}, as the old one")


def _unwilling(why: str) -> Refusal:
    return Refusal(ResultCode.UNWILLING_TO_PERFORM, why)
