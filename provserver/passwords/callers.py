"""Who asks for an exchange, what it is told, and what the journal says of both."""

from __future__ import annotations

from provserver.directory.access import Identity
from provserver.directory.entries import Entry
from provserver.directory.names import DN
from provserver.ldap.results import ResultCode
from provserver.passwords.gates import Subject
from provserver.records import record


@record
class Caller:
    """Who asks, and from where: a different administrator per domain controller tells them apart (seed
    000)."""

    identity: Identity
    peer: str
    asker: DN | None = None
    """Who really asks, when it acts as that identity."""
    cause: str = ""
    """The request, as the transaction log names it to what follows from it."""

    @property
    def key(self) -> str:
        return self.identity.dn.key if self.identity.dn is not None else ""


@record
class Answer:
    """What the caller is told."""

    code: ResultCode
    text: str


def fields_of(caller: Caller, subject: Subject | None, user: Entry | None) -> dict[str, str]:
    """What the journal says of who, which account and whose."""
    fields = {"by": str(caller.identity.dn), "peer": caller.peer}
    if caller.asker is not None:
        fields["asked by"] = str(caller.asker)
    if subject is not None:
        fields["account"] = str(subject.account.dn)
    if user is not None:
        fields["user"] = str(user.dn)
    return fields
