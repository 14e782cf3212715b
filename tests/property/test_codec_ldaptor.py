"""Our codec against ldaptor's message classes, an opinion that we did not write; both directions."""

from __future__ import annotations

from typing import Any

import pytest
from codec_strategies import (
    attributes,
    changes,
    controls,
    filters,
    maybe_octets,
    numbers,
    octets,
    secrets,
    texts,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from ldaptor.protocols import pureber, pureldap

from provserver.ldap import filters as f
from provserver.ldap import messages as m
from provserver.ldap.codec import decode_message, encode_message
from provserver.ldap.messages import Message
from provserver.ldap.results import Result, ResultCode

few = settings(max_examples=25)

# ldaptor does not know referrals in a result, and takes empty credentials and matched values for none.
results = st.builds(Result, st.sampled_from(ResultCode), texts, texts)
somewhat = octets.filter(bool)
wanted = filters().filter(lambda found: "Extensible" not in repr(found))

REQUESTS: dict[str, st.SearchStrategy[Any]] = {
    "bind": st.builds(m.BindRequest, st.integers(1, 127), texts, secrets),
    "sasl bind": st.builds(
        m.BindRequest, st.just(3), texts, st.builds(m.SaslCredentials, texts, secrets.filter(bool))
    ),
    "unbind": st.builds(m.UnbindRequest),
    "search": st.builds(
        m.SearchRequest,
        texts,
        st.sampled_from(f.Scope),
        st.sampled_from(m.DerefAliases),
        numbers,
        numbers,
        st.booleans(),
        wanted,
        st.lists(texts, max_size=3).map(tuple),
    ),
    "modify": st.builds(m.ModifyRequest, texts, changes),
    "add": st.builds(m.AddRequest, texts, attributes()),
    "delete": st.builds(m.DeleteRequest, texts),
    "modify DN": st.builds(m.ModifyDNRequest, texts, texts, st.booleans(), st.none() | texts),
    "compare": st.builds(m.CompareRequest, texts, texts, octets),
    "abandon": st.builds(m.AbandonRequest, numbers),
    "extended": st.builds(m.ExtendedRequest, texts, maybe_octets),
}

RESPONSES: dict[str, st.SearchStrategy[Any]] = {
    "bind": st.builds(m.BindResponse, results, st.none() | somewhat),
    "entry": st.builds(m.SearchResultEntry, texts, attributes()),
    "reference": st.builds(m.SearchResultReference, st.lists(texts, min_size=1, max_size=3).map(tuple)),
    "done": st.builds(m.SearchResultDone, results),
    "modify": st.builds(m.ModifyResponse, results),
    "add": st.builds(m.AddResponse, results),
    "delete": st.builds(m.DeleteResponse, results),
    "modify DN": st.builds(m.ModifyDNResponse, results),
    "compare": st.builds(m.CompareResponse, results),
    "extended": st.builds(m.ExtendedResponse, results, texts, octets),
}

PLAIN = {
    m.SearchResultDone: pureldap.LDAPSearchResultDone,
    m.ModifyResponse: pureldap.LDAPModifyResponse,
    m.AddResponse: pureldap.LDAPAddResponse,
    m.DeleteResponse: pureldap.LDAPDelResponse,
    m.ModifyDNResponse: pureldap.LDAPModifyDNResponse,
    m.CompareResponse: pureldap.LDAPCompareResponse,
}


def request_of(operation: m.Request) -> Any:
    match operation:
        case m.BindRequest(version, name, m.SaslCredentials(mechanism, credentials)):
            assert credentials is not None
            return pureldap.LDAPBindRequest(version, name, (mechanism, credentials.reveal()), sasl=True)
        case m.BindRequest(version, name, m.Secret() as password):
            return pureldap.LDAPBindRequest(version, name, password.reveal())
        case m.UnbindRequest():
            return pureldap.LDAPUnbindRequest()
        case m.SearchRequest():
            return pureldap.LDAPSearchRequest(
                operation.base,
                int(operation.scope),
                int(operation.deref_aliases),
                operation.size_limit,
                operation.time_limit,
                int(operation.types_only),
                filter_of(operation.filter),
                list(operation.attributes),
            )
        case m.ModifyRequest(dn, changed):
            return pureldap.LDAPModifyRequest(
                dn,
                [
                    pureber.BERSequence(
                        [pureber.BEREnumerated(int(change.kind)), _sequence(change.attribute)]
                    )
                    for change in changed
                ],
            )
        case m.AddRequest(dn, found):
            pairs = [
                (pureldap.LDAPAttributeDescription(one.description), pureber.BERSet(_values(one)))
                for one in found
            ]
            return pureldap.LDAPAddRequest(dn, pairs)
        case m.DeleteRequest(dn):
            return pureldap.LDAPDelRequest(entry=dn)
        case m.ModifyDNRequest(dn, new_rdn, delete_old_rdn, new_superior):
            return pureldap.LDAPModifyDNRequest(dn, new_rdn, int(delete_old_rdn), new_superior)
        case m.CompareRequest(dn, description, value):
            return pureldap.LDAPCompareRequest(
                dn, _assertion(pureldap.LDAPAttributeValueAssertion, description, value)
            )
        case m.AbandonRequest(message_id):
            return pureldap.LDAPAbandonRequest(message_id)
        case m.ExtendedRequest(oid, value):
            return pureldap.LDAPExtendedRequest(oid, value)


def filter_of(asked: f.Filter) -> Any:
    match asked:
        case f.And(parts):
            return pureldap.LDAPFilter_and([filter_of(part) for part in parts])
        case f.Or(parts):
            return pureldap.LDAPFilter_or([filter_of(part) for part in parts])
        case f.Not(part):
            return pureldap.LDAPFilter_not(filter_of(part))
        case f.Present(attribute):
            return pureldap.LDAPFilter_present(attribute)
        case f.Equality(attribute, value):
            return _assertion(pureldap.LDAPFilter_equalityMatch, attribute, value)
        case f.GreaterOrEqual(attribute, value):
            return _assertion(pureldap.LDAPFilter_greaterOrEqual, attribute, value)
        case f.LessOrEqual(attribute, value):
            return _assertion(pureldap.LDAPFilter_lessOrEqual, attribute, value)
        case f.Approximate(attribute, value):
            return _assertion(pureldap.LDAPFilter_approxMatch, attribute, value)
        case f.Substrings(attribute, initial, between, final):
            pieces = [pureldap.LDAPFilter_substrings_any(piece) for piece in between]
            if initial is not None:
                pieces.insert(0, pureldap.LDAPFilter_substrings_initial(initial))
            if final is not None:
                pieces.append(pureldap.LDAPFilter_substrings_final(final))
            return pureldap.LDAPFilter_substrings(attribute, pieces)
        case _:
            raise AssertionError("ldaptor is not asked about extensible matches")


def response_of(operation: m.Response) -> Any:
    match operation:
        case m.BindResponse(result, credentials):
            return pureldap.LDAPBindResponse(*_result(result), serverSaslCreds=credentials)
        case m.SearchResultEntry(dn, found):
            return pureldap.LDAPSearchResultEntry(dn, [(one.description, one.values) for one in found])
        case m.SearchResultReference(uris):
            return pureldap.LDAPSearchResultReference([pureldap.LDAPString(uri) for uri in uris])
        case m.ExtendedResponse(result, oid, value):
            code, matched_dn, diagnostic = _result(result)
            return pureldap.LDAPExtendedResponse(
                code, matched_dn, diagnostic, responseName=oid, response=value
            )
        case _:
            return PLAIN[type(operation)](*_result(operation.result))


def _result(result: Result) -> tuple[int, str, str]:
    return int(result.code), result.matched_dn, result.diagnostic


def _assertion(kind: Any, attribute: str, value: bytes) -> Any:
    return kind(pureldap.LDAPAttributeDescription(attribute), pureldap.LDAPAssertionValue(value))


def _values(attribute: m.PartialAttribute) -> list[Any]:
    return [pureldap.LDAPAttributeValue(value) for value in attribute.values]


def _sequence(attribute: m.PartialAttribute) -> Any:
    name = pureldap.LDAPAttributeDescription(attribute.description)
    return pureber.BERSequence([name, pureber.BERSet(_values(attribute))])


_decoder = pureldap.LDAPBERDecoderContext_TopLevel(
    inherit=pureldap.LDAPBERDecoderContext_LDAPMessage(
        fallback=pureldap.LDAPBERDecoderContext(fallback=pureber.BERDecoderContext()),
        inherit=pureldap.LDAPBERDecoderContext(fallback=pureber.BERDecoderContext()),
    )
)


def _agree(message: Message, operation: Any) -> None:
    asked = [
        (control.oid, True if control.critical else None, control.value) for control in message.controls
    ] or None
    theirs = pureldap.LDAPMessage(operation, controls=asked, id=message.id).toWire()
    assert decode_message(theirs, 0, len(theirs)) == message
    ours = encode_message(message)
    understood, used = pureber.berDecodeObject(_decoder, ours)
    assert used == len(ours)
    assert understood.toWire() == ours


@pytest.mark.parametrize("name", REQUESTS)
def test_ldaptor_and_we_understand_each_others_requests(name: str) -> None:
    @few
    @given(st.builds(Message, numbers, REQUESTS[name], controls))
    def agree(message: Message) -> None:
        _agree(message, request_of(message.operation))

    agree()


@pytest.mark.parametrize("name", RESPONSES)
def test_ldaptor_and_we_understand_each_others_responses(name: str) -> None:
    @few
    @given(st.builds(Message, numbers, RESPONSES[name], controls))
    def agree(message: Message) -> None:
        _agree(message, response_of(message.operation))

    agree()
