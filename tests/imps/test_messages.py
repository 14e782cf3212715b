"""The catalogue of messages: IMPS's form, its seen texts word for word."""

from __future__ import annotations

import re

import pytest

from provserver.imps.messages import Message, Reason, account_name, counts

FORM = re.compile(r":ETA_[SEW]_\d{4}<[A-Z]{3}>, .+", re.DOTALL)
FIELDS = dict.fromkeys(
    ["user", "counts", "dn", "account", "reason", "who", "what", "seconds", "why"], "something"
)


@pytest.mark.parametrize("message", list(Message))
def test_every_message_has_the_form_of_imps(message: Message) -> None:
    """facts/imps.md 3.3."""
    assert FORM.fullmatch(message.say(**FIELDS))
    assert message.source


def test_numbers_and_tags_are_not_used_twice() -> None:
    named = [(m.value.severity, m.value.number, m.value.tag) for m in Message]
    assert len(named) == len(set(named))
    ours = [m for m in Message if "ours" in m.source]
    assert all(m.value.number >= 9000 for m in ours), "a range that no seen message uses"


def test_the_seen_refusal_word_for_word() -> None:
    """facts/imps.md 3.4.3, from the log of an agent."""
    name = account_name("Active Directory", "test, user", "AD-Test")
    said = Message.CHECK_REFUSED.say(account=name, reason=Reason.IN_PROGRESS.value)
    assert said.endswith(
        "Password check for Active Directory Account 'test, user' on 'AD-Test' failed: "
        "Another password change is in progress."
    )


def test_the_summary_tells_pending_only_when_there_is_any() -> None:
    assert counts(2, 0, 0, 0) == "(accounts updated: 2, unchanged: 0, failures: 0)"
    assert counts(1, 0, 0, 3) == "(accounts updated: 1, unchanged: 0, failures: 0, pending: 3)"


def test_braces_in_a_name_are_only_text() -> None:
    assert "'{dn}{0}'" in Message.OBJECT_NOT_FOUND.say(dn="{dn}{0}")
    assert "{user}" in Message.CHECK_REFUSED.say(account="a", reason="{user}")
