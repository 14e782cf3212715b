"""COPY and COPYALL: an entry with the properties of another one, and its relationships too.

Source: CA docs 237008 ("the same properties …, including the same roles"; copyall: "relationships
(inclusions)"). Which properties say who somebody is, and so are not copied, is ours: the name, the password,
and what the server itself keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from provserver.directory.names import DN
from provserver.etautil.outcomes import Failure
from provserver.etautil.requests import CopyEntry, Values
from provserver.etautil.vocabulary import Vocabulary
from provserver.etautil.writing import Writes
from provserver.ldap.client import Found, LdapClient, LineError
from provserver.ldap.filters import Equality, Filter, Or, Present, Scope
from provserver.ldap.results import Refusal, ResultCode

_ID: Final = "eTID"
_NOT_YET: Final = b"new"
"""The id of a copy that is only shown."""
_ANY: Final = Present("objectClass")
_ENDS: Final = (("eTPID", "eTSuperiorClassEntry"), ("eTCID", "eTSubordinateClassEntry"))
"""Of an inclusion: the ids that it joins, superior first, and the names that go with them."""


async def copy_entry(
    request: CopyEntry, client: LdapClient, writes: Writes, vocabulary: Vocabulary, *, dry_run: bool
) -> Sequence[Failure]:
    """Add the copy; the relationships that could not be copied. Refusal, LineError: there is no copy."""
    source = await _read(client, request.source, ("*", _ID))
    await writes.add(request.dn, _properties(source, request, vocabulary))
    if request.shares is None:
        return ()
    old = source.values(_ID)[0]
    joined: Filter = Or(tuple(Equality(attribute, old) for attribute, _ in _ENDS))
    inclusions = await client.search(request.shares, Scope.SUBTREE, joined)
    failures = []
    new = _NOT_YET if dry_run else b""
    for inclusion in inclusions:
        try:
            new = new or (await _read(client, request.dn, (_ID,))).values(_ID)[0]
            await writes.add(*_inclusion(inclusion, old, new, request))
        except (Refusal, LineError) as error:
            failures.append(Failure.of(inclusion.dn, error))
    return failures


async def _read(client: LdapClient, dn: str, attributes: Sequence[str]) -> Found:
    found = await client.search(dn, Scope.BASE, _ANY, attributes)
    if not found:
        raise Refusal(ResultCode.NO_SUCH_OBJECT, f"{dn} cannot be read")
    return found[0]


def _properties(source: Found, request: CopyEntry, vocabulary: Vocabulary) -> Values:
    naming, name = DN.parse(request.dn).rdns[0].pairs[0]
    left_out = {naming.lower(), _ID.lower(), *(attribute.lower() for attribute, _ in request.different)}
    kept = [
        (attribute, tuple(values))
        for attribute, values in source.attributes.items()
        if attribute.lower() not in left_out and not vocabulary.is_kept_by_the_server(attribute)
    ]
    given = [(attribute, values) for attribute, values in request.different if values]
    return (*kept, (naming, (name.encode(),)), *given)


def _inclusion(inclusion: Found, old: bytes, new: bytes, request: CopyEntry) -> tuple[str, Values]:
    """The same relationship, of the copy."""
    dn = DN.parse(inclusion.dn)
    ids = {attribute: inclusion.values(attribute)[0] for attribute, _ in _ENDS}
    ends = [name for attribute, name in _ENDS if ids[attribute] == old]
    ids = {attribute: new if value == old else value for attribute, value in ids.items()}
    name = b"@".join(ids.values()).decode()
    naming = dn.rdns[0].pairs[0][0]
    changed = {naming.lower(), *(attribute.lower() for attribute in ids), *(end.lower() for end in ends)}
    kept = [
        (attribute, tuple(values))
        for attribute, values in inclusion.attributes.items()
        if attribute.lower() not in changed and attribute.lower() != _ID.lower()
    ]
    parent = dn.parent or dn
    attributes: Values = (
        *kept,
        (naming, (name.encode(),)),
        *((attribute, (value,)) for attribute, value in ids.items()),
        *((end, (request.dn.encode(),)) for end in ends),
    )
    return parent.child(naming, name).text, attributes
