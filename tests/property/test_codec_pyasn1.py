"""Our codec against pyasn1 with its RFC 2251 module, an opinion that we did not write; both directions."""

from __future__ import annotations

from typing import Any

import pytest
from codec_strategies import (
    attributes,
    changes,
    controls,
    leaves,
    maybe_octets,
    numbers,
    octets,
    results,
    texts,
)
from codec_strategies import secrets as passwords
from hypothesis import given, settings
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder
from pyasn1_modules import rfc2251

from provserver.ldap import filters as f
from provserver.ldap import messages as m
from provserver.ldap.codec import decode_message, encode_message
from provserver.ldap.messages import Message

few = settings(max_examples=25)

# pyasn1_modules.rfc2251 nests filters in and, or by one level only, tags `not` wrongly, and takes DelRequest,
# AbandonRequest and UnbindRequest for something else; ldaptor is the oracle for those.
_some_leaves = st.lists(leaves, min_size=1, max_size=3).map(tuple)
flat_filters = leaves | st.builds(f.And, _some_leaves) | st.builds(f.Or, _some_leaves)

OPERATIONS: dict[str, st.SearchStrategy[Any]] = {
    "bindRequest": st.one_of(
        st.builds(m.BindRequest, st.integers(1, 127), texts, passwords),
        st.builds(
            m.BindRequest, st.just(3), texts, st.builds(m.SaslCredentials, texts, st.none() | passwords)
        ),
    ),
    "bindResponse": st.builds(m.BindResponse, results, maybe_octets),
    "searchRequest": st.builds(
        m.SearchRequest,
        texts,
        st.sampled_from(f.Scope),
        st.sampled_from(m.DerefAliases),
        numbers,
        numbers,
        st.booleans(),
        flat_filters,
        st.lists(texts, max_size=3).map(tuple),
    ),
    "searchResEntry": st.builds(m.SearchResultEntry, texts, attributes()),
    "searchResDone": st.builds(m.SearchResultDone, results),
    "searchResRef": st.builds(m.SearchResultReference, st.lists(texts, min_size=1, max_size=2).map(tuple)),
    # RFC 2251 does not know increment (RFC 4525).
    "modifyRequest": st.builds(
        m.ModifyRequest,
        texts,
        changes.filter(lambda found: all(change.kind is not m.ChangeKind.INCREMENT for change in found)),
    ),
    "modifyResponse": st.builds(m.ModifyResponse, results),
    "addRequest": st.builds(m.AddRequest, texts, attributes(least_values=1)),
    "addResponse": st.builds(m.AddResponse, results),
    "delResponse": st.builds(m.DeleteResponse, results),
    "modDNRequest": st.builds(m.ModifyDNRequest, texts, texts, st.booleans(), st.none() | texts),
    "modDNResponse": st.builds(m.ModifyDNResponse, results),
    "compareRequest": st.builds(m.CompareRequest, texts, texts, octets),
    "compareResponse": st.builds(m.CompareResponse, results),
    "extendedReq": st.builds(m.ExtendedRequest, texts, maybe_octets),
    "extendedResp": st.builds(m.ExtendedResponse, results, st.none() | texts, maybe_octets),
}


class Pyasn1:
    """Messages of ours as values of pyasn1_modules.rfc2251, built by component name."""

    def message(self, name: str, message: Message) -> Any:
        built = rfc2251.LDAPMessage()
        built["messageID"] = message.id
        operation = built["protocolOp"][name]
        getattr(self, name, self.plain)(operation, message.operation)
        for index, control in enumerate(message.controls):
            into = built["controls"][index]
            into["controlType"] = control.oid.encode()
            if control.critical:
                into["criticality"] = True
            if control.value is not None:
                into["controlValue"] = control.value
        return built

    def result(self, into: Any, result: Any) -> None:
        into["resultCode"] = int(result.code)
        into["matchedDN"] = result.matched_dn.encode()
        into["errorMessage"] = result.diagnostic.encode()
        for index, uri in enumerate(result.referrals):
            into["referral"][index] = uri.encode()

    def plain(self, into: Any, operation: Any) -> None:
        self.result(into, operation.result)

    def bindRequest(self, into: Any, operation: m.BindRequest) -> None:
        into["version"] = operation.version
        into["name"] = operation.name.encode()
        if isinstance(operation.authentication, m.SaslCredentials):
            sasl = into["authentication"]["sasl"]
            sasl["mechanism"] = operation.authentication.mechanism.encode()
            if operation.authentication.credentials is not None:
                sasl["credentials"] = operation.authentication.credentials.reveal()
        else:
            into["authentication"]["simple"] = operation.authentication.reveal()

    def bindResponse(self, into: Any, operation: m.BindResponse) -> None:
        self.result(into, operation.result)
        if operation.server_sasl_credentials is not None:
            into["serverSaslCreds"] = operation.server_sasl_credentials

    def searchRequest(self, into: Any, operation: m.SearchRequest) -> None:
        into["baseObject"] = operation.base.encode()
        into["scope"] = int(operation.scope)
        into["derefAliases"] = int(operation.deref_aliases)
        into["sizeLimit"] = operation.size_limit
        into["timeLimit"] = operation.time_limit
        into["typesOnly"] = operation.types_only
        self.filter(into["filter"], operation.filter)
        into["attributes"].clear()
        for index, name in enumerate(operation.attributes):
            into["attributes"][index] = name.encode()

    def filter(self, into: Any, wanted: f.Filter) -> None:
        match wanted:
            case f.And(parts) | f.Or(parts):
                for index, part in enumerate(parts):
                    self.filter(into["and" if isinstance(wanted, f.And) else "or"][index], part)
            case f.Present(attribute):
                into["present"] = attribute.encode()
            case f.Substrings():
                into["substrings"]["type"] = wanted.attribute.encode()
                pieces = [("initial", wanted.initial), *(("any", piece) for piece in wanted.any)]
                pieces = [piece for piece in [*pieces, ("final", wanted.final)] if piece[1] is not None]
                for index, (kind, piece) in enumerate(pieces):
                    into["substrings"]["substrings"][index][kind] = piece
            case f.Extensible():
                rule = into["extensibleMatch"]
                if wanted.rule is not None:
                    rule["matchingRule"] = wanted.rule.encode()
                if wanted.attribute is not None:
                    rule["type"] = wanted.attribute.encode()
                rule["matchValue"] = wanted.value
                if wanted.dn_attributes:
                    rule["dnAttributes"] = True
            case _:
                names = {
                    f.Equality: "equalityMatch",
                    f.GreaterOrEqual: "greaterOrEqual",
                    f.LessOrEqual: "lessOrEqual",
                    f.Approximate: "approxMatch",
                }
                comparison = into[names[type(wanted)]]
                comparison["attributeDesc"] = wanted.attribute.encode()
                comparison["assertionValue"] = wanted.value

    def values(self, into: Any, attribute: m.PartialAttribute) -> None:
        into["type"] = attribute.description.encode()
        into["vals"].clear()
        for index, value in enumerate(attribute.values):
            into["vals"][index] = value

    def searchResEntry(self, into: Any, operation: m.SearchResultEntry) -> None:
        into["objectName"] = operation.dn.encode()
        into["attributes"].clear()
        for index, attribute in enumerate(operation.attributes):
            self.values(into["attributes"][index], attribute)

    def searchResRef(self, into: Any, operation: m.SearchResultReference) -> None:
        for index, uri in enumerate(operation.uris):
            into[index] = uri.encode()

    def modifyRequest(self, into: Any, operation: m.ModifyRequest) -> None:
        into["object"] = operation.dn.encode()
        into["modification"].clear()
        for index, change in enumerate(operation.changes):
            into["modification"][index]["operation"] = int(change.kind)
            self.values(into["modification"][index]["modification"], change.attribute)

    def addRequest(self, into: Any, operation: m.AddRequest) -> None:
        into["entry"] = operation.dn.encode()
        into["attributes"].clear()
        for index, attribute in enumerate(operation.attributes):
            self.values(into["attributes"][index], attribute)

    def modDNRequest(self, into: Any, operation: m.ModifyDNRequest) -> None:
        into["entry"] = operation.dn.encode()
        into["newrdn"] = operation.new_rdn.encode()
        into["deleteoldrdn"] = operation.delete_old_rdn
        if operation.new_superior is not None:
            into["newSuperior"] = operation.new_superior.encode()

    def compareRequest(self, into: Any, operation: m.CompareRequest) -> None:
        into["entry"] = operation.dn.encode()
        into["ava"]["attributeDesc"] = operation.description.encode()
        into["ava"]["assertionValue"] = operation.value

    def extendedReq(self, into: Any, operation: m.ExtendedRequest) -> None:
        into["requestName"] = operation.oid.encode()
        if operation.value is not None:
            into["requestValue"] = operation.value

    def extendedResp(self, into: Any, operation: m.ExtendedResponse) -> None:
        self.result(into, operation.result)
        if operation.oid is not None:
            into["responseName"] = operation.oid.encode()
        if operation.value is not None:
            into["response"] = operation.value


@pytest.mark.parametrize("name", OPERATIONS)
def test_pyasn1_and_we_understand_each_other(name: str) -> None:
    @few
    @given(st.builds(Message, numbers, OPERATIONS[name], controls))
    def agree(message: Message) -> None:
        ours = encode_message(message)
        theirs = encoder.encode(Pyasn1().message(name, message))
        assert decode_message(theirs, 0, len(theirs)) == message
        understood, rest = decoder.decode(ours, asn1Spec=rfc2251.LDAPMessage())
        assert not rest
        assert encoder.encode(understood) == theirs

    agree()
