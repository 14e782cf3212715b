"""OpenLDAP's own clients, asked as a person would: how a test asks a directory without code of ours."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path


def stock_client(
    words: Sequence[str], *, url: str, bind_dn: str, password: str, authority: Path, folder: Path, stdin: str
) -> subprocess.CompletedProcess[str]:
    """Run `ldapsearch` or another one, and what is said to it; blocks. Its exit code is the LDAP result code.

    The password goes through a file in `folder`, never on a command line. FileNotFoundError: it is not here.
    """
    name, *arguments = words
    with tempfile.NamedTemporaryFile("w", dir=folder) as file:
        file.write(password)
        file.flush()
        return subprocess.run(
            [name, "-x", "-H", url, "-D", bind_dn, "-y", file.name, *arguments],
            input=stdin,
            env={
                **os.environ,
                "LDAPTLS_CACERT": str(authority),
                "LDAPTLS_REQCERT": "demand",
                "HOME": str(folder),  # no .ldaprc of whoever runs this
            },
            capture_output=True,
            text=True,
            check=False,
        )
