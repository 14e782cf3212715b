"""Says what is missing on this machine for `make fast`, and ends with 1; says nothing when all is there."""

from __future__ import annotations

import shlex
import shutil
import sys
import sysconfig
from pathlib import Path


def missing() -> list[str]:
    """What to install, in Debian's names."""
    wanted = []
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(compiler) is None:
        wanted.append(f"a C compiler ('{compiler}'; Debian: gcc libc6-dev)")
    headers = Path(sysconfig.get_path("include"), "Python.h")
    if not headers.exists():
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        wanted.append(f"the headers of Python {version} ({headers}; Debian: python{version}-dev)")
    return wanted


if __name__ == "__main__":
    if wanted := missing():
        sys.exit(f"the fast form needs {' and '.join(wanted)}")
