"""The names of the demo domain (ldif/demo.ldif), as tests say them on the wire."""

from __future__ import annotations

from typing import Final

from provserver.directory.entries import Attribute, Entry, EntryId
from provserver.storage.contract import Commit, Put
from provserver.testing.server import RunningServer, user_dn
from provserver.testing.wire import WireClient
from provserver.vault.secret import Secret

SUFFIX: Final = "dc=im,dc=eta"
PROFILE: Final = (
    "eTPasswordProfileName=Password Profile,eTPasswordProfileContainerName=Password Profile,"
    f"eTNamespaceName=CommonObjects,{SUFFIX}"
)
COMMON: Final = f"eTNamespaceName=CommonObjects,{SUFFIX}"
AD_CORP: Final = f"eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory,{SUFFIX}"
HPDEV01: Final = f"eTETCDirectoryName=hpdev01,eTNamespaceName=UNIX - etc,{SUFFIX}"
MVSPROD: Final = f"eTACFDirectoryName=MVSPROD,eTNamespaceName=CA-ACF2,{SUFFIX}"
LDAP_HQ: Final = f"eTDYNDirectoryName=ldap-hq,eTNamespaceName=OpenLDAP,{SUFFIX}"

UNIX: Final = f"eTETCAccountContainerName=Accounts,{HPDEV01}"
ADA_AD: Final = f"eTADSAccountName=Okafor\\, Ada,eTADSOrgUnitName=Quayside,eTADSOrgUnitName=Staff,{AD_CORP}"
ADA_UNIX: Final = f"eTETCAccountName=aokafor,{UNIX}"
ADA_MVS: Final = f"eTACFLidName=OKAFOR1,eTACFLidContainerName=Accounts,{MVSPROD}"
ADA_LDAP: Final = f"eTDYNAccountName=aokafor,eTDYNAccountContainerName=Accounts,{LDAP_HQ}"
BORIS_AD: Final = f"eTADSAccountName=Boris Novak,eTADSContainerName=Users,{AD_CORP}"
BORIS_UNIX: Final = f"eTETCAccountName=bnovak,{UNIX}"
CLAIRE_AD: Final = (
    f"eTADSAccountName=Claire Mercier,eTADSOrgUnitName=Head Office,eTADSOrgUnitName=Staff,{AD_CORP}"
)
FRANCO_AD: Final = f"eTADSAccountName=Franco Greco,eTADSOrgUnitName=Quayside,eTADSOrgUnitName=Staff,{AD_CORP}"
ELIF_AD: Final = f"eTADSAccountName=Elif Yilmaz,eTADSOrgUnitName=Head Office,eTADSOrgUnitName=Staff,{AD_CORP}"
ORACLE: Final = f"eTETCAccountName=oracle,{UNIX}"
NOBODY_AD: Final = f"eTADSAccountName=Nobody,eTADSContainerName=Users,{AD_CORP}"

PASSWORDS: Final = {
    "aokafor": "Quay-Lantern-41",
    "bnovak": "Copper-Bollard-27",
    "cmercier": "Brass-Sextant-58",
    "dsorensen": "Tidal-Winch-63",
    "fgreco": "Harbour-Pilot-72",
    "eyilmaz": "Ledger-Anchor-35",
    "psync-ad-corp": "Gull-Ferry-Agent-11",
    "pam-hpdev01": "Seal-Ferry-Agent-22",
    "lds-mvsprod": "Tern-Ferry-Agent-33",
    "agent-ldap-hq": "Crab-Ferry-Agent-44",
    "etaadmin": "Harbour-Master-99",
}
NEW: Final = "Kelp-Compass-88"
"""A password that the demo's profile accepts, and that nobody had."""
OTHER: Final = "Dune-Beacon-17"

IN_PROGRESS: Final = "Another password change is in progress."


ACCOUNTS: Final = (ADA_AD, ADA_UNIX, ADA_MVS, ADA_LDAP, BORIS_AD, BORIS_UNIX, CLAIRE_AD, FRANCO_AD, ELIF_AD)
ENDPOINTS: Final = ("AD-Corp", "hpdev01", "MVSPROD", "ldap-hq")


async def snapshot(server: RunningServer) -> dict[str, object]:
    """All that an exchange may change, except the journal: equal snapshots mean that nothing happened."""
    store = server.service.foundation.store
    changes = await store.changes(0, 1_000_000)
    found: dict[str, object] = {
        "last change": changes[-1].sequence,
        "outbox": list(await store.deliveries()),
        "received": [server.endpoint(name).received for name in ENDPOINTS],
    }
    for user in PASSWORDS:
        found[user] = await server.entry(user_dn(user))
    for account in ACCOUNTS:
        entry = await server.entry(account)
        assert entry is not None, account
        found[account] = entry
        found[f"marks of {account}"] = list(await store.marks(entry.id))
        found[f"status of {account}"] = await store.status(entry.id)
    return found


def holds(server: RunningServer, endpoint: str, account: str, password: str) -> bool:
    """Whether an emulated endpoint has this password for the account."""
    return server.endpoint(endpoint).holds(account, Secret.of_text(password))


async def id_of(server: RunningServer, dn: str) -> EntryId:
    entry = await server.entry(dn)
    assert entry is not None, dn
    return entry.id


async def overwrite(server: RunningServer, dn: str, name: str, *values: bytes) -> None:
    """Write what no client could: an old store, or one whose settings have changed, may hold it."""
    entry = await server.entry(dn)
    assert entry is not None, dn
    attributes = {**entry.attributes, name.lower(): Attribute(name, values)}
    written = Put(Entry(entry.id, entry.dn, attributes, entry.version), entry.version)
    await server.service.foundation.store.commit(Commit(at=0.0, by="tests", writes=(written,)))


async def wire(server: RunningServer, user: str) -> WireClient:
    """A client bound as one of the demo's users."""
    return await server.wire(user, PASSWORDS[user])


async def administrator(server: RunningServer) -> WireClient:
    return await wire(server, "etaadmin")
