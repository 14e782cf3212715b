"""What the external password policy is asked, and answers, as JSON.

An answer is either exactly of this form or none at all: what is not understood never counts as acceptance.
Its sentences are another's, and go to users and into the journal: they are short, of one line, and never
hold the password. Others read of it in docs/reference/external-policy.openapi.yaml.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, NoReturn

from provserver.passwords.opinions import Question
from provserver.passwords.reasons import PolicyRefusal, PolicyRule
from provserver.vault.secret import Secret

MOST_REASONS: Final = 20
LONGEST_TEXT: Final = 200
"""Characters."""

RULES: Final = {
    "insufficientPasswordQuality": PolicyRule.EXTERNAL,
    "passwordTooShort": PolicyRule.TOO_SHORT,
    "passwordTooLong": PolicyRule.TOO_LONG,
    "passwordTooYoung": PolicyRule.TOO_YOUNG,
    "passwordInHistory": PolicyRule.IN_HISTORY,
}
"""The codes of an answer are the errors that draft-behera-ldap-password-policy 6.2 has for a new password."""

_WITHHELD: Final = "the external password policy refuses it"
"""In the place of a sentence that repeats the password."""


class Malformed(ValueError):
    """No answer of this form: says where, and what was expected; never what came."""


def encode_question(question: Question) -> bytes:
    """The body of a request. The password is in it."""
    document = {
        "kind": question.kind.value,
        "user": question.user,
        "account": question.account,
        "endpoint": question.endpoint,
        "namespace": question.namespace,
        "password": question.secret.reveal_text(),
    }
    return json.dumps(document, ensure_ascii=False).encode()


def decode_answer(body: bytes) -> tuple[PolicyRefusal, ...]:
    """All objections to the password; none: it is accepted. Malformed."""
    document = _read(body)
    if not isinstance(document, dict):
        raise Malformed("expected an object")
    verdict = document.get("verdict")
    if verdict == "accept":
        _demand_keys(document, {"verdict"}, "an acceptance")
        return ()
    if verdict != "refuse":
        raise Malformed('verdict: expected "accept" or "refuse"')
    _demand_keys(document, {"verdict", "reasons"}, "a refusal")
    reasons = document["reasons"]
    if not isinstance(reasons, list) or not 1 <= len(reasons) <= MOST_REASONS:
        raise Malformed(f"reasons: expected a list of 1 to {MOST_REASONS}")
    return tuple([_reason(reason) for reason in reasons])


def discreet(objections: Sequence[PolicyRefusal], secret: Secret) -> tuple[PolicyRefusal, ...]:
    """The same, but none repeats the password: what a service says is not ours to trust with it."""
    password = secret.reveal_text().casefold()
    return tuple(
        [PolicyRefusal(one.rule, _WITHHELD) if password in one.text.casefold() else one for one in objections]
    )


def _read(body: bytes) -> object:
    try:
        return json.loads(body, object_pairs_hook=_object, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        pass
    # Raised outside of the `except`: a JSON error keeps the whole text.
    raise Malformed("expected JSON in UTF-8")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key twice")
    return document


def _no_constant(name: str) -> NoReturn:
    raise ValueError("no JSON")


def _demand_keys(document: dict[str, object], wanted: set[str], what: str) -> None:
    if document.keys() != wanted:
        raise Malformed(f"expected {what} to have {' and '.join(sorted(wanted))}, nothing else")


def _reason(reason: object) -> PolicyRefusal:
    if not isinstance(reason, dict):
        raise Malformed("reasons: expected objects")
    _demand_keys(reason, {"code", "text"}, "a reason")
    code, text = reason["code"], reason["text"]
    rule = RULES.get(code) if isinstance(code, str) else None
    if rule is None:
        raise Malformed(f"code: expected one of {', '.join(RULES)}")
    if not isinstance(text, str) or not 1 <= len(text) <= LONGEST_TEXT or not text.isprintable():
        raise Malformed(f"text: expected 1 to {LONGEST_TEXT} characters of one line")
    return PolicyRefusal(rule, text)
