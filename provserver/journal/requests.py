"""What the server asks of others because of a request, in the transaction log: its store ("DB …"), and the
connectors ("Connector Server …"). Wording and ids as facts/imps.md 3.5 shows them; "Password Propagation",
the parent of a change's connector requests, is ours.
"""

from __future__ import annotations

from typing import Final

from provserver.journal.etatrans import MASK, REQUESTS, Etatrans, leaf
from provserver.ldap.results import ResultCode
from provserver.recent import Recent
from provserver.storage.contract import ChangeId, Commit, Move, Put, Remove, Write

_CHANGES: Final = 4_096
"""Changes whose connector requests are written with their parent; of older ones it is not known any more."""


class Requests:
    """Writes them when the config parameter Transaction Log/Level says so."""

    def __init__(self, log: Etatrans) -> None:
        self._log = log
        self._parents: Recent[ChangeId, str] = Recent(_CHANGES)

    @property
    def wanted(self) -> bool:
        return self._log.enabled and self._log.level >= REQUESTS

    def committed(self, commit: Commit, cause: str) -> None:
        """A commit that was made for the external request `cause`."""
        if self.wanted:
            for write in commit.writes:
                operation, dn = _of(write)
                self._succeeded("D", f"DB {operation}", operation, dn, cause)

    def propagates(self, user: str, change: ChangeId, deliveries: int, cause: str) -> None:
        """A change of the global user `user` that goes to accounts: the parent of their requests."""
        if self.wanted and deliveries:
            transaction = self._log.begin("C", "Modify", cause)
            self._parents.put(change, transaction.id)
            transaction.start(f"Password Propagation ({leaf(user)})")
            transaction.success(f"on its way to {deliveries} account{'' if deliveries == 1 else 's'}")

    def attempted(self, account: str, change: ChangeId, code: ResultCode, text: str) -> None:
        """A connector was asked to set an account's password; `text` never holds a secret."""
        parent = self._parents.get(change) or ""
        what = f"Connector Server Modify ({leaf(account)})"
        transaction = self._log.begin("S", "Modify", parent)
        transaction.start(what)
        transaction.parameters(account, [("eTPassword", f"{MASK} [REPLACE]")])
        if code is ResultCode.SUCCESS:
            transaction.success(text)
        else:
            told = f"Connector Server Modify failed: code {code.value} ({code.name}): {text}"
            transaction.failure(what, code.value, code.name, told)

    def _succeeded(self, letter: str, what: str, operation: str, dn: str, parent: str) -> None:
        transaction = self._log.begin(letter, operation, parent)
        transaction.start(f"{what} ({leaf(dn)})")
        transaction.parameters(dn, ())
        transaction.success(what)


def _of(write: Write) -> tuple[str, str]:
    """What a write is called, and its name."""
    if isinstance(write, Remove):
        return "Delete", str(write.dn)
    if isinstance(write, Move):
        return "ModifyDN", str(write.entry.dn)
    assert isinstance(write, Put)  # noqa: S101  there is no fourth
    return ("Modify" if write.expected else "Add"), str(write.entry.dn)
