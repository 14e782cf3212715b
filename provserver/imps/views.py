"""The suffixes under which the one tree is seen.

Inside, every DN ends in the domain (`dc=im`), as IMPS writes it in logs and DN-valued attributes. On the
wire the same entries answer under `dc=im,dc=eta` (the server's view), `dc=im,dc=etadb` (the repository's)
and `dc=im,dc=lds` (which Top Secret's LDS addresses), and a DN that ends in just the domain is accepted. A
reply uses the suffix of its request. Source: facts/imps.md 1.1, design "The tree".
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from provserver.directory.names import DN, InvalidName
from provserver.ldap.results import Refusal, ResultCode


class View(Enum):
    """Which tail a name had on the wire, and so has in the reply."""

    SERVER = ",dc=eta"
    REPOSITORY = ",dc=etadb"
    MAINFRAME = ",dc=lds"
    BARE = ""


_TAILS: Final = {DN.parse(view.value[1:]).key: view for view in View if view is not View.BARE}
_REMEMBERED: Final = 20_000
"""Names kept resolved: an agent asks four times for the same one."""


def domain_dn(domain: str) -> DN:
    """The DN of a domain: `im` is dc=im, `chicago.usa` is dc=chicago,dc=usa."""
    return DN.parse(",".join(f"dc={part}" for part in domain.split(".")))


class Views:
    """Wire names to names inside, and back."""

    def __init__(self, domain: str) -> None:
        self.domain: Final = domain_dn(domain)
        self._resolved: dict[str, tuple[DN, View]] = {}

    def resolve(self, text: str) -> tuple[DN, View]:
        """The name inside and the view it was asked through.

        Refusal: INVALID_DN_SYNTAX; NO_SUCH_OBJECT for a name that is not below our suffixes.
        """
        known = self._resolved.get(text)
        if known is not None:
            return known
        try:
            wire = DN.parse(text)
        except InvalidName as error:
            raise Refusal(ResultCode.INVALID_DN_SYNTAX, f"not a distinguished name: {error}") from None
        resolved = self._strip(wire)
        if len(self._resolved) >= _REMEMBERED:
            self._resolved.clear()
        self._resolved[text] = resolved
        return resolved

    def _strip(self, wire: DN) -> tuple[DN, View]:
        view = View.BARE
        rdns = wire.rdns
        if rdns:
            top = _TAILS.get(DN(rdns[-1:]).key)
            if top is not None and not wire.is_within(self.domain):
                view, rdns = top, rdns[:-1]
        inside = DN(rdns)
        if rdns and inside.is_within(self.domain):
            return inside, view
        if rdns and view is not View.BARE and rdns[-1].pairs[0][0].lower() != "dc":
            # `eTDSAContainerName=DSAs,eTNamespaceName=CommonObjects,dc=etadb`: the domain is left out (facts
            # 1.1).
            return DN(rdns + self.domain.rdns), view
        raise Refusal(
            ResultCode.NO_SUCH_OBJECT,
            f"no such suffix: names end in {self.domain}{View.SERVER.value}, "
            f"{self.domain}{View.REPOSITORY.value}, {self.domain}{View.MAINFRAME.value} or {self.domain}",
        )

    def inside_value(self, value: bytes) -> bytes:
        """A DN-valued attribute's value as it is stored: ending in the domain. What is no DN of ours comes
        back unchanged.
        """
        try:
            dn, view = self.resolve(value.decode())
        except (Refusal, UnicodeDecodeError):
            return value
        return value if view is View.BARE else dn.text.encode()

    @staticmethod
    def render(dn: DN, view: View) -> str:
        """The name for the wire."""
        return dn.text + view.value
