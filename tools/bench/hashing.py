"""How passwords are hashed in a run: at the same cost on both sides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from generator import BenchFailed
from our_home import CHEAP_HASH

MEMORY: Final = 4096
ITERATIONS: Final = 3
LANES: Final = 1


@dataclass(frozen=True, slots=True)
class Hashing:
    """`users`: how many there are unless told. `most_per_second`: so many cycles are prepared for each second
    of a run; when they run out, the run ends early and says so."""

    name: str
    says: str
    users: int
    most_per_second: int
    ours: tuple[str, ...]
    """Settings."""
    slapds: str
    """The scheme of slapd's password-hash."""
    modules: tuple[str, ...] = ()
    """Names that slapd's module for it goes by."""
    parameters: str = ""
    """What that module is told."""

    def module_in(self, folder: Path | None) -> str:
        """The module as slapd.conf loads it; empty: slapd needs none. BenchFailed: it is not here."""
        if not self.modules:
            return ""
        for name in self.modules:
            if folder is not None and list(folder.glob(f"{name}.*")):
                return f"{name} {self.parameters}"
        names = " or ".join(f"{name}.so" for name in self.modules)
        raise BenchFailed(
            f"slapd's module for {self.slapds} ({names}) is not in {folder or 'any folder of modules'}: "
            "Debian has it in slapd since 2.5, before that in slapd-contrib. Without it: --hash cheap"
        )


CHEAP: Final = Hashing(
    name="cheap",
    says="one fast digest each: {SSHA} there, ssha512 here",
    users=10_000,
    most_per_second=12_000,
    ours=(CHEAP_HASH,),
    slapds="{SSHA}",
)
ARGON2: Final = Hashing(
    name="argon2",
    says=f"m = {MEMORY} KiB, t = {ITERATIONS}, p = {LANES} on both sides; argon2i there, argon2id here",
    users=300,
    most_per_second=4_000,
    ours=(
        "passwords.scheme=argon2id",
        f"passwords.argon2_memory={MEMORY}",
        f"passwords.argon2_iterations={ITERATIONS}",
        f"passwords.argon2_lanes={LANES}",
    ),
    slapds="{ARGON2}",
    modules=("argon2", "pw-argon2"),
    parameters=f"m={MEMORY} t={ITERATIONS} p={LANES}",
)
HASHINGS: Final = {one.name: one for one in (CHEAP, ARGON2)}
