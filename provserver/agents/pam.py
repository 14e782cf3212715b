"""`pam-agent`: the agent as a PAM stack calls it (pam_exec with expose_authtok), with the conf file of CA's
UNIX module, `pam_CA_eta.conf`.

That file's keys and defaults are remembered, not confirmed (facts/imps.md 5.2), and its form is not known:
`key value` and `key = value` are both read. Every key of `eta_pwdsync.conf` is taken too. The conf file is
never named by the environment: a user may have a say in that.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Sequence
from typing import Final

from provserver.agents import command
from provserver.agents.options import Flavour
from provserver.agents.reading import Form

CONF: Final = "/etc/pam_CA_eta/pam_CA_eta.conf"
_TAKEN: Final = {
    "root": "etrust_suffix",
    "timelimit": "search_acct_dn_timeout",
    "tlscertfile": "cert_file",
    "tlskeyfile": "key_file",
}
"""What CA's module calls it, squeezed, and what that is. What differs only in its signs needs no row."""


def form() -> Form:
    """How `pam_CA_eta.conf` is written; its endpoint is this host, which judges passwords first."""
    return Form(
        line=re.compile(r"([A-Za-z][\w-]*)(?:\s*[=:]\s*|\s+|$)(.*)"),
        expected="key value, or key = value",
        sections=False,
        spellings=_TAKEN,
        defaults={
            "admin": "etaadmin",
            "endpoint_type": "ETC",
            "endpoint_name": socket.gethostname(),
            "profile_enable": "yes",
            "log_file": "pam_CA_eta.log",
        },
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The installed command; ACCOUNT is PAM_USER where it is not given."""
    flavour = Flavour("pam-agent", form(), CONF, account="PAM_USER")
    return command.main(arguments, flavour)


if __name__ == "__main__":
    sys.exit(main())
