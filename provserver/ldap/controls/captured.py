"""When an agent caught a change that reaches us later, and what the agent calls it. Ours.

    CapturedValue ::= SEQUENCE { changeId OCTET STRING (SIZE (1..64)), captured LDAPString, sent LDAPString }

Both times are GeneralizedTime in UTC by the agent's own clock, the second one of this very request: how long
the change has waited is then known, however wrong that clock is.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import ClassVar, Final, Self

from provserver.ldap.ber_writing import octets
from provserver.ldap.controls.kinds import ControlValue
from provserver.ldap.errors import LocalProtocolError
from provserver.ldap.limits import Limits
from provserver.ldap.values import Parts, sequence, text
from provserver.records import record

OID: Final = "2.25.237390618890613785184987807740677441781.4.1"
LONGEST_ID: Final = 64
_TIME: Final = re.compile(r"\d{14}(\.\d{1,6})?Z")


@record
class Captured(ControlValue):
    """With a modify that reports a password: `captured` and `sent` in seconds since the epoch."""

    oid: ClassVar[str] = OID
    name: ClassVar[str] = "captured change control"

    change: bytes
    """The agent's name for the change, the same whenever it is sent again."""
    captured: float
    sent: float

    @property
    def waited(self) -> float:
        """Seconds that the change has waited; 0 where the agent's clock was set back meanwhile."""
        return max(0.0, self.sent - self.captured)

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of_sequence(value, "capturedValue")
        change = parts.octets("changeId")
        if not 1 <= len(change) <= LONGEST_ID:
            raise parts.wrong("changeId", f"has {len(change)} octets, 1 to {LONGEST_ID} are expected")
        return parts.complete(cls(change, _time(parts, "captured"), _time(parts, "sent")))

    def encode(self) -> bytes:
        if not 1 <= len(self.change) <= LONGEST_ID:
            raise LocalProtocolError(f"a change id has 1 to {LONGEST_ID} octets")
        return sequence(octets(self.change), text(_text(self.captured)), text(_text(self.sent)))


def _time(parts: Parts, name: str) -> float:
    found = parts.text(name)
    if _TIME.fullmatch(found) is not None:
        whole, _, part = found[:-1].partition(".")
        try:
            return datetime.fromisoformat(f"{whole[:8]}T{whole[8:]}.{part.ljust(6, '0')}+00:00").timestamp()
        except ValueError:
            pass
    raise parts.wrong(name, "is no time in UTC: YYYYmmddHHMMSS[.ffffff]Z is expected")


def _text(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y%m%d%H%M%S.%fZ")
    except (OverflowError, OSError, ValueError):
        raise LocalProtocolError(f"{at} is no time") from None
