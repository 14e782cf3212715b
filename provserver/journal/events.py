"""What the journal records: the closed list of events about exchanges, with their ids and fields.

Deliveries have events of their own (`delivery.events`). Ids 6903-6928 are those of seed 003 where the
meaning is the same; ours begin at 8000.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from provserver.journal.declared import Declared, Field, FieldType, Severity
from provserver.storage.contract import JournalEvent


class Event(IntEnum):
    TEST_PASSED = 8001
    TEST_REFUSED = 8002
    SYNC_ACCEPTED = 8010
    SYNC_REFUSED = 8011
    ECHO = 8012
    GUARD_CLEARED = 8013
    USER_CHANGED = 8020
    USER_CHANGE_REFUSED = 8021
    ACCOUNT_RESET = 8022
    ACCOUNT_RESET_REFUSED = 8023
    USER_RESET = 8024
    USER_RESET_REFUSED = 8025
    HASHED_ANEW = 8026
    DELIVERIES_CANCELLED = 8030
    DELIVERY_RETRIED = 8031
    DELIVERY_DROPPED = 8032
    TREE_CHANGED = 8040
    EXTERNAL_POLICY_SILENT = 8050
    KEYS_READ = 8060
    SEALED_ANEW = 8061
    ENDPOINT_PAUSED = 8070
    ENDPOINT_RESUMED = 8071
    ENDPOINT_CHECKED = 8072
    ENDPOINT_EXPLORED = 8080
    EXPLORATION_BROKEN = 8081
    INCLUSIONS_REPAIRED = 8082


def event(at: float, kind: Event, text: str, fields: Mapping[str, str]) -> JournalEvent:
    """A journal line: a sentence for people, fields for machines."""
    return JournalEvent(at, int(kind), text, fields)


_BY: Final = Field("by", FieldType.DN, "who did it, or asked for it")
_PEER: Final = Field("peer", FieldType.ADDRESS, "from where")
_ASKED_BY: Final = Field("asked by", FieldType.DN, "who really asked, when `by` was only acted as", False)
_ACCOUNT: Final = Field("account", FieldType.DN, "the account")
_SOME_ACCOUNT: Final = Field("account", FieldType.DN, "the account, if an agent reported one", False)
_USER: Final = Field("user", FieldType.DN, "the global user")
_OWNER: Final = Field("user", FieldType.DN, "the account's global user, if it has one", False)
_CHANGE: Final = Field("change", FieldType.TEXT, "id of the change, which its deliveries have too")
_DELIVERIES: Final = Field("deliveries", FieldType.COUNT, "to how many accounts it goes")
_MUST_CHANGE: Final = Field("must change", FieldType.FLAG, "whether its user has to change it again", False)
_ENCODED: Final = Field("encoded", FieldType.TEXT, "scheme, if the password came encoded", False)

_CALLER: Final = (_BY, _PEER, _ASKED_BY)
_ADMINISTRATOR: Final = (
    _BY,
    Field("peer", FieldType.ADDRESS, "from where, if over LDAP", False),
    _ASKED_BY,
    Field("system user", FieldType.TEXT, "who gave the command, if without a server", False),
)
_DELIVERY: Final = (
    *_ADMINISTRATOR,
    _ACCOUNT,
    _CHANGE,
    Field("delivery", FieldType.TEXT, "id of the delivery"),
    Field("state", FieldType.TEXT, "where the delivery stood before"),
)
_ENDPOINT: Final = Field("endpoint", FieldType.DN, "the endpoint")
_DONE: Final = Field("done", FieldType.TEXT, "accounts and users, counted by what became of them")
REPORTED: Final = (*_CALLER, _ACCOUNT, _USER)
"""Fields of a report that an agent made of an account."""
_CHANGED: Final = (*_CALLER, _USER, _CHANGE, _DELIVERIES, _MUST_CHANGE, _ENCODED)
_INFO, _WARNING, _ERROR = Severity.INFORMATION, Severity.WARNING, Severity.ERROR


def _declared(kind: Event, text: str, fields: tuple[Field, ...] = (), severity: Severity = _INFO) -> Declared:
    return Declared(int(kind), kind.name, severity, text, fields)


DECLARED: Final = (
    _declared(Event.TEST_PASSED, "An agent's test of a password was passed.", (*_CALLER, _ACCOUNT)),
    _declared(Event.TEST_REFUSED, "An agent's test of a password was refused.", (*_CALLER, _ACCOUNT)),
    _declared(
        Event.SYNC_ACCEPTED,
        "An agent's report of a change was accepted, and goes to the user's other accounts.",
        (*_CHANGED, _ACCOUNT),
    ),
    _declared(
        Event.SYNC_REFUSED,
        "An agent's report of a change was refused: the account now differs from the others.",
        (*_CALLER, _ACCOUNT),
        _WARNING,
    ),
    _declared(Event.ECHO, "An agent reported a password that we had delivered there.", (*_CALLER, _ACCOUNT)),
    _declared(
        Event.GUARD_CLEARED,
        "An administrator cleared the echo guard of an account.",
        (*_ADMINISTRATOR, _ACCOUNT, _OWNER),
    ),
    _declared(Event.USER_CHANGED, "A global user changed its own password.", _CHANGED),
    _declared(Event.USER_CHANGE_REFUSED, "A global user's own change was refused.", (*_CALLER, _USER)),
    _declared(
        Event.ACCOUNT_RESET,
        "An administrator set the password of one account.",
        (*_CALLER, _ACCOUNT, _OWNER, _CHANGE, _MUST_CHANGE, _ENCODED),
    ),
    _declared(
        Event.ACCOUNT_RESET_REFUSED,
        "An administrator's reset of one account was refused.",
        (*_CALLER, _ACCOUNT, _OWNER),
    ),
    _declared(Event.USER_RESET, "An administrator set the password of a global user.", _CHANGED),
    _declared(
        Event.USER_RESET_REFUSED, "An administrator's reset of a global user was refused.", (*_CALLER, _USER)
    ),
    _declared(
        Event.HASHED_ANEW, "A password was hashed as the settings say, when its user logged in.", (_BY, _USER)
    ),
    _declared(Event.DELIVERIES_CANCELLED, "Deliveries were cancelled."),
    _declared(Event.DELIVERY_RETRIED, "An administrator had a delivery tried again at once.", _DELIVERY),
    _declared(
        Event.DELIVERY_DROPPED,
        "An administrator gave a delivery up; its password was destroyed.",
        _DELIVERY,
        _WARNING,
    ),
    _declared(
        Event.TREE_CHANGED,
        "The tree was changed by somebody who acted as another.",
        (_BY, _ASKED_BY, Field("entry", FieldType.DN, "the first entry that was changed")),
    ),
    _declared(
        Event.EXTERNAL_POLICY_SILENT,
        "Nobody could be asked about a password for the external password policy.",
        (*_CALLER, _SOME_ACCOUNT, _USER),
        _ERROR,
    ),
    _declared(
        Event.KEYS_READ,
        "The running server read its key file, because it was told to.",
        (Field("key", FieldType.TEXT, "id of the current key"),),
    ),
    _declared(
        Event.SEALED_ANEW,
        "What was sealed under an older key was put under the current one.",
        (
            Field("deliveries", FieldType.COUNT, "passwords that wait or are held"),
            Field("endpoints", FieldType.COUNT, "endpoints with secrets"),
        ),
    ),
    _declared(
        Event.ENDPOINT_PAUSED,
        "An administrator paused an endpoint: what is for it waits.",
        (*_ADMINISTRATOR, _ENDPOINT),
    ),
    _declared(
        Event.ENDPOINT_RESUMED,
        "An administrator ended the pause of an endpoint.",
        (*_ADMINISTRATOR, _ENDPOINT),
    ),
    _declared(
        Event.ENDPOINT_CHECKED,
        "An administrator had it found out whether an endpoint is set up right.",
        (*_ADMINISTRATOR, _ENDPOINT, Field("failed", FieldType.TEXT, "the step that failed", False)),
    ),
    _declared(
        Event.ENDPOINT_EXPLORED,
        "An administrator had an endpoint explored, or its accounts correlated.",
        (*_ADMINISTRATOR, _ENDPOINT, _DONE),
    ),
    _declared(
        Event.EXPLORATION_BROKEN,
        "An exploration broke off: what it had done by then stays, and nothing was removed.",
        (*_ADMINISTRATOR, _ENDPOINT, _DONE, Field("failed", FieldType.TEXT, "what went wrong")),
        _WARNING,
    ),
    _declared(
        Event.INCLUSIONS_REPAIRED,
        "An administrator had inclusions repaired that joined nothing any more.",
        (*_ADMINISTRATOR, Field("repaired", FieldType.COUNT, "how many")),
    ),
)
