"""Password Modify (RFC 3062): a user's own change, and an administrator's reset of a user or of one account.

The user is named by a DN under any suffix, a bare name, `dn:` or `u:`; nobody named is whoever is bound.
Ours, where the RFC leaves it open:

- Nobody bound changes nothing (50): the old password is no way to log in.
- One's own password is changed with the old one (50 and mustSupplyOldPassword without it, as
  draft-behera-ldap-password-policy 8.2.1 has it); an administrator may give it, and then it must be right.
- A global user's password goes on to its accounts, as with eTSyncAccounts=1, if eTPropagatePassword allows
  it; otherwise it is the user's alone.
- An account's password is that account's alone (`passwords.resetting`). Nobody here knows its old one, so
  that one must not be given (53).
- A password is made up only for a line on which nobody else can read it.
"""

from __future__ import annotations

from typing import Final

from provserver.directory.access import Identity, may_change_password
from provserver.directory.names import DN
from provserver.imps.inclusions import account_class_of
from provserver.imps.messages import Message
from provserver.imps.users import is_global_user, may_propagate
from provserver.ldap.controls import PolicyError
from provserver.ldap.extended import PasswordModified, PasswordModify, encode_response
from provserver.ldap.messages import ExtendedResponse
from provserver.ldap.results import Refusal, Result, ResultCode
from provserver.operations.asked import Asked
from provserver.operations.context import House, Line, demand_confidentiality, is_protected
from provserver.operations.principals import named_or_authorized
from provserver.operations.triggers import caller_on, password_not_allowed, usable
from provserver.passwords.callers import Answer, Caller
from provserver.vault.secret import Secret

_NEW: Final = "newPasswd"


async def password_modify(
    request: PasswordModify, identity: Identity, line: Line, house: House, asked: Asked
) -> ExtendedResponse:
    """Success only when it is changed, or, of an account, durably on its way. Refusal."""
    demand_confidentiality(line, house)
    caller = caller_on(line, identity, asked)
    dn = _whose(request, caller, house)
    if not may_change_password(identity, dn):
        raise password_not_allowed(caller, "change the password of", dn)
    if dn == identity.dn and request.old_password is None:
        raise Refusal(
            ResultCode.INSUFFICIENT_ACCESS_RIGHTS,
            "oldPasswd: expected, to change one's own password",
            policy_error=PolicyError.MUST_SUPPLY_OLD_PASSWORD,
        )
    made: Secret | None = None
    if request.new_password is None:
        new = made = await _made_up(dn, line, house)
    else:
        new = usable(request.new_password, _NEW)
    answer = await _changed(caller, dn, new, request.old_password, house)
    if answer.code is not ResultCode.SUCCESS:
        return ExtendedResponse(Result(answer.code, answer.text))
    return encode_response(PasswordModified(made), Result(answer.code, answer.text))


def _whose(request: PasswordModify, caller: Caller, house: House) -> DN:
    if caller.identity.dn is None:
        raise Refusal(
            ResultCode.INSUFFICIENT_ACCESS_RIGHTS,
            "Password Modify: expected a connection on which somebody is bound",
            policy_error=PolicyError.PASSWORD_MOD_NOT_ALLOWED,
        )
    if request.user is None:
        return caller.identity.dn
    return named_or_authorized(request.user, house.rooms.views)


async def _made_up(dn: DN, line: Line, house: House) -> Secret:
    if not is_protected(line):
        raise Refusal(
            ResultCode.CONFIDENTIALITY_REQUIRED,
            f"{_NEW}: expected on an unprotected connection, where none can be sent back",
        )
    entry = await house.rooms.store.read(dn)
    owner = await house.rooms.inclusions.owner(entry) if entry is not None else None
    return await house.generator.password([one for one in (entry, owner) if one is not None])


async def _changed(caller: Caller, dn: DN, new: Secret, old: Secret | None, house: House) -> Answer:
    entry = await house.rooms.store.read(dn)
    if entry is None:
        raise Refusal(ResultCode.NO_SUCH_OBJECT, Message.OBJECT_NOT_FOUND.say(dn=str(dn)))
    if account_class_of(entry) is None:
        propagate = is_global_user(entry) and may_propagate(entry)
        work = house.user_changes.change(caller, dn, new, old=old, propagate=propagate)
        done = await house.lasting.finish(work)
        # Whatever became of the accounts: the user's password is changed, and may be one that we made up.
        return Answer(ResultCode.SUCCESS, done.text)
    if old is not None:
        raise Refusal(
            ResultCode.UNWILLING_TO_PERFORM,
            "oldPasswd: the old password of an account cannot be checked; expected none",
            policy_error=PolicyError.PASSWORD_MOD_NOT_ALLOWED,
        )
    return await house.lasting.finish(house.resets.reset(caller, dn, new))
