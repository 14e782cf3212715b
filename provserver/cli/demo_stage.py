"""The demo's real endpoint: OpenLDAP's slapd on a free port, where it is installed; the emulated one stands
in where it is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from provserver.ldap.client import LdapClient, Trust
from provserver.ldap.results import Refusal, ResultCode
from provserver.testing.slapd import INSTALL_COMMAND, SlapdMissing, SlapdServer, find_slapd
from provserver.vault.secret import Secret

ENDPOINT: Final = "eTDYNDirectoryName=ldap-hq,eTNamespaceName=OpenLDAP,dc=im"
_SUFFIX: Final = "dc=port,dc=example"
_PEOPLE: Final = ("aokafor", "fgreco")


@dataclass
class Stage:
    """`slapd` is None where OpenLDAP is not installed."""

    slapd: SlapdServer | None
    reactor: Any

    def endpoint_ldif(self) -> str:
        """What makes ldap-hq the real server: LDIF onto demo.ldif."""
        slapd = self.slapd
        if slapd is None:
            return ""
        return (
            f"dn: {ENDPOINT}\nchangetype: modify\n"
            "replace: provConnector\nprovConnector: ldap\n-\n"
            "replace: provSetting\n"
            f"provSetting: url={slapd.ldaps_url}\n"
            f"provSetting: ca_file={slapd.certificates.authority}\n"
            f"provSetting: bind_dn={slapd.root_dn}\n"
            f"provSetting: dn=uid={{name}},ou=people,{slapd.suffix}\n-\n"
            "replace: provSecret\n"
            f"provSecret: bind_password={slapd.root_password}\n-\n"
        )

    def person(self, name: str) -> str:
        """A person's DN at the real endpoint."""
        if self.slapd is None:
            raise ValueError("there is no real endpoint")
        return f"uid={name},ou=people,{self.slapd.suffix}"

    async def accepts(self, name: str, secret: Secret) -> bool:
        """Whether the real endpoint lets this person in with this password: asked by a bind."""
        slapd = self.slapd
        if slapd is None:
            raise ValueError("there is no real endpoint")
        client = await LdapClient.connect(
            slapd.ldaps_url, reactor=self.reactor, trust=Trust(ca_file=str(slapd.certificates.authority))
        )
        try:
            await client.bind(self.person(name), secret)
        except Refusal as refusal:
            if refusal.code is ResultCode.INVALID_CREDENTIALS:
                return False
            raise
        else:
            return True
        finally:
            await client.close()

    def note(self) -> str:
        """What is real here, in a sentence."""
        if self.slapd is None:
            return (
                "OpenLDAP is not installed, so ldap-hq is emulated like the others "
                f"({INSTALL_COMMAND} makes it real)"
            )
        return (
            f"ldap-hq is a real OpenLDAP server on {self.slapd.ldaps_url}; the other endpoints are emulated"
        )

    def strike(self) -> None:
        if self.slapd is not None:
            self.slapd.stop()


async def set_stage(reactor: Any) -> Stage:
    """The stage, with slapd running where there is one."""
    try:
        find_slapd()
    except SlapdMissing:
        return Stage(None, reactor)
    slapd = SlapdServer(suffix=_SUFFIX, ldif=_people(_SUFFIX))
    await slapd.start(reactor)
    return Stage(slapd, reactor)


def _people(suffix: str) -> str:
    entries = [f"dn: ou=people,{suffix}\nobjectClass: organizationalUnit\nou: people\n"]
    for name in _PEOPLE:
        entries.append(
            f"dn: uid={name},ou=people,{suffix}\n"
            f"objectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n"
        )
    return "\n".join(entries)
