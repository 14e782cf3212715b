"""`python -m provserver.agents`: the psync-agent."""

from __future__ import annotations

import sys

from provserver.agents.command import main

if __name__ == "__main__":
    sys.exit(main())
