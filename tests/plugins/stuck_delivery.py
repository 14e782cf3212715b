"""A served instance in which a password waits for an endpoint that nobody answers at."""

from __future__ import annotations

from plugins.served_instance import ServedInstance, user_dn

AD = "eTADSDirectoryName=AD-Corp,eTNamespaceName=ActiveDirectory,dc=im,dc=eta"
ADA = f"eTADSAccountName=Okafor\\, Ada,eTADSOrgUnitName=Quayside,eTADSOrgUnitName=Staff,{AD}"
LDAP_HQ = "eTDYNDirectoryName=ldap-hq,eTNamespaceName=OpenLDAP,dc=im,dc=eta"
AGENT = ("psync-ad-corp", "Gull-Ferry-Agent-11")
ENDPOINT_SECRET = "Endpoint-Secret-91"


def make_unreachable(served: ServedInstance) -> None:
    """The demo's LDAP endpoint is where nobody listens, and has a sealed secret."""
    ldif = (
        f"dn: {LDAP_HQ}\nchangetype: modify\nreplace: provConnector\nprovConnector: ldap\n-\n"
        "replace: provSetting\nprovSetting: url=ldaps://127.0.0.1:1\nprovSetting: bind_dn=cn=a\n"
        "provSetting: dn=uid={name}\n-\n"
        f"replace: provSecret\nprovSecret: bind_password={ENDPOINT_SECRET}\n-\n"
    )
    done = served.modify(ldif)
    assert done.returncode == 0, done.stderr


def sync(served: ServedInstance, password: str) -> None:
    """Ada's new password, as her domain's agent reports it."""
    name, own = AGENT
    done = served.set(ADA, "eTSyncPassword", password, who=user_dn(name), password=own)
    assert done.returncode == 0, done.stderr
