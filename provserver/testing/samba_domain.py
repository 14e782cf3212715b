"""What `provserver.testing.samba_ad` gives a domain controller: its configuration, the files of a new domain,
which a whole test run makes but once, and a loopback address of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

ADDRESSES: Final = tuple(f"127.0.0.{last}" for last in range(5, 100))
PORTS: Final = (88, 389, 464, 636, 3268, 3269)
REALM: Final = "AD.EXAMPLE.COM"
HOST: Final = "dc1"


class SambaMissing(Exception):
    """There is no Samba domain controller here; the text says how to install it, or what else it needs."""


class SambaFailed(Exception):
    """samba, or a tool of its family, did not do what was asked; the text is what it said."""


PASSWORD_FILE: Final = "administrator"


def configuration(directory: Path, *, address: str, services: str, extra: Sequence[str] = ()) -> str:
    """smb.conf(5); nothing outside `directory` is used."""
    lines = "\n    ".join(extra)
    return f"""\
[global]
    netbios name = {HOST.upper()}
    realm = {REALM}
    workgroup = {REALM.partition(".")[0]}
    server role = active directory domain controller
    server services = {services}
    interfaces = {address}/8
    bind interfaces only = yes
    private dir = {directory}/private
    state directory = {directory}/state
    cache directory = {directory}/cache
    lock directory = {directory}
    pid directory = {directory}
    binddns dir = {directory}/bind-dns
    ncalrpc dir = {directory}/ncalrpc
    winbindd socket directory = {directory}/winbindd
    ntp signd socket directory = {directory}/ntp_signd
    log file = {directory}/log.%m
    ldb:nosync = yes
    # As Windows, Samba lets a former password in for an hour, which no test could tell from the new one.
    old password allowed period = 0
    load printers = no
    # In a database: extended attributes of files need more privilege than containers have.
    vfs objects = dfs_samba4 acl_xattr xattr_tdb
    xattr_tdb:file = {directory}/xattr.tdb
    {lines}
[sysvol]
    path = {directory}/state/sysvol
[netlogon]
    path = {directory}/state/sysvol/{REALM.lower()}/scripts
"""


def provision(directory: Path) -> str:
    """Make a domain's files; its administrator's password."""
    password = f"Aa1-{secrets.token_urlsafe(18)}"
    file = directory / "smb.conf"
    file.write_text(configuration(directory, address=ADDRESSES[0], services="ldap"))
    done = subprocess.run(
        [
            "samba-tool", "domain", "provision", "-s", str(file), "--quiet",
            f"--realm={REALM}", f"--domain={REALM.partition('.')[0]}", "--server-role=dc",
            "--dns-backend=NONE", f"--host-name={HOST}", f"--host-ip={ADDRESSES[0]}",
            f"--adminpass={password}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise SambaFailed(f"samba-tool domain provision: {done.stdout}{done.stderr}")
    return password


def provision_whole(template: Path) -> None:
    """The same for others to copy; it is there whole or not at all."""
    template.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="samba-", dir=template.parent) as making:
        made = Path(making) / "domain"
        made.mkdir(mode=0o700)
        password = provision(made)
        (made / PASSWORD_FILE).touch(mode=0o600)
        (made / PASSWORD_FILE).write_text(password)
        made.rename(template)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def claimed_address() -> tuple[str, socket.socket]:
    """A loopback address that is ours while the socket is open, and whose ports nobody has. Raises
    SambaMissing.
    """
    if not sys.platform.startswith("linux"):
        raise SambaMissing("a loopback address for each domain controller needs Linux")
    for address in ADDRESSES:
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0provserver-samba-{address}")  # an abstract name: gone with the process
            if all(_free(address, port) for port in PORTS):
                return address, claim
        except PermissionError:
            claim.close()
            raise SambaMissing("Samba's domain controller has ports below 1024 and needs root") from None
        except OSError:
            pass
        claim.close()
    raise SambaMissing(f"no loopback address from {ADDRESSES[0]} to {ADDRESSES[-1]} has Samba's ports free")


def _free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Samba does
        try:
            probe.bind((address, port))
        except PermissionError:
            raise
        except OSError:
            return False
        return True
