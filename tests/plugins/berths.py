"""The demo domain with one of its endpoints behind a connector under test, and a PSYNC agent that reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from plugins.real_endpoint import AGENT, AGENT_PASSWORD, LDAP_HQ, Person
from plugins.served_instance import REPOSITORY, Ran, ServedInstance, make_instance, serving, until


@dataclass
class Berth:
    """The served domain. `admit` adds people with an account on the domain controller and one here."""

    served: ServedInstance

    def admit(self, name: str, password: str = "Copper-Bollard-27") -> Person:
        person = Person(name, password)
        added = self.served.client(
            "ldapadd",
            stdin=f"""\
dn: {person.dn}
objectClass: eTGlobalUser
eTGlobalUserName: {name}
eTFullName: Test {name}
eTPassword: {password}
eTPropagatePassword: 1

dn: {person.ad_account}
objectClass: eTADSAccount
eTADSAccountName: {name}, Test
eTADSsAMAccountName: {name}
provGlobalUser: {person.dn}

dn: {person.ldap_account}
objectClass: eTDYNAccount
eTDYNAccountName: {name}
provGlobalUser: {person.dn}
""",
        )
        assert added.returncode == 0, added.stderr
        return person

    def report(self, person: Person, password: str) -> Ran:
        """The four steps of a PSYNC agent (facts/agents-and-peers.md 2): the last one's answer."""
        for attribute in ("eTTestPassword", "eTSyncPassword"):
            seen = self.served.search(
                person.ad_account,
                "(objectClass=*)",
                "eTADSsAMAccountName",
                who=AGENT,
                password=AGENT_PASSWORD,
            )
            assert person.name in seen.stdout, seen.stderr
            done = self.served.set(person.ad_account, attribute, password, who=AGENT, password=AGENT_PASSWORD)
            assert done.returncode == 0, done.stderr
        return done

    def delivery(self, person: Person) -> dict[str, str]:
        """What the account's entry here says of the last delivery, once there was one."""
        found: dict[str, str] = {}

        def ended() -> bool:
            shown = self.served.search(person.ldap_account, "(objectClass=*)", "+").stdout
            found.update(line.split(": ", 1) for line in shown.splitlines() if line.startswith("prov"))
            return found.get("provDeliveryState") not in (None, "pending", "claimed")

        assert until(ended)
        return found


def endpoint_ldif(connector: str, settings: Mapping[str, str], secrets: Mapping[str, str]) -> str:
    """What makes ldap-hq of the demo domain this endpoint."""
    lines = [
        f"dn: {LDAP_HQ}",
        "changetype: modify",
        "replace: provConnector",
        f"provConnector: {connector}",
        "-",
    ]
    for attribute, values in (("provSetting", settings), ("provSecret", secrets)):
        lines.append(f"replace: {attribute}")
        lines += [f"{attribute}: {key}={value}" for key, value in values.items()]
        lines.append("-")
    return "\n".join([*lines, ""])


@contextmanager
def berthed(
    folder: Path, connector: str, settings: Mapping[str, str], secrets: Mapping[str, str]
) -> Iterator[Berth]:
    """The real command, serving; ends with the block."""
    demo = REPOSITORY / "ldif" / "demo.ldif"
    instance = make_instance(folder / "lab", demo, endpoint_ldif(connector, settings, secrets))
    with serving() as serve:
        yield Berth(serve(instance))
