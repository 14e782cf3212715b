"""What the answers of a service mean that the connector `https` calls, as its settings say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from provserver.connectors.contract import (
    Busy,
    ConnectorError,
    ConnectorFailure,
    ObjectMissing,
    PasswordInHistory,
    PasswordPolicyViolation,
    SettingsError,
)
from provserver.connectors.registry import Settings
from provserver.connectors.web import failures
from provserver.connectors.web.calling import Answer
from provserver.vault.secret import Secret

SETTING_NAMES: Final[Mapping[str, str]] = {
    "success": "statuses that say that the password is set, e.g. 200,202-204; 200-299 when not given",
    "success_words": "what an answer must say besides, with | between alternatives; nothing when not given",
    "policy": "statuses by which the service's own policy refuses a password, e.g. 422; none when not given",
    "policy_words": "what an answer says then, whatever its status, with | between alternatives",
    "history_words": "what it says when a password was used before",
    "missing": "statuses that say that there is no such account; 404,410 when not given",
    "missing_words": "what an answer says then",
    "busy": "statuses that ask for patience; 408,425,429,503 when not given",
    "busy_words": "what an answer says then",
}

_RANGE: Final = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")


class Meanings:
    """Of one endpoint's service. Words go before statuses, statuses before what HTTP says of them."""

    def __init__(self, given: Settings) -> None:
        """SettingsError."""
        self._success = _statuses(given, "success", "200-299")
        self._success_words = _words(given, "success_words")
        self._words = [
            (_words(given, "history_words"), PasswordInHistory),
            (_words(given, "policy_words"), PasswordPolicyViolation),
            (_words(given, "missing_words"), ObjectMissing),
            (_words(given, "busy_words"), Busy),
        ]
        self._statuses = [
            (_statuses(given, "policy", ""), PasswordPolicyViolation),
            (_statuses(given, "missing", "404,410"), ObjectMissing),
            (_statuses(given, "busy", "408,425,429,503"), Busy),
        ]

    def failure(self, answer: Answer, hidden: Sequence[Secret]) -> ConnectorFailure | None:
        """None: the password is set."""
        text = answer.body.decode(errors="replace")
        said = failures.said(text, hidden)
        shown = f": {said}" if said else ""
        for words, kind in self._words:
            if words is not None and words.search(text):
                return kind(f"the service refuses it (HTTP status {answer.code}){shown}")
        if answer.code in self._success:
            if self._success_words is None or self._success_words.search(text):
                return None
            return ConnectorError(f"HTTP status {answer.code}, but not the words that say success{shown}")
        for statuses, kind in self._statuses:
            if answer.code in statuses:
                return kind(f"the service refuses it (HTTP status {answer.code}){shown}")
        if answer.is_good:
            return ConnectorError(
                f"HTTP status {answer.code}, which the settings do not take for success{shown}"
            )
        return failures.of_status(answer, sending=True, detail=said)


def _statuses(given: Settings, key: str, default: str) -> frozenset[int]:
    found: set[int] = set()
    for part in given.text(key, default).split(",") if given.text(key, default).strip() else ():
        match = _RANGE.fullmatch(part.strip())
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise SettingsError(key, f"expected statuses such as 200,202-204, got {part.strip()!r}")
        found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return frozenset(found)


def _words(given: Settings, key: str) -> re.Pattern[str] | None:
    words = [part.strip() for part in given.text(key, "").split("|") if part.strip()]
    return re.compile("|".join(map(re.escape, words)), re.IGNORECASE) if words else None
