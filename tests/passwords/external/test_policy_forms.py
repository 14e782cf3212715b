"""What is asked, and which answers are answers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.passwords.external.forms import (
    RULES,
    Malformed,
    decode_answer,
    discreet,
    encode_question,
)
from provserver.passwords.opinions import Kind, Question
from provserver.passwords.reasons import PolicyRefusal, PolicyRule
from provserver.vault.secret import Secret

BEHERA = {
    "insufficientPasswordQuality": 5,
    "passwordTooShort": 6,
    "passwordTooYoung": 7,
    "passwordInHistory": 8,
    "passwordTooLong": 9,
}
SHORT = {"code": "passwordTooShort", "text": "at least 14 characters are needed"}
NAMES = st.text(min_size=1)


def refusal(*reasons: object, **more: object) -> bytes:
    return json.dumps({"verdict": "refuse", "reasons": list(reasons), **more}).encode()


@given(st.sampled_from(Kind), NAMES, NAMES, NAMES, NAMES, st.text(min_size=1))
def test_a_question_holds_all_that_it_is_about(
    kind: Kind, user: str, account: str, endpoint: str, namespace: str, password: str
) -> None:
    body = encode_question(Question(kind, user, account, endpoint, namespace, Secret.of_text(password)))
    assert json.loads(body.decode("utf-8")) == {
        "kind": kind.value,
        "user": user,
        "account": account,
        "endpoint": endpoint,
        "namespace": namespace,
        "password": password,
    }


def test_a_question_about_the_user_itself_has_no_account() -> None:
    asked = Question(Kind.SELF, "aokafor", None, None, None, Secret(b"Kelp-Compass-88"))
    document = json.loads(encode_question(asked))
    assert [document[name] for name in ("account", "endpoint", "namespace")] == [None, None, None]


def test_a_question_does_not_show_the_password() -> None:
    asked = Question(Kind.SELF, "aokafor", None, None, None, Secret(b"Kelp-Compass-88"))
    assert "Kelp" not in f"{asked!r} {asked}"


def test_an_acceptance_has_no_objections() -> None:
    assert decode_answer(b'{"verdict": "accept"}') == ()


def test_a_refusal_has_its_reasons_in_their_order() -> None:
    other = {"code": "insufficientPasswordQuality", "text": "the name of a ship"}
    assert decode_answer(refusal(SHORT, other)) == (
        PolicyRefusal(PolicyRule.TOO_SHORT, "at least 14 characters are needed"),
        PolicyRefusal(PolicyRule.EXTERNAL, "the name of a ship"),
    )


def test_each_code_is_the_error_of_its_name_in_the_draft() -> None:
    assert {code: rule.behera_error for code, rule in RULES.items()} == BEHERA


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"<html>", "JSON"),
        (b"{" * 60000, "JSON"),
        (b"[" * 60000, "JSON"),
        (b'{"verdict": "accept"', "JSON"),
        (b'{"verdict": "accept"} {}', "JSON"),
        (b'{"verdict": "refuse", "verdict": "accept"}', "JSON"),
        (b'{"verdict": NaN}', "JSON"),
        (b"null", "object"),
        (b'"accept"', "object"),
        (b"true", "object"),
        (b"[]", "object"),
        (b"{}", "verdict"),
        (b'{"verdict": true}', "verdict"),
        (b'{"verdict": "Accept"}', "verdict"),
        (b'{"verdict": ["accept"]}', "verdict"),
        (b'{"verdict": "accept", "reasons": []}', "an acceptance"),
        (b'{"verdict": "accept", "cached": false}', "an acceptance"),
        (b'{"verdict": "refuse"}', "a refusal"),
        (refusal(SHORT, until="later"), "a refusal"),
        (refusal(), "reasons"),
        (b'{"verdict": "refuse", "reasons": {}}', "reasons"),
        (refusal(*[SHORT] * 21), "reasons"),
        (refusal("too short"), "reasons"),
        (refusal({"code": "passwordTooShort"}), "a reason"),
        (refusal({**SHORT, "help": "no"}), "a reason"),
        (refusal({**SHORT, "code": "tooShort"}), "code"),
        (refusal({**SHORT, "code": 6}), "code"),
        (refusal({**SHORT, "code": ["passwordTooShort"]}), "code"),
        (refusal({**SHORT, "text": ""}), "text"),
        (refusal({**SHORT, "text": None}), "text"),
        (refusal({**SHORT, "text": "x" * 201}), "text"),
        (refusal({**SHORT, "text": "one line\n20190402:111426: another"}), "text"),
        (refusal({**SHORT, "text": "\x1b[2J"}), "text"),
    ],
)
def test_what_is_not_exactly_an_answer_is_none(body: bytes, where: str) -> None:
    with pytest.raises(Malformed, match=where):
        decode_answer(body)


@given(
    st.binary()
    | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_nothing_is_an_acceptance_by_accident(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode_answer(body)


@given(st.text(min_size=1, max_size=30))
def test_what_is_wrong_with_an_answer_is_told_without_it(text: str) -> None:
    marked = f"Planted-{text}"
    for body in (
        refusal({**SHORT, "code": marked}),
        json.dumps({"verdict": marked}).encode(),
        marked.encode(),
    ):
        with pytest.raises(Malformed) as raised:
            decode_answer(body)
        assert "Planted" not in repr(raised.value)
        assert raised.value.__context__ is None


@pytest.mark.parametrize(
    "text", ["do not use Kelp-Compass-88", "kelp-compass-88 is known", "KELP-COMPASS-88"]
)
def test_a_sentence_that_repeats_the_password_is_withheld(text: str) -> None:
    said = PolicyRefusal(PolicyRule.TOO_SHORT, text)
    other = PolicyRefusal(PolicyRule.TOO_LONG, "too long")
    withheld, kept = discreet((said, other), Secret(b"Kelp-Compass-88"))
    assert withheld == PolicyRefusal(PolicyRule.TOO_SHORT, "the external password policy refuses it")
    assert kept == other
