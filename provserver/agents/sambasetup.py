"""`samba-agent setup`: what Samba and systemd have to be told, ready for a conf file and this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from provserver.agents.samba import CONF, ENVIRONMENT
from provserver.agents.sambachange import ATTRIBUTES, SEALED

KEYRING: Final = "/etc/samba-agent/gnupg"
"""Where the key is that passwords are encrypted to: the public half on every controller, the secret one on
that which synchronises.
"""
_OWNER: Final = "samba-agent"


def programs() -> Path:
    """Where the commands of this installation are."""
    return Path(sys.executable).parent


def smb_conf(conf: Path, bin: Path) -> str:
    """The lines of smb.conf(5), for its global section."""
    return f"""\
# In [global] of smb.conf, on every domain controller.

# The test step, before a password is changed. Samba calls it only while the domain's own complexity is on.
check password script = {bin}/python -I -m provserver.agents.samba --conf {conf} test

# Keeps what is to be synchronised, encrypted to this key. The key's id is what `gpg --list-keys` shows.
password hash gpg key ids = PUT-THE-KEY-ID-HERE
"""


def sync_unit(conf: Path, bin: Path) -> str:
    """The service that tells of changes."""
    chosen = f"Environment={ENVIRONMENT}={conf}\n" if str(conf) != CONF else ""
    return f"""\
# Tells the provisioning server of password changes. On one domain controller only.
[Unit]
Description=Password changes of Samba to provserver
After=samba-ad-dc.service
PartOf=samba-ad-dc.service
# It ends where it cannot tell and not keep a change, and begins with the same one.
StartLimitIntervalSec=0

[Service]
Environment=GNUPGHOME={KEYRING}
{chosen}ExecStart=/usr/bin/samba-tool user syncpasswords
Restart=always
RestartSec=30

[Install]
WantedBy=samba-ad-dc.service
"""


def spool_unit(conf: Path, bin: Path) -> str:
    """The service that delivers what waits."""
    chosen = f"--conf {conf} " if str(conf) != CONF else ""
    return f"""\
# Delivers the password changes that no server had taken.
[Unit]
Description=Password changes of Samba that wait for provserver
After=network-online.target
Wants=network-online.target

[Service]
ExecStart={bin}/samba-agent {chosen}run
Restart=on-failure

[Install]
WantedBy=multi-user.target
"""


def initialise(bin: Path, *, decrypt: bool = True) -> list[str]:
    """The command that tells samba-tool, once, what to call and with what. Not `decrypt`: clear text is what
    reversible encryption has.
    """
    attributes = [name for name in ATTRIBUTES if decrypt or name != SEALED]
    return [
        "samba-tool",
        "user",
        "syncpasswords",
        "--cache-ldb-initialize",
        f"--attributes={','.join(attributes)}",
        f"--script={bin}/samba-agent-sync",
        *(["--decrypt-samba-gpg"] if decrypt else []),
    ]


def instructions(conf: Path, bin: Path | None = None) -> str:
    """All of it, as it is printed."""
    bin = bin or programs()
    conf = conf.absolute()
    key = (
        f"install -d -m 700 {KEYRING}",
        f'GNUPGHOME={KEYRING} gpg --batch --passphrase "" --quick-generate-key {_OWNER} rsa3072 encr never',
        f"GNUPGHOME={KEYRING} gpg --list-keys {_OWNER}",
    )
    return "\n".join(
        [
            _heading("once, on the controller that synchronises: the key"),
            *key,
            "",
            _heading("/etc/samba/smb.conf"),
            smb_conf(conf, bin),
            _heading("/etc/systemd/system/samba-ad-dc.service.d/provserver.conf, on every controller"),
            f"[Service]\nEnvironment=GNUPGHOME={KEYRING}\n",
            _heading("once, after a restart of samba-ad-dc"),
            f"GNUPGHOME={KEYRING} " + " ".join(initialise(bin)),
            "",
            _heading("/etc/systemd/system/provserver-samba-sync.service"),
            sync_unit(conf, bin),
            _heading("/etc/systemd/system/provserver-samba-spool.service"),
            spool_unit(conf, bin),
        ]
    )


def _heading(text: str) -> str:
    return f"#### {text}"
