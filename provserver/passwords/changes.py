"""A password that has passed: what it makes of its user's entry, and what the journal says of it."""

from __future__ import annotations

from typing import Final

from provserver.connectors.contract import PasswordOption
from provserver.directory.entries import Attribute, Entry
from provserver.imps.endpoints import leaf_value
from provserver.imps.users import MUST_CHANGE, MUST_CHANGE_KEY, must_change
from provserver.journal.events import Event, event
from provserver.passwords.callers import Caller, fields_of
from provserver.passwords.capturing import CAPTURED_KEY, Capture
from provserver.passwords.credentials import CHANGE, Attributes, Credentials, changed_attributes
from provserver.passwords.encoded import Encoded
from provserver.passwords.gates import Subject
from provserver.passwords.policy import CurrentPolicy
from provserver.records import record
from provserver.storage.contract import ChangeId, JournalEvent
from provserver.vault.schemes import Derived
from provserver.vault.secret import Secret

OWN: Final = (PasswordOption.UNLOCK_ACCOUNT | PasswordOption.VALIDATE_PASSWORD).value
DEMANDED: Final = PasswordOption.FORCE_CHANGE_AT_LOGON.value
ENCODED: Final = PasswordOption.ENCODED.value
"""What deliveries are told, if anything: of a user's own change, of a reset that demands another one, of a
password that came encoded."""


@record
class Change:
    """A password that has passed, ready to be committed."""

    user: Entry
    credentials: Credentials
    secret: Secret
    derived: Derived
    policy: CurrentPolicy
    repeated: bool
    """It is the user's current password already: only accounts not known to hold it are served."""
    options: int = 0
    """PasswordOption flags of its deliveries: none for an agent's report."""
    must_change: bool | None = None
    """Whether its user must change it again; None: nothing is said, and a password that is new is good."""
    encoded: Encoded | None = None
    """When it came encoded: the secret is the stored form then."""
    capture: Capture | None = None
    """When it waited at its agent."""

    @classmethod
    def as_it_came(
        cls, user: Entry, credentials: Credentials, secret: Secret, encoded: Encoded, policy: CurrentPolicy
    ) -> Change:
        """To a password that came encoded, and is not judged."""
        repeated = encoded.is_same_as(credentials.current)
        return cls(user, credentials, secret, encoded.derived, policy, repeated, ENCODED, encoded=encoded)

    def attributes(self, change: ChangeId, at: float) -> Attributes:
        """What changes on the global user. Nothing, when it has this password already by a change that has an
        id, and stays free to keep it, or bound to change it.
        """
        changes: dict[str, Attribute] = {}
        if not self.repeated:
            stored = self.secret.reveal() if self.encoded is not None else b""
            rules = self.policy.rules
            changes |= changed_attributes(self.credentials, self.derived, at, change, rules, stored)
        elif not self.credentials.change:
            changes[CHANGE.lower()] = Attribute(CHANGE, (change.encode(),))
        before = must_change(self.user)
        after = before and self.repeated if self.must_change is None else self.must_change
        if after != before:
            changes[MUST_CHANGE_KEY] = Attribute(MUST_CHANGE, (b"TRUE",) if after else ())
        if self.capture is not None:
            changes[CAPTURED_KEY] = self.capture.attribute
        return changes

    def told(
        self, caller: Caller, subject: Subject | None, change: ChangeId, deliveries: int, at: float
    ) -> JournalEvent:
        """The journal's line."""
        fields = fields_of(caller, subject, self.user)
        fields["change"] = change
        fields["deliveries"] = str(deliveries)
        if subject is not None:
            kind = Event.SYNC_ACCEPTED
        else:
            kind = Event.USER_CHANGED if caller.identity.dn == self.user.dn else Event.USER_RESET
        done = "reset" if kind is Event.USER_RESET else "changed"
        text = f"Password of Global User '{leaf_value(self.user.dn)}' {done}"
        if self.must_change:
            fields["must change"] = "yes"
            text += "; it must be changed at the next logon"
        if self.encoded is not None:
            fields["encoded"] = self.encoded.scheme
            text += f"; {self.encoded.remark}"
        return event(at, kind, text, fields)
