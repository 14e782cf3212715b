"""How an alert is worded, as JSON and as a mail."""

from __future__ import annotations

import json
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage

from desk_house import ALERT
from hypothesis import given
from hypothesis import strategies as st

from provserver.journal.alerts.forms import Alert, as_json, as_mail
from provserver.journal.declared import Severity

anything = st.text()


def mail(alert: Alert) -> EmailMessage:
    made = as_mail(alert, "im on host", "provserver@example.com", ("a@example.com", "b@example.com"))
    read = message_from_bytes(made.as_bytes(policy=policy.SMTP), policy=policy.default)
    assert isinstance(read, EmailMessage)
    return read


def test_a_webhook_gets_these_fields() -> None:
    alert = replace(ALERT, details={"event": 6927, "account": "cn=ada"}, more=3, since=1_789_999_100.0)
    assert json.loads(as_json(alert, "im on host")) == {
        "form": 1,
        "server": "im on host",
        "rule": "held",
        "severity": "error",
        "time": "2026-09-21T14:13:20.000Z",
        "text": "3 more like it since 2026-09-21T13:58:20.000Z; the last one: A delivery is held.",
        "endpoint": "eTADSDirectoryName=AD-Corp",
        "over": False,
        "more": 3,
        "since": "2026-09-21T13:58:20.000Z",
        "details": {"event": 6927, "account": "cn=ada"},
    }


def test_a_mail_says_what_where_and_when() -> None:
    read = mail(replace(ALERT, details={"account": "cn=ada"}))
    assert read["Subject"] == "[provserver im on host] error: held at eTADSDirectoryName=AD-Corp"
    assert (read["From"], read["To"]) == ("provserver@example.com", "a@example.com, b@example.com")
    assert read["Auto-Submitted"] == "auto-generated"
    text = read.get_content()
    for said in (
        "A delivery is held.",
        "2026-09-21T14:13:20.000Z",
        "endpoint  eTADSDirectoryName=AD-Corp",
        "account   cn=ada",
    ):
        assert said in text


def test_what_is_over_says_so() -> None:
    assert "over: held" in mail(replace(ALERT, over=True))["Subject"]


@given(anything, anything, anything, anything)
def test_no_text_makes_a_header_or_breaks_the_form(text: str, endpoint: str, key: str, value: str) -> None:
    alert = Alert("held", Severity.ERROR, 1.79e9, text, endpoint, {"account": value})
    read = mail(alert)
    assert {name.lower() for name in read.keys()} == {  # noqa: SIM118  a message has a header twice, at times
        "from",
        "to",
        "date",
        "message-id",
        "auto-submitted",
        "subject",
        "content-type",
        "content-transfer-encoding",
        "mime-version",
    }
    document = json.loads(as_json(alert, "im"))
    assert document["endpoint"] == endpoint
    assert document["details"] == {"account": value}
    assert len(document["text"]) <= 1_000
