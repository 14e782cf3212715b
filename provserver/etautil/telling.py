"""What a person sees: entries as LDIF, one line for each statement that is done, failures on standard error.

What would be done (`--dry-run`) is LDIF too, with secret values hidden.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol, TextIO

from provserver.directory.ldif import write_entry, write_modify
from provserver.etautil.outcomes import Count, Ending, Failure, Outcome
from provserver.etautil.requests import (
    AddEntry,
    CopyEntry,
    CountEntries,
    DeleteEntry,
    ExploreEndpoint,
    FindEntries,
    ModifyEntry,
    ModifyMatching,
    Request,
    Values,
)
from provserver.etautil.vocabulary import Vocabulary
from provserver.ldap.messages import Change

HIDDEN: Final = b"********"
"""In the place of a value that must not be shown."""
Attributes = Mapping[str, Sequence[bytes]]


class Teller(Protocol):
    """Whom everything is told; `number` is the statement's, from 1."""

    def entry(self, number: int, dn: str, attributes: Attributes) -> None: ...

    def count(self, number: int, count: Count) -> None: ...

    def would_add(self, number: int, dn: str, attributes: Values) -> None: ...

    def would_modify(self, number: int, dn: str, changes: Sequence[Change]) -> None: ...

    def would_delete(self, number: int, dn: str) -> None: ...

    def would_explore(self, number: int, dn: str, actions: Sequence[str]) -> None: ...

    def failed(self, number: int, failure: Failure) -> None: ...

    def ended(self, number: int, request: Request, outcome: Outcome) -> None: ...


_VERBS: Final[dict[type[Request], str]] = {
    AddEntry: "add",
    ModifyEntry: "update",
    DeleteEntry: "delete",
    CopyEntry: "copy",
    FindEntries: "select",
    CountEntries: "report",
    ModifyMatching: "masschange",
    ExploreEndpoint: "explore",
}


def verb_of(request: Request) -> str:
    """What the request is called."""
    if isinstance(request, CopyEntry) and request.shares is not None:
        return "copyall"
    return _VERBS[type(request)]


def subject_of(request: Request) -> str:
    """The DN that it is about, or below which it looks."""
    return request.base if isinstance(request, (FindEntries, CountEntries, ModifyMatching)) else request.dn


def harmless(attributes: Values, vocabulary: Vocabulary) -> Values:
    """The same, with secret values hidden."""
    return tuple(
        (name, (HIDDEN,) * len(values) if vocabulary.hides(name) else values) for name, values in attributes
    )


def harmless_changes(
    changes: Sequence[Change], vocabulary: Vocabulary
) -> tuple[tuple[int, str, tuple[bytes, ...]], ...]:
    """Changes as LDIF has them: kind, description, values; secret ones hidden."""
    return tuple(
        (int(change.kind), name, values)
        for change in changes
        for name, values in harmless(((change.attribute.description, change.attribute.values),), vocabulary)
    )


class TextTeller:
    """For people."""

    def __init__(self, out: TextIO, errors: TextIO, vocabulary: Vocabulary) -> None:
        self._out = out
        self._errors = errors
        self._vocabulary = vocabulary

    def entry(self, number: int, dn: str, attributes: Attributes) -> None:
        self._record(write_entry(dn, list(attributes.items())))

    def count(self, number: int, count: Count) -> None:
        print(f"{count.entries:,} entries", file=self._out)
        for name, values in count.values.items():
            for value, times in values.most_common():
                print(f"{times:>12,}  {name}: {shown(value.decode(errors='replace'))}", file=self._out)
            if count.others[name]:
                print(f"{count.others[name]:>12,}  {name}: (other values)", file=self._out)
            if count.without[name]:
                print(f"{count.without[name]:>12,}  {name}: (none)", file=self._out)

    def would_add(self, number: int, dn: str, attributes: Values) -> None:
        self._record(b"# would add\n" + write_entry(dn, harmless(attributes, self._vocabulary)))

    def would_modify(self, number: int, dn: str, changes: Sequence[Change]) -> None:
        self._record(write_modify(dn, harmless_changes(changes, self._vocabulary)))

    def would_delete(self, number: int, dn: str) -> None:
        self._record(write_entry(dn, []) + b"changetype: delete\n")

    def would_explore(self, number: int, dn: str, actions: Sequence[str]) -> None:
        print(f"# would explore {shown(dn)}: {', '.join(actions)}\n", file=self._out)

    def failed(self, number: int, failure: Failure) -> None:
        code = f" {failure.name} ({failure.code}):" if failure.code is not None else ""
        print(f"etautil: {shown(failure.dn)}:{code} {shown(failure.message)}", file=self._errors)

    def ended(self, number: int, request: Request, outcome: Outcome) -> None:
        about = f"{verb_of(request)} {shown(subject_of(request))}"
        if outcome.ending is Ending.NOT_DONE:
            print(f"etautil: statement {number} ({about}): not done", file=self._errors)
            return
        out = self._out if outcome.ending in (Ending.DONE, Ending.SHOWN) else self._errors
        said = _said(request, outcome)
        if said:
            print(f"{about}: {said}", file=out)

    def _record(self, ldif: bytes) -> None:
        print(ldif.decode(), file=self._out)


def _said(request: Request, outcome: Outcome) -> str:
    """What is told of a statement that was begun; "": its entries say it all."""
    parts = [outcome.ending.value]
    if isinstance(request, ModifyMatching):
        parts = [f"{outcome.entries:,} changed", f"{outcome.failures:,} failed"]
        if outcome.skipped:
            parts.append(f"{outcome.skipped:,} done before")
        if outcome.ending in (Ending.INTERRUPTED, Ending.SHOWN):
            parts.append(outcome.ending.value)
    elif outcome.ending is Ending.DONE and isinstance(request, (FindEntries, CountEntries)):
        return "" if outcome.entries or isinstance(request, CountEntries) else "no entries"
    return ", ".join(parts) + (f": {shown(outcome.message)}" if outcome.message else "")


def shown(text: str) -> str:
    """A text from elsewhere, without what a terminal would obey."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
