"""Hypothesis strategies for every message of RFC 4511; shared by the codec's property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from provserver.ldap import filters as f
from provserver.ldap import messages as m
from provserver.ldap.results import Result, ResultCode
from provserver.vault.secret import Secret

MAX_INT = 2**31 - 1

_sizes = st.sampled_from((126, 127, 128, 255, 256, 65536))  # where the form of a length changes
texts = (
    st.text(max_size=12)
    | st.sampled_from(("dc=im,dc=eta", "cn"))
    | _sizes.map(lambda size: "ö" * (size // 2))
)
octets = st.binary(max_size=12) | _sizes.map(lambda size: b"\x30" * size)
numbers = st.one_of(st.integers(0, MAX_INT), st.sampled_from((0, 127, 128, 32767, 32768, 2**24 - 1, MAX_INT)))
secrets = st.builds(Secret, octets)
maybe_octets = st.none() | octets
maybe_texts = st.none() | texts

_comparisons = st.one_of(
    st.builds(kind, texts, octets) for kind in (f.Equality, f.GreaterOrEqual, f.LessOrEqual, f.Approximate)
)
_substrings = st.builds(
    f.Substrings, texts, maybe_octets, st.lists(octets, max_size=3).map(tuple), maybe_octets
).filter(lambda wanted: wanted.any or wanted.initial is not None or wanted.final is not None)
_extensible = st.builds(f.Extensible, maybe_texts, maybe_texts, octets, st.booleans()).filter(
    lambda wanted: wanted.rule is not None or wanted.attribute is not None
)
leaves = st.one_of(_comparisons, _substrings, st.builds(f.Present, texts), _extensible)


def filters(least_parts: int = 0) -> st.SearchStrategy[f.Filter]:
    """Filters; `least_parts` is 1 for those who do not know RFC 4526."""
    return st.recursive(
        leaves,
        lambda part: st.one_of(
            st.builds(f.Not, part),
            st.builds(f.And, st.lists(part, min_size=least_parts, max_size=3).map(tuple)),
            st.builds(f.Or, st.lists(part, min_size=least_parts, max_size=3).map(tuple)),
        ),
        max_leaves=6,
    )


def attributes(least_values: int = 0) -> st.SearchStrategy[tuple[m.PartialAttribute, ...]]:
    values = st.lists(octets, min_size=least_values, max_size=3).map(tuple)
    return st.lists(st.builds(m.PartialAttribute, texts, values), max_size=3).map(tuple)


changes = st.lists(
    st.builds(
        m.Change,
        st.sampled_from(m.ChangeKind),
        st.builds(m.PartialAttribute, texts, st.lists(octets, max_size=3).map(tuple)),
    ),
    max_size=3,
).map(tuple)

results = st.builds(Result, st.sampled_from(ResultCode), texts, texts, st.lists(texts, max_size=2).map(tuple))

requests = st.one_of(
    st.builds(m.BindRequest, st.integers(1, 127), texts, secrets),
    st.builds(m.BindRequest, st.just(3), texts, st.builds(m.SaslCredentials, texts, st.none() | secrets)),
    st.builds(m.UnbindRequest),
    st.builds(
        m.SearchRequest,
        texts,
        st.sampled_from(f.Scope),
        st.sampled_from(m.DerefAliases),
        numbers,
        numbers,
        st.booleans(),
        filters(),
        st.lists(texts, max_size=3).map(tuple),
    ),
    st.builds(m.ModifyRequest, texts, changes),
    st.builds(m.AddRequest, texts, attributes()),
    st.builds(m.DeleteRequest, texts),
    st.builds(m.ModifyDNRequest, texts, texts, st.booleans(), maybe_texts),
    st.builds(m.CompareRequest, texts, texts, octets),
    st.builds(m.AbandonRequest, numbers),
    st.builds(m.ExtendedRequest, texts, maybe_octets),
)

responses = st.one_of(
    st.builds(m.BindResponse, results, maybe_octets),
    st.builds(m.SearchResultEntry, texts, attributes()),
    st.builds(m.SearchResultReference, st.lists(texts, min_size=1, max_size=3).map(tuple)),
    *(
        st.builds(kind, results)
        for kind in (
            m.SearchResultDone,
            m.ModifyResponse,
            m.AddResponse,
            m.DeleteResponse,
            m.ModifyDNResponse,
            m.CompareResponse,
        )
    ),
    st.builds(m.ExtendedResponse, results, maybe_texts, maybe_octets),
    st.builds(m.IntermediateResponse, maybe_texts, maybe_octets),
)

controls = st.lists(st.builds(m.Control, texts, st.booleans(), maybe_octets), max_size=2).map(tuple)
messages = st.builds(m.Message, numbers, requests | responses, controls)
