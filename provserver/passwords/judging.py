"""The policy in force, and its refusal of a password, as exchanges say it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from provserver.imps.messages import Reason
from provserver.ldap.controls import PolicyError
from provserver.ldap.results import Refusal, ResultCode
from provserver.passwords.gates import Closed
from provserver.passwords.policy import CurrentPolicy, Policy
from provserver.passwords.profile import ProfileError
from provserver.passwords.reasons import PolicyRefusal

_TOLD_FIRST: Final = (
    PolicyError.PASSWORD_TOO_YOUNG,
    PolicyError.PASSWORD_TOO_SHORT,
    PolicyError.PASSWORD_TOO_LONG,
    PolicyError.INSUFFICIENT_PASSWORD_QUALITY,
    PolicyError.PASSWORD_IN_HISTORY,
)
"""The order of draft-behera-ldap-password-policy 8.2, but that lengths come before the rest of quality: they
say more."""


async def current_policy(policy: Policy) -> CurrentPolicy:
    """The policy now. Refusal UNAVAILABLE: its entry makes no sense."""
    try:
        return await policy.current()
    except ProfileError as error:
        raise Refusal(ResultCode.UNAVAILABLE, f"the Password Profile makes no sense: {error}") from None


class WrongOldPassword(Closed):
    """Who knows the old password may change it; this one does not."""

    def __init__(self) -> None:
        super().__init__("the old password is wrong", policy_error=PolicyError.MUST_SUPPLY_OLD_PASSWORD)


class NotAnother(Closed):
    """Who must change its password has given the one it has, which the administrator knows."""

    def __init__(self) -> None:
        super().__init__(
            Reason.NOT_ANOTHER.value, ResultCode.CONSTRAINT_VIOLATION, PolicyError.PASSWORD_IN_HISTORY
        )


class Weak(Closed):
    """The policy refuses: result 19, all reasons in one sentence, and behind it in brackets their names for
    machines. The password policy control has room for one of them.
    """

    def __init__(self, found: Sequence[PolicyRefusal]) -> None:
        errors = {PolicyError(refusal.rule.behera_error) for refusal in found}
        told = next(error for error in _TOLD_FIRST if error in errors)
        sentence = "; ".join([refusal.text for refusal in found])
        names = ", ".join(dict.fromkeys([refusal.rule.value for refusal in found]))
        super().__init__(f"{sentence} [{names}]", ResultCode.CONSTRAINT_VIOLATION, told)
