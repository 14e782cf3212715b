"""How the servers that people have refuse a password: the codes and texts of each, and a policy that is like
theirs, as data.

Sources: 389-ds, FreeIPA, Samba and OpenLDAP by their sources and AD by reports (facts/agents-and-peers.md
1.3, 5.3); shadow's chpasswd and Linux-PAM; IBM, z/OS LDAP server, "Updating native passwords and password
phrases" (R0041xx). Numbers of AD that vary by version (DSID) are zero here. The numbers of a policy are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from provserver.connectors.contract import (
    AccessDenied,
    BadServerCredentials,
    Busy,
    ConnectorError,
    ConnectorFailure,
    Fold,
    NotSupported,
    ObjectMissing,
    OldPasswordIncorrect,
    PasswordIllFormed,
    PasswordInHistory,
    PasswordPolicyViolation,
    keep_as_is,
)
from provserver.vault.secret import Secret


class Trouble(Enum):
    """What an endpoint can have against a password. The names are those of the setting `break`."""

    POLICY = "policy"
    TOO_SHORT = "too-short"
    HISTORY = "history"
    ILL_FORMED = "ill-formed"
    OLD_WRONG = "old-wrong"
    MISSING = "missing"
    DENIED = "denied"
    LOGIN = "login"
    BUSY = "busy"
    UNSUPPORTED = "unsupported"
    ERROR = "error"


FAILURES: Final[Mapping[Trouble, type[ConnectorFailure]]] = {
    Trouble.POLICY: PasswordPolicyViolation,
    Trouble.TOO_SHORT: PasswordPolicyViolation,
    Trouble.HISTORY: PasswordInHistory,
    Trouble.ILL_FORMED: PasswordIllFormed,
    Trouble.OLD_WRONG: OldPasswordIncorrect,
    Trouble.MISSING: ObjectMissing,
    Trouble.DENIED: AccessDenied,
    Trouble.LOGIN: BadServerCredentials,
    Trouble.BUSY: Busy,
    Trouble.UNSUPPORTED: NotSupported,
    Trouble.ERROR: ConnectorError,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said: an LDAP result or an exit code, and a text, with {least} characters and {name}."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Personality:
    """A product: its policy, unless settings say another one, and its words."""

    says: Mapping[Trouble, Answer]
    says_to_a_change: Mapping[Trouble, Answer] = field(default_factory=dict)
    """Where they differ when the old password was given too."""
    sentence: str = "result {code}: {text}"
    min_length: int = 0
    history: int = 0
    history_for_resets: bool = True
    """False: an administrator's reset is held against the history only when it asks for validation."""
    tells_history: bool = True
    """False: a password in the history is refused as any other that its policy does not like."""
    complexity: bool = False
    fold: Fold = keep_as_is

    def failure(
        self, trouble: Trouble, place: str, name: str = "", *, least: int = 0, change: bool = False
    ) -> ConnectorFailure:
        """As the product says it, of account `name` at the endpoint `place`."""
        answer = self.says_to_a_change.get(trouble) if change else None
        answer = answer or self.says[trouble]
        text = answer.text.format(least=least or self.min_length, name=name)
        kind = FAILURES[trouble]
        if kind is PasswordInHistory and not self.tells_history:
            kind = PasswordPolicyViolation
        return kind(f"{place}: {self.sentence.format(code=answer.code, text=text)}")


def fold_as_mainframe(password: bytes) -> bytes:
    """Classic mainframe passwords: upper case, eight characters (facts/agents-and-peers.md 2)."""
    return password.decode(errors="surrogateescape").upper().encode(errors="surrogateescape")[:8]


def is_complex(secret: Secret, account: str) -> bool:
    """What AD asks for: three of upper case, lower case, digits, others; and not the account's name in it."""
    password = secret.reveal().decode(errors="replace")
    found = sum(any(kind(one) for one in password) for kind in _KINDS)
    return found >= 3 and not (len(account) >= 3 and account.lower() in password.lower())


_KINDS: Final[tuple[Callable[[str], bool], ...]] = (
    str.isupper,
    str.islower,
    str.isdigit,
    lambda one: not one.isalnum(),
)

_PLAIN: Final = Personality(
    sentence="{text}",
    says={
        Trouble.POLICY: Answer(0, "the password does not meet the policy"),
        Trouble.TOO_SHORT: Answer(0, "the password is shorter than {least}"),
        Trouble.HISTORY: Answer(0, "the password is in the history of old passwords"),
        Trouble.ILL_FORMED: Answer(0, "the password cannot be taken"),
        Trouble.OLD_WRONG: Answer(0, "the old password is wrong"),
        Trouble.MISSING: Answer(0, "there is no account {name}"),
        Trouble.DENIED: Answer(0, "we have no right to do this"),
        Trouble.LOGIN: Answer(0, "our credentials are not accepted"),
        Trouble.BUSY: Answer(0, "busy"),
        Trouble.UNSUPPORTED: Answer(0, "this cannot be done"),
        Trouble.ERROR: Answer(0, "something is wrong"),
    },
)
_LDAP: Final[Mapping[Trouble, Answer]] = {
    Trouble.ILL_FORMED: Answer(21, "invalid attribute syntax"),
    Trouble.MISSING: Answer(32, "no such object"),
    Trouble.DENIED: Answer(50, "insufficient access rights"),
    Trouble.LOGIN: Answer(49, "invalid credentials"),
    Trouble.BUSY: Answer(51, "busy"),
    Trouble.UNSUPPORTED: Answer(2, "unsupported extended operation"),
    Trouble.ERROR: Answer(80, "internal error"),
}
_OPENLDAP_QUALITY: Final = Answer(19, "Password fails quality checking policy")
_AD_RESET: Final = Answer(53, "0000052D: SvcErr: DSID-00000000, problem 5003 (WILL_NOT_PERFORM), data 0")
_AD_CHANGE: Final = Answer(
    19, "0000052D: AtrErr: DSID-00000000, problem 1005 (CONSTRAINT_ATT_TYPE), data 0, Att 9005a (unicodePwd)"
)
_RACF_NEW: Final = Answer(
    49,
    "R004128 Native authentication password change failed: The new password is not valid, or does not meet "
    "requirements",
)
_CHPASSWD: Final = (
    "chpasswd: (user {name}) pam_chauthtok() failed, error: Authentication token manipulation error"
)

PERSONALITIES: Final[Mapping[str, Personality]] = {
    "plain": _PLAIN,
    "openldap": Personality(
        min_length=8,
        history=5,
        says={
            **_LDAP,
            Trouble.POLICY: _OPENLDAP_QUALITY,
            Trouble.TOO_SHORT: _OPENLDAP_QUALITY,
            Trouble.HISTORY: Answer(19, "Password is in history of old passwords"),
            Trouble.OLD_WRONG: Answer(53, "unwilling to verify old password"),
        },
    ),
    "389ds": Personality(
        min_length=8,
        history=6,
        says={
            **_LDAP,
            Trouble.POLICY: Answer(19, "Invalid password syntax - password based off of user entry"),
            Trouble.TOO_SHORT: Answer(
                19, "Invalid password syntax - password must be at least {least} characters long"
            ),
            Trouble.HISTORY: Answer(19, "password in history"),
            Trouble.OLD_WRONG: Answer(49, "Invalid oldPasswd value."),
            Trouble.DENIED: Answer(
                50, "Insufficient 'write' privilege to the 'userPassword' attribute of entry '{name}'."
            ),
        },
    ),
    "ad": Personality(
        min_length=7,
        history=24,
        history_for_resets=False,
        tells_history=False,
        complexity=True,
        says={
            **_LDAP,
            Trouble.POLICY: _AD_RESET,
            Trouble.TOO_SHORT: _AD_RESET,
            Trouble.HISTORY: _AD_RESET,
            Trouble.ILL_FORMED: Answer(
                53, "0000001F: SvcErr: DSID-00000000, problem 5003 (WILL_NOT_PERFORM), data 0"
            ),
            Trouble.OLD_WRONG: Answer(
                19,
                "00000056: AtrErr: DSID-00000000, problem 1005 (CONSTRAINT_ATT_TYPE), data 0, "
                "Att 9005a (unicodePwd)",
            ),
            Trouble.MISSING: Answer(32, "0000208D: NameErr: DSID-00000000, problem 2001 (NO_OBJECT), data 0"),
            Trouble.DENIED: Answer(
                50, "00000005: SecErr: DSID-00000000, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0"
            ),
            Trouble.LOGIN: Answer(
                49, "80090308: LdapErr: DSID-00000000, comment: AcceptSecurityContext error, data 52e, v0000"
            ),
        },
        says_to_a_change={
            Trouble.POLICY: _AD_CHANGE,
            Trouble.TOO_SHORT: _AD_CHANGE,
            Trouble.HISTORY: _AD_CHANGE,
        },
    ),
    "ipa": Personality(
        min_length=8,
        history=3,
        says={
            **_LDAP,
            Trouble.POLICY: Answer(19, "Password is too simple"),
            Trouble.TOO_SHORT: Answer(19, "Password is too short"),
            Trouble.HISTORY: Answer(19, "Password reuse not permitted"),
            Trouble.OLD_WRONG: Answer(49, "Invalid oldPasswd value."),
        },
    ),
    "unix": Personality(
        min_length=8,
        history=5,
        sentence="the command ended with {code}: {text}",
        says={
            Trouble.POLICY: Answer(
                1, f"BAD PASSWORD: The password fails the dictionary check - it is too simplistic {_CHPASSWD}"
            ),
            Trouble.TOO_SHORT: Answer(
                1, f"BAD PASSWORD: The password is shorter than {{least}} characters {_CHPASSWD}"
            ),
            Trouble.HISTORY: Answer(1, f"Password has been already used. Choose another. {_CHPASSWD}"),
            Trouble.ILL_FORMED: Answer(1, _CHPASSWD),
            Trouble.OLD_WRONG: Answer(10, "passwd: Authentication token manipulation error"),
            Trouble.MISSING: Answer(1, "chpasswd: line 1: user '{name}' does not exist"),
            Trouble.DENIED: Answer(1, "chpasswd: Permission denied."),
            Trouble.LOGIN: Answer(255, "Permission denied (publickey)."),
            Trouble.BUSY: Answer(1, "chpasswd: cannot lock /etc/passwd; try again later."),
            Trouble.UNSUPPORTED: Answer(127, "sh: 1: chpasswd: not found"),
            Trouble.ERROR: Answer(1, _CHPASSWD),
        },
    ),
    "mainframe": Personality(
        min_length=6,
        history=10,
        tells_history=False,
        fold=fold_as_mainframe,
        says={
            **_LDAP,
            Trouble.POLICY: _RACF_NEW,
            Trouble.TOO_SHORT: _RACF_NEW,
            Trouble.HISTORY: _RACF_NEW,
            Trouble.ILL_FORMED: _RACF_NEW,
            Trouble.OLD_WRONG: Answer(49, "R004111 The password is not correct"),
            Trouble.LOGIN: Answer(49, "R004110 The user ID has been revoked"),
            Trouble.ERROR: Answer(1, "R004118 Unexpected racroute error safRC=8 racfRC=16 racfReason=0"),
        },
    ),
}
