"""docs/reference/external-policy.openapi.yaml is what is really asked and taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from advised_servers import ADA, SHIP, SPRING, Advised
from harbour import ADA_AD, NEW, OTHER, PASSWORDS, administrator, wire
from hypothesis import given
from hypothesis import strategies as st
from small_yaml import NotUnderstood, problems, read_yaml
from stand_in import Asked, accepting, refusing
from twisted.web.server import Request

from provserver.https.signing import NONCE, SIGNATURE, TIME
from provserver.passwords.external.forms import LONGEST_TEXT, MOST_REASONS, RULES, Malformed, decode_answer
from provserver.passwords.opinions import Kind
from provserver.testing.wire import replace

REPOSITORY = Path(__file__).resolve().parents[3]
TEXT = (REPOSITORY / "docs" / "reference" / "external-policy.openapi.yaml").read_text("utf-8")
API: Any = read_yaml(TEXT)
SCHEMAS = API["components"]["schemas"]
ANSWER = SCHEMAS["Answer"]


def heads(asked: Asked) -> list[str]:
    """What is wrong with the headers of a request."""
    found = []
    for parameter in API["components"]["parameters"].values():
        assert (parameter["in"], parameter["required"]) == ("header", True)
        value = asked.headers.get(parameter["name"].lower())
        found += problems(value, parameter["schema"], API, parameter["name"])
    return found


def is_taken(body: bytes) -> bool:
    try:
        decode_answer(body)
    except Malformed:
        return False
    return True


@pytest_twisted.ensureDeferred
async def test_every_kind_of_request_is_as_documented(advised: Advised) -> None:
    server, service = await advised()
    ad, ada, admin = (
        await wire(server, "psync-ad-corp"),
        await wire(server, "aokafor"),
        await administrator(server),
    )
    assert (await ad.test(ADA_AD, NEW)).code == 0
    assert (await ad.sync(ADA_AD, OTHER)).code == 0
    assert (await ada.modify(ADA, replace("eTPassword", PASSWORDS["aokafor"]))).code == 0
    assert (await admin.modify(ADA, replace("eTPassword", NEW))).code == 0
    assert [asked.document["kind"] for asked in service.asked] == [kind.value for kind in Kind]
    for asked in service.asked:
        assert problems(asked.document, SCHEMAS["Request"], API) == []
        assert heads(asked) == []
        assert asked.headers["content-type"] in API["paths"]["/"]["post"]["requestBody"]["content"]


@pytest_twisted.ensureDeferred
async def test_documented_answers_are_taken(advised: Advised) -> None:
    said: list[bytes] = []

    def noting(asked: Asked, request: Request) -> None:
        write = request.write
        request.write = lambda octets: (said.append(octets), write(octets))[1]  # type: ignore[method-assign]
        (accepting if len(said) else refusing(SHIP, SPRING))(asked, request)

    server, _ = await advised(noting)
    ad = await wire(server, "psync-ad-corp")
    assert (await ad.test(ADA_AD, NEW)).code == 19
    assert (await ad.test(ADA_AD, NEW)).code == 0
    assert [problems(json.loads(body), ANSWER, API) for body in said] == [[], []]


REASON = st.fixed_dictionaries(
    {
        "code": st.sampled_from([*RULES, "passwordExpired", ""]) | st.integers(),
        "text": st.text(st.characters(categories=["L", "N", "P"]), max_size=LONGEST_TEXT + 2) | st.none(),
    },
    optional={"help": st.text()},
)
DOCUMENT = st.fixed_dictionaries(
    {"verdict": st.sampled_from(["accept", "refuse", "maybe"])},
    optional={"reasons": st.lists(REASON, max_size=3) | st.none(), "until": st.integers()},
)


@given(DOCUMENT | st.none() | st.lists(DOCUMENT))
def test_an_answer_is_taken_if_and_only_if_it_is_as_documented(document: Any) -> None:
    assert is_taken(json.dumps(document).encode()) == (not problems(document, ANSWER, API))


@pytest.mark.parametrize(
    ("count", "taken"), [(0, False), (1, True), (MOST_REASONS, True), (MOST_REASONS + 1, False)]
)
def test_the_documented_number_of_reasons_is_taken(count: int, taken: bool) -> None:
    document = {"verdict": "refuse", "reasons": [{"code": SHIP[0], "text": SHIP[1]}] * count}
    assert is_taken(json.dumps(document).encode()) is taken
    assert (not problems(document, ANSWER, API)) is taken


def test_names_and_limits_are_those_of_the_code() -> None:
    reason = SCHEMAS["Reason"]["properties"]
    assert reason["code"]["enum"] == list(RULES)
    assert reason["text"]["maxLength"] == LONGEST_TEXT
    assert SCHEMAS["Refusal"]["properties"]["reasons"]["maxItems"] == MOST_REASONS
    assert SCHEMAS["Request"]["properties"]["kind"]["enum"] == [kind.value for kind in Kind]
    named = [parameter["name"] for parameter in API["components"]["parameters"].values()]
    assert named == [TIME, NONCE, SIGNATURE]
    assert list(API["paths"]["/"]["post"]["responses"]["200"]["headers"]) == [SIGNATURE]


@pytest.mark.parametrize(
    "text", ["a: b\na: c", "a: {b: c}", "a: 'b'", "a\n", "a: b # why", "a:\n  b: c\n d: e"]
)
def test_what_is_not_read_is_an_error(text: str) -> None:
    with pytest.raises(NotUnderstood):
        read_yaml(text)
    with pytest.raises(NotUnderstood):
        problems({}, {"minProperties": 1}, API)
