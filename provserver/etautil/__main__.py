"""`python -m provserver.etautil`."""

from __future__ import annotations

import sys

from provserver.etautil.entry import main

if __name__ == "__main__":
    sys.exit(main())
