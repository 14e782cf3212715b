"""SCIM's documents (RFC 7643, RFC 7644) as far as passwords need them: what is sent, and what is read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from provserver.connectors.contract import (
    Account,
    Busy,
    ConnectorError,
    ConnectorFailure,
    Misfit,
    NotSupported,
    PasswordInHistory,
    PasswordPolicyViolation,
)
from provserver.connectors.hashes import text_of
from provserver.connectors.web import failures
from provserver.connectors.web.calling import Answer
from provserver.directory.names import DN
from provserver.vault.secret import Secret

MEDIA_TYPE: Final = "application/scim+json"

_PATCH: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_POLICY: Final = re.compile(
    r"polic(y|ies)|complex|too (short|long|simple|common)|weak|strength|at least|minimum|must (contain|have)|"
    r"requirements?",
    re.IGNORECASE,
)
"""By which a refusal without a scimType speaks of the password: all else in the request is ours."""

Document = Mapping[str, Any]
Wish = tuple[str, bool | str]
"""A path, and what is put there."""


def query(parameters: Mapping[str, str]) -> str:
    """RFC 7644 3.4.2: `?filter=…`."""
    return f"?{urlencode(parameters)}"


def equals(attribute: str, value: str) -> str:
    """A filter (RFC 7644 3.4.2.2): the value is a JSON string."""
    return f"{attribute} eq {json.dumps(value, ensure_ascii=False)}"


def patch(secret: Secret, wishes: Sequence[Wish], *, with_path: bool) -> Secret:
    """The body of a PATCH (RFC 7644 3.5.2.3): all of it is done, or nothing. `with_path`: each value has its
    path; else one value is an object, for servers that want it so.
    """
    more = dict(wishes)
    if with_path:
        pairs = [("password", text_of(secret)), *more.items()]
        return Secret.of_text(_patched([{"op": "replace", "path": path, "value": it} for path, it in pairs]))
    return Secret.of_text(_patched([{"op": "replace", "value": {"password": text_of(secret), **more}}]))


def _patched(operations: Sequence[Mapping[str, object]]) -> str:
    return json.dumps({"schemas": [_PATCH], "Operations": operations}, ensure_ascii=False)


def document(answer: Answer) -> Document:
    """A good answer's. ConnectorError."""
    read = _document(answer)
    if read is None:
        raise ConnectorError("expected an answer in JSON, an object, of a size that can be read")
    return read


def _document(answer: Answer) -> Document | None:
    try:
        read = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def resources(answer: Answer) -> tuple[list[Document], int]:
    """Those of a list (RFC 7644 3.4.2), and how many there are in all. ConnectorError."""
    read = document(answer)
    total, listed = read.get("totalResults"), read.get("Resources", [])
    if not isinstance(total, int) or not isinstance(listed, list):
        raise ConnectorError("expected a list of SCIM's, with totalResults and Resources")
    return [one for one in listed if isinstance(one, dict)], total


def misfits(config: Document, *, filters: bool) -> list[Misfit]:
    """What a service says that it cannot do, of what is needed here. `filters`: users are looked up."""

    def lacks(feature: str) -> bool:
        said = config.get(feature)
        return isinstance(said, dict) and said.get("supported") is False

    found = []
    if lacks("patch"):
        found.append(
            Misfit(
                "the service says that it takes no PATCH", "no password can be set there by this connector"
            )
        )
    if filters and lacks("filter"):
        found.append(
            Misfit("the service says that it knows no filters", "set id to where an account's id can be told")
        )
    if lacks("changePassword"):
        # Said also by services that take one: it is about the user's own, some think.
        found.append(
            Misfit("the service says that passwords are not changed", "see whether one arrives", grave=False)
        )
    return found


def detail(answer: Answer, hidden: Sequence[Secret]) -> str:
    """What an error says to people (RFC 7644 3.12)."""
    return failures.said(str((_document(answer) or {}).get("detail", "")), hidden)


def refusal(answer: Answer, hidden: Sequence[Secret]) -> ConnectorFailure:
    """What an answer to a PATCH means that is no success (RFC 7644 3.12)."""
    read = _document(answer) or {}
    kind, told = str(read.get("scimType", "")), str(read.get("detail", ""))
    said = detail(answer, hidden)
    shown = f": {said}" if said else ""
    if answer.code in (400, 409, 412, 413, 422) and not kind:
        kind = "invalidValue" if _POLICY.search(told) or failures.HISTORY.search(told) else ""
    if answer.code in (400, 409, 422) and kind == "invalidValue":
        history = failures.HISTORY.search(told) is not None
        policy = PasswordInHistory if history else PasswordPolicyViolation
        return policy(f"the service refuses the password{shown}")
    if kind in ("mutability", "noTarget", "invalidPath"):
        return NotSupported(f"the service has passwords not set ({kind}){shown}")
    if answer.code == 405:
        return NotSupported(f"the service knows no PATCH{shown}")
    if answer.code in (409, 412):
        return Busy(f"somebody else changes the user just now (HTTP status {answer.code}){shown}")
    return failures.of_status(answer, sending=True, detail=said)


def account_of(resource: Document, attribute: str) -> Account | None:
    """A user as an account, named by this attribute; None: it has none. The DN is empty: a service knows none
    of ours.
    """
    found = dict(_flat("", resource))
    name = next(
        (values[0] for path, values in found.items() if path.casefold() == attribute.casefold()), None
    )
    found.pop("password", None)  # RFC 7643 7: never returned, but who knows
    return None if not name else Account(name, DN.parse(""), found)


def _flat(path: str, value: object) -> list[tuple[str, tuple[str, ...]]]:
    """Attributes by their paths: `userName`, `name.familyName`, `emails`, `active`; an extension's by its
    attributes' own names.
    """
    if isinstance(value, bool):
        return [(path, ("true" if value else "false",))]
    if isinstance(value, str | int | float):
        return [(path, (str(value),))] if str(value) else []
    if isinstance(value, list):
        texts = [one.get("value") if isinstance(one, dict) else one for one in value]
        found = tuple([one for one in texts if isinstance(one, str) and one])
        return [(path, found)] if found else []
    if isinstance(value, dict):
        inner = path if path and not path.startswith("urn:") else ""
        return [
            pair
            for name, one in value.items()
            if name not in ("schemas", "meta")
            for pair in _flat(f"{inner}.{name}" if inner else name, one)
        ]
    return []
