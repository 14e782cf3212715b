"""An explanation in sentences: each thing that it can say is said."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from provserver.cli.explained import text_of

NEVER: dict[str, Any] = {"waiting": [], "last": None}
EXPLANATION: dict[str, Any] = {
    "at": "2026-09-21T14:15:00Z",
    "account": {"dn": "cn=a,dc=im", "name": "UNIX - etc Account 'a' on 'b'"},
    "endpoint": {
        "namespace": "UNIX - etc",
        "name": "b",
        "connector": "unix",
        "propagation": True,
        "agentInstalled": True,
        "resetsChecked": False,
    },
    "owner": "cn=u,dc=im",
    "gates": [{"open": True, "why": "correlated to Global User 'u'"}],
    "guard": {
        "on": True,
        "threshold": 600.0,
        "refuses": False,
        "attemptLasts": False,
        "refusesUntil": None,
        "secondsLeft": None,
        "clearedAt": None,
        "echoes": 0,
        "sent": [],
    },
    "deliveries": NEVER,
    "plan": {"sync": [], "elsewhere": {"dn": "cn=a,dc=im", "name": "a", "in": True, "why": "deliver"}},
}
SENT = {
    "sentAt": "2026-09-21T14:13:20Z",
    "endedAt": None,
    "echoUntil": None,
    "mustChange": True,
    "change": "c",
}
ROW = {
    "state": "held",
    "since": "2026-09-21T14:13:20Z",
    "dueAt": "2026-09-21T14:14:20Z",
    "attempts": 2,
    "event": 6927,
    "text": "too new",
}


def told(**changes: Any) -> str:
    """`guard__on=False` changes what is under guard."""
    about = copy.deepcopy(EXPLANATION)
    for path, value in changes.items():
        *above, last = path.split("__")
        place = about
        for name in above:
            place = place[name]
        place[last] = value
    return text_of(about)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "passes: password synchronization is enabled, and the user is not suspended"),
        ({"gates": [{"open": False, "why": "closed"}]}, "is refused: closed"),
        ({}, "another password is not refused\n"),
        ({"endpoint__agentInstalled": False}, "another password is not refused: no agent is installed there"),
        ({"guard__on": False}, "is off: Agent Response Threshold is 0"),
        ({"guard__refuses": True, "guard__attemptLasts": True}, "the attempt has not ended"),
        (
            {"guard__refuses": True, "guard__secondsLeft": 59.2, "guard__refusesUntil": "T"},
            "another password is refused for 1 min 0 s more, until T",
        ),
        (
            {"guard__refuses": True, "guard__secondsLeft": 0.1, "guard__refusesUntil": "T"},
            "another password is refused for 1 s more, until T",
        ),
        ({"guard__clearedAt": "T"}, "cleared by an administrator at T"),
        ({"guard__echoes": 3}, "would be echoes: 3"),
        ({"guard__sent": [SENT]}, "sent 2026-09-21T14:13:20Z, not ended; to be changed at next logon"),
        ({}, "no other account"),
        (
            {"plan__elsewhere": {"in": False, "why": "propagation disabled on the endpoint"}},
            "is not delivered here: propagation disabled on the endpoint",
        ),
        ({}, "is delivered here"),
        (
            {"deliveries__waiting": [ROW]},
            "on its way since 2026-09-21T14:13:20Z: held, after 2 attempts (6927: too new)",
        ),
        (
            {"deliveries__waiting": [{**ROW, "state": "pending", "attempts": 0, "event": 0}]},
            "pending, not tried yet, due 2026-09-21T14:14:20Z\n",
        ),
        (
            {"deliveries__last": {"state": "updated", "at": "T", "event": 7000, "text": ""}},
            "last password sent there: updated, T (7000)",
        ),
        ({}, "its characters are not checked"),
        ({"endpoint__resetsChecked": True}, "its characters are checked"),
    ],
)
def test_it_is_said(changes: dict[str, Any], sentence: str) -> None:
    assert sentence in told(**changes) + "\n"
