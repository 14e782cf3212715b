"""The first lines that run when somebody types `etautil`: what other users must not see is hidden before
anything large is imported.
"""

from __future__ import annotations

import sys

from provserver.etautil.hiding import hide_passwords


def main() -> int:
    """The installed command."""
    if not hide_passwords():
        print("etautil: the password can be seen in the process list here: use -P FILE", file=sys.stderr)
    from provserver.etautil import command

    return command.main()
