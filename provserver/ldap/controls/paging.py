"""Results page by page: RFC 2696."""

from __future__ import annotations

from typing import ClassVar, Self

from provserver.ldap.ber_writing import octets
from provserver.ldap.controls.kinds import ControlValue
from provserver.ldap.limits import Limits
from provserver.ldap.values import Parts, integer, sequence
from provserver.records import record


@record
class PagedResults(ControlValue):
    """Request and response (RFC 2696 2).

    `size` is the entries of a page; with a cookie, 0 gives up the search. In a response it is the server's
    estimate of all entries, 0 if it has none. `cookie` is the server's, empty to begin and at the end.
    """

    oid: ClassVar[str] = "1.2.840.113556.1.4.319"
    name: ClassVar[str] = "paged results control"

    size: int
    cookie: bytes = b""

    @classmethod
    def _read(cls, value: bytes | None, limits: Limits) -> Self:
        parts = Parts.of_sequence(value, "realSearchControlValue")
        return parts.complete(cls(parts.integer("size"), parts.octets("cookie")))

    def encode(self) -> bytes:
        return sequence(integer(self.size), octets(self.cookie))
