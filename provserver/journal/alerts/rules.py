"""Rules: which events and conditions are told to whom.

    6927 held unreachable -> mail
    error -> webhook night-watch@example.com

Left of the arrow are subjects: a number or name of an event, a severity (it and what is worse), or a
condition; right of it recipients: `webhook` (all of them), `mail` (everybody in alerts.mail_to), or an
address. A recipient is told of an event once, by the first subject that fits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from provserver.journal.declared import Declarations, Declared, Severity
from provserver.storage.contract import DeliveryState, JournalEvent

WEBHOOK: Final = "webhook"
MAIL: Final = "mail"
_HELD: Final = DeliveryState.HELD.value


class Condition(StrEnum):
    """What can be told that no single event says."""

    HELD = "held"
    """A delivery is held: it waits for a person."""
    UNREACHABLE = "unreachable"
    """An endpoint has not been reached for longer than alerts.unreachable_after."""
    OUTBOX = "outbox"
    """The outbox is filled above alerts.outbox_percent."""
    STORE = "store"
    """The store has failed, or its disk has less room than alerts.disk_free."""


class RuleError(ValueError):
    """A rule that makes no sense: names it by its number, and says what was expected."""


@dataclass(frozen=True, slots=True)
class Rules:
    """For each recipient (`webhook`, `mail`, or an address) its subjects, in order."""

    of: Mapping[str, Sequence[int | Severity | Condition]]

    def about(self, recipient: str, event: JournalEvent, kind: Declared) -> str:
        """The subject by which this recipient is told of an event; empty: it is not."""
        for subject in self.of.get(recipient, ()):
            if isinstance(subject, Condition):
                if subject is Condition.HELD and kind.delivery and event.fields.get("state") == _HELD:
                    return subject.value
            elif isinstance(subject, Severity):
                if _RANK[kind.severity] >= _RANK[subject]:
                    return subject.value
            elif subject == event.event:
                return str(subject)
        return ""

    def wants(self, recipient: str, condition: Condition) -> bool:
        return condition in self.of.get(recipient, ())


_RANK: Final = {severity: rank for rank, severity in enumerate(Severity)}


def read_rules(texts: Sequence[str], declared: Declarations) -> Rules:
    """RuleError."""
    found: dict[str, list[int | Severity | Condition]] = {}
    names = {kind.name: number for number, kind in declared.items()}
    for number, text in enumerate(texts, 1):
        left, arrow, right = text.partition("->")
        subjects, recipients = _words(left), _words(right)
        if not arrow or not subjects or not recipients:
            raise RuleError(f"rule {number}: expected SUBJECT ... -> RECIPIENT ...")
        read = [_subject(one, number, declared, names) for one in subjects]
        for recipient in recipients:
            if recipient not in (WEBHOOK, MAIL) and not is_address(recipient):
                raise RuleError(f"rule {number}: expected webhook, mail or a mail address behind the arrow")
            found.setdefault(recipient, []).extend(read)
    return Rules(found)


def is_address(text: str) -> bool:
    """Whether it may be a mail address: what a mail server makes of it is its own business."""
    name, at, domain = text.rpartition("@")
    plain = text.isascii() and text.isprintable() and not set(text) & set(' ,;<>()[]"\\')
    return bool(name and at and domain) and plain and not text.startswith("-")


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _subject(
    word: str, number: int, declared: Declarations, names: Mapping[str, int]
) -> int | Severity | Condition:
    if word.isdecimal() and int(word) in declared:
        return int(word)
    for kind in (Severity, Condition):
        if word in [one.value for one in kind]:
            return kind(word)
    if word.upper() in names:
        return names[word.upper()]
    conditions = ", ".join(condition.value for condition in Condition)
    raise RuleError(
        f"rule {number}: expected a number or name of an event (docs/reference/journal.md), information, "
        f"warning, error, or a condition ({conditions}) before the arrow"
    )
