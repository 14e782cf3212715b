"""Where names end: a base DN with or without its suffix, DN-valued attributes, the name of who binds.

Clients work below `dc=<domain>,dc=eta`; DN-valued attributes end in `dc=<domain>`. Source: facts/imps.md 1.1.
"""

from __future__ import annotations

from typing import Final

from provserver.directory.names import DN, RDN, InvalidName
from provserver.etautil.vocabulary import Vocabulary

_USERS: Final = "eTGlobalUserContainerName=Global Users,eTNamespaceName=CommonObjects"
_INCLUSIONS: Final = "eTInclusionContainerName=Inclusions,eTNamespaceName=CommonObjects"
_VIEWS: Final = ("dc=eta", "dc=etadb", "dc=lds")
"""What a whole name ends in; the first is the server's own view."""
_VIEW_KEYS: Final = tuple(DN.parse(view).key for view in _VIEWS)


class Domain:
    """A provisioning domain as clients see it."""

    def __init__(self, text: str) -> None:
        """`im`, `chicago.usa`, or a DN of dc= (with or without its `dc=eta`). ValueError."""
        dns = text if "=" in text else ",".join(f"dc={part}" for part in text.split("."))
        try:
            dn = DN.parse(dns)
        except InvalidName:
            dn = DN.parse("")
        inside = DN(dn.rdns[:-1]) if dn.rdns and _is_view(dn.rdns[-1]) else dn
        if not inside.rdns or not all(_is_dc(rdn) and rdn.pairs[0][1] for rdn in inside.rdns):
            raise ValueError("expected a domain, such as im or dc=im,dc=eta")
        self.inside: Final = inside
        """As DN-valued attributes end."""
        self.suffix: Final = DN((*inside.rdns, *DN.parse(_VIEWS[0]).rdns))

    def base(self, text: str, vocabulary: Vocabulary) -> DN:
        """A base DN, completed; types in it may lack their eT. InvalidName."""
        dn = DN.parse(text)
        rdns = tuple(_spelled(rdn, vocabulary) for rdn in dn.rdns)
        if not rdns or not _is_dc(rdns[-1]):
            return DN((*rdns, *self.suffix.rdns))
        if _is_view(rdns[-1]):
            return DN(rdns)
        return DN((*rdns, *DN.parse(_VIEWS[0]).rdns))

    def value(self, text: str) -> str:
        """A value that is a DN, with the domain if it lacks it. What is no DN comes back as it is: the server
        says what is wrong with it.
        """
        try:
            dn = DN.parse(text)
        except InvalidName:
            return text
        if not dn.rdns or _is_dc(dn.rdns[-1]):
            return text
        return DN((*dn.rdns, *self.inside.rdns)).text

    def reference(self, dn: DN) -> str:
        """A whole name as a DN-valued attribute holds it: without its last part."""
        return DN(dn.rdns[:-1]).text if _is_view(dn.rdns[-1]) else dn.text

    def user(self, name: str, vocabulary: Vocabulary) -> DN:
        """Who binds, by name or DN. InvalidName."""
        if "=" in name:
            return self.base(name, vocabulary)
        return self.base(_USERS, vocabulary).child("eTGlobalUserName", name)

    @property
    def inclusions(self) -> DN:
        """Above all inclusion entries."""
        return DN((*DN.parse(_INCLUSIONS).rdns, *self.suffix.rdns))


def _is_dc(rdn: RDN) -> bool:
    return rdn.pairs[0][0].lower() == "dc"


def _is_view(rdn: RDN) -> bool:
    return DN((rdn,)).key in _VIEW_KEYS


def _spelled(rdn: RDN, vocabulary: Vocabulary) -> RDN:
    if len(rdn.pairs) > 1 or rdn.opaque:
        return rdn
    type, value = rdn.pairs[0]
    return RDN.of(vocabulary.attribute(type), value)
