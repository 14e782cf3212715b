"""What is left to who must change its password: to do that, to bind as somebody else, to begin TLS, to go.

Source: draft-behera-ldap-password-policy 8.3, which lets abandon through, too; cancel (RFC 3909) is the same
with an answer.
"""

from __future__ import annotations

from typing import Final

from provserver.directory.access import Identity
from provserver.directory.schema import Schema
from provserver.imps.messages import Message
from provserver.ldap.controls import PolicyError
from provserver.ldap.extended import Cancel
from provserver.ldap.messages import (
    PASSWORD_MODIFY,
    START_TLS,
    BindRequest,
    ExtendedRequest,
    ModifyRequest,
)
from provserver.ldap.results import Refusal, ResultCode
from provserver.operations.triggers import PASSWORD, triggers_of

_EXTENDED: Final = frozenset({PASSWORD_MODIFY, START_TLS, Cancel.oid})


def demand_change_of_password(operation: object, identity: Identity, schema: Schema) -> None:
    """Whether it is that of its own password, its right will say. Refusal INSUFFICIENT_ACCESS_RIGHTS."""
    if isinstance(operation, BindRequest):
        return
    if isinstance(operation, ModifyRequest) and PASSWORD in triggers_of(operation.changes, schema):
        return
    if isinstance(operation, ExtendedRequest) and operation.oid in _EXTENDED:
        return
    raise Refusal(
        ResultCode.INSUFFICIENT_ACCESS_RIGHTS,
        Message.MUST_CHANGE.say(user=identity.name()),
        policy_error=PolicyError.CHANGE_AFTER_RESET,
    )
