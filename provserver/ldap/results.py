"""LDAP result codes and the one exception that ends an operation with a result other than success.

Source: RFC 4511 4.1.9 and appendix A; RFC 3909 (118-121), RFC 4528 (122), RFC 4370 (123), RFC 4533 (4096),
draft-ietf-ldapext-ldapv3-vlv (60, 61, 76).
"""

from __future__ import annotations

from enum import IntEnum

from provserver.records import record


class ResultCode(IntEnum):
    """Result codes of RFC 4511 and of the extensions that the server speaks."""

    SUCCESS = 0
    OPERATIONS_ERROR = 1
    PROTOCOL_ERROR = 2
    TIME_LIMIT_EXCEEDED = 3
    SIZE_LIMIT_EXCEEDED = 4
    COMPARE_FALSE = 5
    COMPARE_TRUE = 6
    AUTH_METHOD_NOT_SUPPORTED = 7
    STRONGER_AUTH_REQUIRED = 8
    REFERRAL = 10
    ADMIN_LIMIT_EXCEEDED = 11
    UNAVAILABLE_CRITICAL_EXTENSION = 12
    CONFIDENTIALITY_REQUIRED = 13
    SASL_BIND_IN_PROGRESS = 14
    NO_SUCH_ATTRIBUTE = 16
    UNDEFINED_ATTRIBUTE_TYPE = 17
    INAPPROPRIATE_MATCHING = 18
    CONSTRAINT_VIOLATION = 19
    ATTRIBUTE_OR_VALUE_EXISTS = 20
    INVALID_ATTRIBUTE_SYNTAX = 21
    NO_SUCH_OBJECT = 32
    ALIAS_PROBLEM = 33
    INVALID_DN_SYNTAX = 34
    ALIAS_DEREFERENCING_PROBLEM = 36
    INAPPROPRIATE_AUTHENTICATION = 48
    INVALID_CREDENTIALS = 49
    INSUFFICIENT_ACCESS_RIGHTS = 50
    BUSY = 51
    UNAVAILABLE = 52
    UNWILLING_TO_PERFORM = 53
    LOOP_DETECT = 54
    SORT_CONTROL_MISSING = 60
    OFFSET_RANGE_ERROR = 61
    NAMING_VIOLATION = 64
    OBJECT_CLASS_VIOLATION = 65
    NOT_ALLOWED_ON_NON_LEAF = 66
    NOT_ALLOWED_ON_RDN = 67
    ENTRY_ALREADY_EXISTS = 68
    OBJECT_CLASS_MODS_PROHIBITED = 69
    AFFECTS_MULTIPLE_DSAS = 71
    VIRTUAL_LIST_VIEW_ERROR = 76
    OTHER = 80
    CANCELED = 118
    NO_SUCH_OPERATION = 119
    TOO_LATE = 120
    CANNOT_CANCEL = 121
    ASSERTION_FAILED = 122
    AUTHORIZATION_DENIED = 123
    SYNC_REFRESH_REQUIRED = 4096


@record
class Result:
    """How an operation ended. `matched_dn` and `diagnostic` are text for the wire, never a secret."""

    code: ResultCode = ResultCode.SUCCESS
    diagnostic: str = ""
    matched_dn: str = ""
    referrals: tuple[str, ...] = ()


SUCCESS = Result()


class Refusal(Exception):
    """An operation that ends with a result other than success; its text is meant for the client.

    `policy_error`: the error of the password policy response control
    (draft-behera-ldap-password-policy 6.2), when it is a password that is refused.
    """

    def __init__(
        self,
        code: ResultCode,
        diagnostic: str = "",
        *,
        matched_dn: str = "",
        referrals: tuple[str, ...] = (),
        policy_error: int | None = None,
    ) -> None:
        super().__init__(diagnostic)
        self.result = Result(code, diagnostic, matched_dn, referrals)
        self.policy_error = policy_error

    @property
    def code(self) -> ResultCode:
        return self.result.code

    def __str__(self) -> str:
        return f"{self.result.code.name.lower()} ({int(self.result.code)}): {self.result.diagnostic}"
