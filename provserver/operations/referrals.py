"""Referrals: parts of the tree that another server holds (RFC 3296).

An operation on such an entry, or on a name below it, is answered with where to ask instead; a search that
meets one passes on where to go on. Unless ManageDsaIT is asked for: then they are entries like others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, unquote

from provserver.directory.access import Identity, may_read
from provserver.directory.entries import Entry
from provserver.directory.names import DN, InvalidName
from provserver.imps.views import View, Views
from provserver.ldap.controls import ManageDsaIT
from provserver.ldap.filters import Scope
from provserver.ldap.messages import ModifyDNRequest
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.asked import Asked
from provserver.operations.context import House
from provserver.operations.signposts import REFERRAL, is_a
from provserver.records import record

REF_KEY: Final = "ref"

_URL: Final = re.compile(r"(ldap[si]?://[^/?]*)(?:/([^?]*)(?:\?(.*))?)?", re.IGNORECASE | re.DOTALL)
_SCOPES: Final = {Scope.BASE: "base", Scope.ONE_LEVEL: "one", Scope.SUBTREE: "sub"}
_PLAIN: Final = "=,+;@:!$&'()*/"
"""What may stand in the DN of a URL unescaped (RFC 4516 2.1, RFC 3986 3.3)."""


async def first_sign(dn: DN, house: House, kinds: Iterable[bytes] = (REFERRAL,)) -> Entry | None:
    """The topmost entry of one of these kinds that has this name, or a name above it."""
    for depth in range(house.rooms.views.domain.depth, dn.depth + 1):
        entry = await house.rooms.store.read(dn.ancestor(depth))
        if entry is not None and any(is_a(entry, kind) for kind in kinds):
            return entry
    return None


async def referral_above(dn: DN, house: House) -> Entry | None:
    """The referral that has this name or is above it; costs nothing while the tree has none."""
    seen = house.signposts.seen or await house.signposts.look()
    return await first_sign(dn, house) if seen.referrals else None


async def demand_held_here(operation: object, identity: Identity, asked: Asked, house: House) -> None:
    """Refusal REFERRAL: another server holds the target of a compare or an update (RFC 3296 5.2);
    AFFECTS_MULTIPLE_DSAS: or the name that it shall have (5.6.2). Who may not see the referral is told by
    the operation itself what he may not.
    """
    seen = house.signposts.seen or await house.signposts.look()
    if not seen.referrals or asked.get(ManageDsaIT) is not None:
        return
    dn, view = house.rooms.views.resolve(str(getattr(operation, "dn", "")))
    found = await first_sign(dn, house)
    if found is not None and may_read(identity, found.dn):
        raise referred(found, dn, view)
    if isinstance(operation, ModifyDNRequest):
        found = await first_sign(_renamed(operation, dn, house), house)
        if found is not None and may_read(identity, found.dn):
            raise Refusal(ResultCode.AFFECTS_MULTIPLE_DSAS, f"another server holds '{found.dn}'")


def _renamed(operation: ModifyDNRequest, dn: DN, house: House) -> DN:
    """The name that an entry shall have; its old one, if that is no name."""
    superior = dn.parent or dn
    if operation.new_superior is not None:
        superior, _ = house.rooms.views.resolve(operation.new_superior)
    try:
        return DN(DN.parse(operation.new_rdn).rdns + superior.rdns)
    except InvalidName:
        return dn


def referred(found: Entry, target: DN, view: View, scope: Scope | None = None) -> Refusal:
    """That another server holds the target, and which; with the scope of a search (RFC 3296 5.2, 5.3)."""
    uris = []
    for text in _uris(found):
        url = _Url.parse(text)
        if url is not None:
            dn = _relocated(target, found.dn, url.dn) or Views.render(target, view)
            # Attributes, scope and filter of the URL would be another search's; extensions stay.
            asked = "" if scope is None else _SCOPES[scope]
            text = str(_Url(url.server, dn, ("", asked, "", url.rest[3])))
        uris.append(text)
    if not uris:  # a ref of blanks; a referral without a URI cannot be said
        return Refusal(ResultCode.UNAVAILABLE, f"the entry '{found.dn}' does not say which server holds it")
    return Refusal(ResultCode.REFERRAL, f"another server holds '{found.dn}'", referrals=tuple(uris))


def continuation(found: Entry, view: View, scope: Scope) -> tuple[str, ...]:
    """Where a search goes on that met this referral in its scope (RFC 3296 5.4)."""
    beyond = _SCOPES[Scope.SUBTREE if scope is Scope.SUBTREE else Scope.BASE]
    uris = []
    for text in _uris(found):
        url = _Url.parse(text)
        if url is not None:
            attributes, _, filter, extensions = url.rest
            dn = url.dn or Views.render(found.dn, view)
            text = str(_Url(url.server, dn, (attributes, beyond, filter, extensions)))
        uris.append(text)
    return tuple(uris)


def _uris(found: Entry) -> list[str]:
    """The URIs, without the labels that may follow them (RFC 3296 2.2)."""
    return [text.split(maxsplit=1)[0] for text in found.texts(REF_KEY) if text.strip()]


def _relocated(target: DN, found: DN, name: str) -> str:
    """The target's name at the other server, which calls the referral by `name`; empty: there is no name."""
    try:
        return target.relocate(found, DN.parse(name)).text if name else ""
    except InvalidName:
        return ""


@record
class _Url:
    """An LDAP URL (RFC 4516): `ldap://host:port`, the DN, and attributes, scope, filter, extensions."""

    server: str
    dn: str
    rest: tuple[str, str, str, str]

    @classmethod
    def parse(cls, text: str) -> _Url | None:
        """None: it is another kind of URI."""
        found = _URL.fullmatch(text)
        if found is None:
            return None
        given = (found[3] or "").split("?", 3)
        attributes, scope, filter, extensions = given + [""] * (4 - len(given))
        return cls(found[1], unquote(found[2] or ""), (attributes, scope, filter, extensions))

    def __str__(self) -> str:
        return f"{self.server}/{quote(self.dn, _PLAIN)}?{'?'.join(self.rest)}".rstrip("?")
