"""Which attributes are told to whoever sees an entry: all but the secret ones. Those are told to nobody, in
no answer, and no question can find them out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
import pytest_twisted
from harbour import COMMON, LDAP_HQ, PASSWORDS, administrator
from matrix import SECRETS, WHO, Stage, searching
from rights import PLACES, Place

from provserver.directory.entries import Entry
from provserver.foundation import shipped_schema_texts
from provserver.imps.inclusions import account_class_of
from provserver.imps.users import is_global_user
from provserver.ldap.controls import (
    MatchedValues,
    PostRead,
    PostReadEntry,
    PreRead,
    PreReadEntry,
    SortKey,
    SortRequest,
    SortResult,
    encode_request,
)
from provserver.ldap.filters import Equality, Extensible, Filter, Not, Or, Present, Scope, parse_filter
from provserver.ldap.messages import ModifyRequest, SearchResultEntry
from provserver.ldap.results import ResultCode
from provserver.testing.pytest_plugin import Starter
from provserver.testing.server import GLOBAL_USERS, RunningServer, user_dn
from provserver.testing.wire import replace

C = ResultCode
test = pytest_twisted.ensureDeferred

ALL_SECRETS = (*SECRETS, "provHeldPassword")
COMPUTED = frozenset({"entrydn", "entryuuid", "subschemasubentry", "hassubordinates", "numsubordinates"})
ADA = user_dn("aokafor")


OF_ACCOUNT = frozenset({"provdeliverystate"})
OF_USER = frozenset({"provaccountstatus"})


async def made_of(entry: Entry, server: RunningServer) -> frozenset[str]:
    """What is known of the passwords of accounts to which none was ever sent."""
    if account_class_of(entry):
        return OF_ACCOUNT
    owns = is_global_user(entry) and await server.service.foundation.inclusions.accounts(entry)
    return OF_USER if owns else frozenset()


def described(entry: SearchResultEntry) -> frozenset[str]:
    return frozenset(attribute.description.lower() for attribute in entry.attributes)


def secret_among(descriptions: Iterable[str]) -> list[str]:
    hidden = {secret.lower() for secret in ALL_SECRETS}
    return [one for one in descriptions if one.partition(";")[0] in hidden]


def test_these_are_all_the_secrets_that_there_are() -> None:
    text = "".join([text for _, text in shipped_schema_texts()])
    definitions = re.split(r"^(?=attributetype|objectclass)", text, flags=re.MULTILINE)
    secret = [one for one in definitions if "X-PROV-SECRET 'TRUE'" in one]
    assert {re.search(r"NAME \(? ?'([^']+)'", one)[1] for one in secret} == set(ALL_SECRETS)  # type: ignore[index]


@pytest.mark.parametrize("who", WHO)
@test
async def test_whoever_sees_an_entry_sees_all_of_it_but_the_secrets(stage: Stage, who: str) -> None:
    told, expected = {}, {}
    for place in PLACES:
        if place.is_there and WHO[who].sees(place.name):
            entry = await stage.server.entry(place.dn)
            assert entry is not None
            stored = {key for key in entry.attributes if not secret_among([key])}
            answer = await stage.ask(who, searching(Scope.BASE, "*", "+")(place))
            told[place.what] = described(answer.entries[0])
            expected[place.what] = stored | COMPUTED | await made_of(entry, stage.server)
    assert told == expected


ASKED_FOR = (
    ALL_SECRETS,
    tuple(secret.upper() for secret in ALL_SECRETS),
    tuple(f"{secret};lang-en" for secret in ALL_SECRETS),
    ("*", "+", *ALL_SECRETS),
    ("@extensibleObject", "@eTGlobalUser", "@eTDYNDirectory", "@person", "+"),
    ("2.5.4.35", "2.25.237390618890613785184987807740677441781.1.20.3"),
)
HAVING_SECRETS = (
    Place("a user", ADA),
    Place("an agent", user_dn("psync-ad-corp")),
    Place("an endpoint", LDAP_HQ),
)


@pytest.mark.parametrize("attributes", ASKED_FOR, ids=lambda names: names[0])
@pytest.mark.parametrize("who", WHO)
@test
async def test_a_secret_is_not_told_however_it_is_asked_for(
    stage: Stage, who: str, attributes: tuple[str, ...]
) -> None:
    for place in (*PLACES, *HAVING_SECRETS):
        answer = await stage.ask(who, searching(Scope.BASE, *attributes)(place))
        assert [secret_among(described(entry)) for entry in answer.entries] in ([], [[]])


ASKED_ABOUT = ("=*", "=a*", "=*a*", ">=", "<=zzzz", "~=x", ":caseExactMatch:=x", ";lang-en=*")


async def questions(stage: Stage) -> list[Filter]:
    """What could find out a secret, right guesses first."""
    ada = await stage.server.entry(ADA)
    assert ada is not None
    stored = ada.values("provpasswordhash")[0]
    guesses: list[Filter] = [
        Equality("provPasswordHash", stored),
        Extensible("octetStringMatch", None, stored),
        Extensible("caseExactMatch", None, stored),
        *[Equality(secret, PASSWORDS["aokafor"].encode()) for secret in ALL_SECRETS],
    ]
    for secret in ALL_SECRETS:
        texts = (
            "{}=*",
            "{}=a*",
            "{}=*a*",
            "{}>=",
            "{}<=zzzz",
            "{}~=x",
            "{}:caseExactMatch:=x",
            "{};lang-en=*",
        )
        guesses += [parse_filter(f"({text.format(secret)})") for text in texts]
    return [*guesses, *[Not(guess) for guess in guesses]]


@pytest.mark.parametrize("who", WHO)
@test
async def test_no_question_finds_out_a_secret(stage: Stage, who: str) -> None:
    asked = await questions(stage)
    others = [one for one in asked if not (isinstance(one, Not) and isinstance(one.part, Extensible))]
    for place in (Place("the users", GLOBAL_USERS), Place("the domain", PLACES[0].dn), Place("itself", ADA)):
        for question in others:
            told = await stage.ask(who, searching(Scope.SUBTREE, filter=question)(place))
            assert told.names == [], question
        everything = await stage.ask(who, searching(Scope.SUBTREE)(place))
        either = await stage.ask(
            who, searching(Scope.SUBTREE, filter=Or((Present("objectClass"), *others)))(place)
        )
        assert either.names == everything.names


@pytest.mark.parametrize("secret", ALL_SECRETS)
@test
async def test_no_order_and_no_choice_of_values_tells_a_secret(stage: Stage, secret: str) -> None:
    users = Place("the users", GLOBAL_USERS)
    search = searching(Scope.SUBTREE, "*", "+", secret)(users)
    plain = await stage.ask("an administrator", search)
    client = stage.lines["an administrator"]
    told = await client.ask(search, [encode_request(SortRequest((SortKey(secret),)))])
    assert told.control(SortResult) == SortResult(C.NO_SUCH_ATTRIBUTE, secret)
    assert told.names == plain.names
    chosen = await stage.ask("an administrator", search, MatchedValues((Present(secret),)))
    assert not any(secret_among(described(entry)) for entry in chosen.entries)
    assert not any(one.values for entry in chosen.entries for one in entry.attributes)


@test
async def test_an_entry_before_and_after_a_change_has_no_secret(
    start_provserver: Starter,
) -> None:
    server = await start_provserver()
    admin = await administrator(server)
    wanted = ("*", "+", *ALL_SECRETS)
    for dn in (ADA, LDAP_HQ, COMMON):
        change = ModifyRequest(dn, (replace("description", "x"),))
        told = await admin.ask(change, [encode_request(PreRead(wanted)), encode_request(PostRead(wanted))])
        before, after = told.control(PreReadEntry), told.control(PostReadEntry)
        assert before is not None
        assert after is not None
        assert secret_among(described(before.entry) | described(after.entry)) == []
