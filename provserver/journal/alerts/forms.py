"""An alert, and how it is worded: for a webhook as JSON, for people as a mail.

Nothing of it is a secret: it is made of events and of our own words. Users are named by their DNs, as entries
are everywhere in the journal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Final

from provserver.journal.declared import Severity

FORM: Final = 1
"""Of the JSON; grows when something is taken away or means something else."""
_LONGEST_TEXT: Final = 1_000
"""Characters of a sentence: an endpoint's own words are in some."""


@dataclass(frozen=True, slots=True)
class Alert:
    """What somebody is told. `rule` names the subject that it is about; `more` are those like it that were
    not told one by one, since `since`.
    """

    rule: str
    severity: Severity
    at: float
    text: str
    endpoint: str = ""
    """Its DN, if it is about one."""
    details: Mapping[str, str | int] = field(default_factory=dict)
    """Fields of the event, with DNs in the place of ids; number and name of the event."""
    over: bool = False
    """A condition that was told has ended."""
    more: int = 0
    since: float = 0.0


def as_json(alert: Alert, server: str) -> bytes:
    """The body of a webhook's request. `server` names who tells."""
    document: dict[str, object] = {
        "form": FORM,
        "server": server,
        "rule": alert.rule,
        "severity": alert.severity.value,
        "time": iso(alert.at),
        "text": _sentence(alert),
        "endpoint": alert.endpoint,
        "over": alert.over,
        "more": alert.more,
        "details": dict(alert.details),
    }
    if alert.more:
        document["since"] = iso(alert.since)
    return json.dumps(document, ensure_ascii=False).encode()


def as_mail(alert: Alert, server: str, sender: str, recipients: tuple[str, ...]) -> EmailMessage:
    """A text that says what happened, where, and how often."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Date"] = format_datetime(datetime.fromtimestamp(alert.at, UTC))
    message["Message-ID"] = make_msgid(domain="provserver.invalid")
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834 5: no vacation messages, please
    kind = "over" if alert.over else alert.severity.value
    about = f" at {alert.endpoint}" if alert.endpoint else ""
    message["Subject"] = _one_line(f"[provserver {server}] {kind}: {alert.rule}{about}")[:200]
    lines = [_sentence(alert), "", f"time      {iso(alert.at)}"]
    if alert.endpoint:
        lines.append(f"endpoint  {alert.endpoint}")
    lines += [f"{key:<8}  {_one_line(str(value))}" for key, value in alert.details.items()]
    message.set_content("\n".join(lines) + "\n")
    return message


def iso(at: float) -> str:
    """UTC, with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _sentence(alert: Alert) -> str:
    text = _one_line(alert.text)[:_LONGEST_TEXT]
    if alert.more:
        text = f"{alert.more} more like it since {iso(alert.since)}; the last one: {text}"
    return text


def _one_line(text: str) -> str:
    """A header begins with a line end."""
    return "".join([one if one.isprintable() else " " for one in text])
