"""Cookies of a content synchronisation (RFC 4533 2.1.2): how far in the change log a copy is.

To clients they are opaque, except to OpenLDAP's consumers. Those keep nothing of a cookie but the CSN in it,
compare CSNs as text, and pass over what is not newer than what they have. So a cookie is a CSN:

    rid=000,csn=20260115093000.000042Z#000000#000#9c81f2

- The time is that of the store's first change, and as many microseconds later as the change has a number: it
  grows with the log whatever clocks do.
- The first count is the lead of this copy: so many hours its cookies are ahead of that. A copy that is made
  anew gets a lead with which it is newer than what it was, be that of another server, or of this one before
  it was restored to an earlier state.
- The second is a seal on that line of the log and on what was asked by whom. A cookie of another store or
  another past, or for other content, does not have it. It prevents mistakes, not forgery: whoever forges one
  gets no more than it may read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final

from provserver.records import record
from provserver.storage.contract import ChangeRecord

_CSN: Final = re.compile(
    rb"csn=(?:[^,;]*;)*?(?P<second>\d{14})\.(?P<micros>\d{6})Z"
    rb"#(?P<lead>[0-9a-f]{6})#000#(?P<seal>[0-9a-f]{6})(?:[,;]|\Z)"
)
_LONGEST: Final = 512
"""Octets. Ours have 52; those of a consumer with many servers have more."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_HOUR: Final = 3_600_000_000
_LONGEST_LEAD: Final = 0xFFFFFF
_SEALED: Final = 0x800000
"""In every seal, and in no stamp of an entry: that is never newer than the cookie that covers it."""


@record
class Place:
    """What a cookie says: a time in microseconds since the epoch, hours of lead, and a seal."""

    micros: int
    lead: int
    seal: int


class UnknownCookie(ValueError):
    """It is no cookie of a server like this one."""


def read_cookie(cookie: bytes | None) -> Place | None:
    """What a cookie says; None: nothing, the copy is empty. UnknownCookie."""
    if not cookie:
        return None
    if cookie.startswith(b"rid=") and b"csn=" not in cookie:
        return None  # a consumer of OpenLDAP that has nothing yet
    found = _CSN.search(cookie) if len(cookie) <= _LONGEST else None
    try:
        if found is None:
            raise ValueError
        second = datetime.strptime(f"{found['second'].decode()}+0000", "%Y%m%d%H%M%S%z")
    except ValueError:
        raise UnknownCookie("expected a cookie of this server") from None
    micros = (second - _EPOCH) // _MICROSECOND + int(found["micros"])
    return Place(micros, int(found["lead"], 16), int(found["seal"], 16))


@dataclass(frozen=True, slots=True)
class Cookies:
    """Makes and recognises the cookies of one copy."""

    began: float
    """When the store's first change was made."""
    content: bytes
    """What is asked, and by whom."""
    lead: int = 0

    def like(self, place: Place) -> Cookies:
        """Those that go on from there."""
        return replace(self, lead=place.lead)

    def ahead_of(self, place: Place, last: int) -> Cookies:
        """Those of a copy that is made anew, at the end of the log or later: all newer than that place."""
        behind = place.micros - self._micros(last)
        lead = max(place.lead + 1, self.lead + behind // _HOUR + 1)
        return replace(self, lead=lead) if lead <= _LONGEST_LEAD else self

    def sequence(self, place: Place) -> int:
        """The number of the line that a place means, if it is one of this store's."""
        return place.micros - self.like(place)._micros(0)

    def recognises(self, place: Place, line: ChangeRecord) -> bool:
        """Whether a place was given out for this line, and for this content."""
        return self.sequence(place) == line.sequence and place.seal == self._seal(line)

    def cookie(self, line: ChangeRecord) -> bytes:
        """For a copy that has everything up to this line."""
        return b"rid=000,csn=" + self._csn(line.sequence, self._seal(line))

    def stamp(self, last: int, behind: int = _SEALED) -> bytes:
        """The entryCSN of an entry that is sent as it was at the end of the log, because of a line so far
        behind that, or with everything else.

        OpenLDAP's consumers pass over an entry whose stamp is not newer than what they have, and keep one
        that nobody mentions when its stamp is newer than the cookie.
        """
        return self._csn(last, max(0, _SEALED - 1 - behind))

    def _csn(self, sequence: int, last_field: int) -> bytes:
        at = _EPOCH + self._micros(sequence) * _MICROSECOND
        return f"{at:%Y%m%d%H%M%S.%f}Z#{self.lead:06x}#000#{last_field:06x}".encode()

    def _micros(self, sequence: int) -> int:
        return int(self.began * 1_000_000) + self.lead * _HOUR + sequence

    def _seal(self, line: ChangeRecord) -> int:
        said = repr((line.sequence, line.at, line.by, line.kind, line.id, line.dn.key, line.version))
        digest = blake2b(said.encode(), digest_size=3, key=blake2b(self.content).digest()).digest()
        return int.from_bytes(digest) | _SEALED
