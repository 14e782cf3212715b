"""What a temporary slapd is told: its slapd.conf and its first entries, as text. No I/O.

The directives are those of slapd.conf(5), slapd-mdb(5) and slapo-ppolicy(5) of OpenLDAP 2.5 and later.
"""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from provserver.testing.certificates import Certificates

OPEN_ACCESS: Final = (
    "access to attrs=userPassword by self =xw by anonymous auth by * none",
    "access to * by * read",
)
"""Everyone reads, each changes their own password, nobody sees one. The root DN may do everything."""


@dataclass(frozen=True, slots=True)
class SlapdProgram:
    """Where slapd and its files are. `modules` is None where back-mdb and the overlays are linked in."""

    slapd: Path
    schemas: Path
    modules: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordPolicy:
    """The ppolicy overlay with one default policy. It binds everyone but the root DN (slapo-ppolicy(5))."""

    min_length: int = 0
    in_history: int = 0
    hash_cleartext: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SlapdConfiguration:
    """One database under `suffix`. Tuples are lines of slapd.conf(5)."""

    suffix: str
    root_dn: str
    policy: PasswordPolicy | None
    access: tuple[str, ...]
    indexes: tuple[str, ...]
    hash_scheme: str
    demand_tls: bool
    global_extra: tuple[str, ...]
    extra: tuple[str, ...]

    def text(
        self, program: SlapdProgram, certificates: Certificates, data: Path, root_password: bytes
    ) -> str:
        """The slapd.conf. It holds the root password's hash, not the password."""
        lines = [f'include "{program.schemas}/{name}.schema"' for name in ("core", "cosine", "inetorgperson")]
        if program.modules is not None:
            wanted = ["back_mdb"] + (["ppolicy"] if self.policy else [])
            lines += [f'modulepath "{program.modules}"', *(f"moduleload {name}" for name in wanted)]
        lines += [
            f'TLSCACertificateFile "{certificates.authority}"',
            f'TLSCertificateFile "{certificates.certificate}"',
            f'TLSCertificateKeyFile "{certificates.key}"',
            "TLSVerifyClient never",
            "loglevel 0",  # without this line slapd sends every operation to syslog
            f"password-hash {self.hash_scheme}",
            *(["security simple_bind=128"] if self.demand_tls else []),
            *self.global_extra,
            "database mdb",
            f'suffix "{self.suffix}"',
            f'rootdn "{self.root_dn}"',
            f"rootpw {ssha(root_password)}",
            f'directory "{data}"',
            "maxsize 1073741824",  # durable: neither dbnosync nor a lazy checkpoint
            *(f"index {line}" for line in self.indexes),
            *self.access,
            *self.extra,
        ]
        if self.policy is not None:
            lines += ["overlay ppolicy", f'ppolicy_default "cn=policy,{self.suffix}"']
            lines += ["ppolicy_hash_cleartext"] if self.policy.hash_cleartext else []
        return "\n".join(lines) + "\n"

    def first_entries(self) -> str:
        """LDIF of the suffix entry and, with a policy, of `cn=policy` below it."""
        name = self.suffix.split(",", 1)[0].split("=", 1)[1]
        entries = (
            f"dn: {self.suffix}\nobjectClass: dcObject\nobjectClass: organization\ndc: {name}\no: {name}\n\n"
        )
        if self.policy is not None:
            # pwdCheckQuality 2: what arrives hashed cannot be checked and is refused (slapo-ppolicy(5)).
            entries += (
                f"dn: cn=policy,{self.suffix}\nobjectClass: organizationalRole\nobjectClass: pwdPolicy\n"
                f"cn: policy\npwdAttribute: userPassword\npwdCheckQuality: 2\n"
                f"pwdMinLength: {self.policy.min_length}\npwdInHistory: {self.policy.in_history}\n"
                "pwdAllowUserChange: TRUE\n\n"
            )
        return entries


def ssha(password: bytes) -> str:
    """A userPassword value in OpenLDAP's scheme {SSHA}: SHA-1 over the password and 8 bytes of salt."""
    salt = os.urandom(8)
    digest = hashlib.sha1(password + salt, usedforsecurity=False).digest()
    return "{SSHA}" + base64.b64encode(digest + salt).decode()
