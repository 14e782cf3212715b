"""Every sentence that the server says about passwords and users, in the form of IMPS:
`:ETA_<S|E>_<nnnn><XYY>, <text>`.

One catalogue: a text or a number is nowhere else. `source` tells how sure we are: "seen" in a public
document (facts/imps.md 3.4), "[K]" remembered but unconfirmed, "ours". Our numbers are 9000 and up, a range
that no seen message uses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class _Form:
    severity: str
    number: int
    tag: str
    text: str
    source: str


class Message(Enum):
    """A message of the catalogue; `say` fills it in."""

    PASSWORDS_UPDATED = _Form(
        "S",
        245,
        "MGU",
        "Global User '{user}' and associated account passwords updated successfully: {counts}",
        "[K]",
    )
    PASSWORDS_UPDATE_FAILED = _Form(
        "E",
        245,
        "MGU",
        "Global User '{user}' and associated account passwords update failed: {counts}",
        "[K]",
    )
    PASSWORD_EXPIRED = _Form(
        "E",
        418,
        "BGU",
        "Bind to provisioning server as '{user}' faied: Password expiration date has passed.",
        "seen (KB 229325, spelled like this there)",
    )
    OBJECT_NOT_FOUND = _Form("E", 9001, "MAC", "'{dn}' does not exist", "ours")
    NOT_AN_ACCOUNT = _Form(
        "E", 9002, "MAC", "'{dn}' is not an account: it takes no password synchronisation", "ours"
    )
    CHECK_REFUSED = _Form(
        "E", 9010, "MAC", "Password check for {account} failed: {reason}", "seen (text), ours (number)"
    )
    SYNC_REFUSED = _Form("E", 9011, "MAC", "Password change for {account} failed: {reason}", "ours")
    CHECK_PASSED = _Form("S", 9012, "MAC", "Password check for {account} succeeded", "ours")
    ECHO_RECOGNISED = _Form(
        "S", 9013, "MAC", "Password of {account} was set by this server: nothing to do", "ours"
    )
    ACCOUNT_SET = _Form("S", 9014, "MAC", "Password of {account} reset: {counts}", "ours")
    ACCOUNT_NOT_SET = _Form(
        "E", 9015, "MAC", "Password reset of {account} failed at the endpoint: {counts}", "ours"
    )
    ACCOUNT_REFUSED = _Form("E", 9016, "MAC", "Password reset of {account} failed: {reason}", "ours")
    ON_ITS_WAY = _Form(
        "E",
        9017,
        "MAC",
        "Password reset of {account} failed: its user's password is on its way there; try again later",
        "ours",
    )
    OUT_OF_DATE = _Form(
        "S", 9018, "MAC", "Password change for {account} is out of date: a newer one has been made", "ours"
    )
    USER_REFUSED = _Form("E", 9020, "MGU", "Global User '{user}' password change failed: {reason}", "ours")
    USER_UPDATED = _Form("S", 9021, "MGU", "Global User '{user}' password updated successfully", "ours")
    NOT_CONFIDENTIAL = _Form(
        "E",
        9030,
        "BGU",
        "a password may not travel over an unprotected connection: use LDAPS or StartTLS",
        "ours",
    )
    NOT_ALLOWED = _Form("E", 9031, "BGU", "'{who}' may not {what} '{dn}'", "ours")
    TOO_MANY_TESTS = _Form(
        "E", 9032, "MAC", "too many password checks for {account}: try again in {seconds} s", "ours"
    )
    OUTBOX_FULL = _Form("E", 9033, "MGU", "too many deliveries are waiting: try again later", "ours")
    OUTBOX_OLD = _Form(
        "E", 9035, "MGU", "deliveries have been waiting for too long: see to the endpoints first", "ours"
    )
    NOT_STORED = _Form(
        "E", 9034, "MGU", "nothing was changed, since the server cannot store it: {why}", "ours"
    )
    BAD_CREDENTIALS = _Form(
        "E", 9040, "BGU", "Bind to provisioning server failed: wrong name or password", "ours"
    )
    SUSPENDED = _Form(
        "E", 9041, "BGU", "Bind to provisioning server as '{user}' failed: the user is suspended", "ours"
    )

    NOBODYS_CERTIFICATE = _Form(
        "E", 9042, "BGU", "Bind to provisioning server failed: the certificate is no user's", "ours"
    )

    MUST_CHANGE = _Form(
        "E", 9045, "BGU", "Global User '{user}' must change its password before anything else", "ours"
    )

    @property
    def source(self) -> str:
        return self.value.source

    def say(self, **fields: str) -> str:
        """The whole diagnostic message."""
        form = self.value
        return f":ETA_{form.severity}_{form.number:04d}<{form.tag}>, {form.text.format(**fields)}"


class Reason(Enum):
    """Why an account's password was not taken; the second half of CHECK_REFUSED and SYNC_REFUSED."""

    IN_PROGRESS = "Another password change is in progress."
    """As seen in the agent's log (KB 53148)."""
    NOT_CORRELATED = "the account is not yet correlated to this global user"
    """After "not yet correlated to this global user" (facts/imps.md 1.2); the rest of the wording is ours."""
    NOT_ENABLED = "password synchronization is not enabled for Global User '{user}' (eTPropagatePassword)"
    SUSPENDED = "Global User '{user}' is suspended"
    PROPAGATION_DISABLED = "no passwords are sent to this endpoint (provDisablePasswordPropagation)"
    NOT_THE_USERS = (
        "it must be the current password of Global User '{user}' (Enforce Synchronized Account Passwords)"
    )
    POLICY = "{refusals}"
    NOT_ANOTHER = "the password must be another one than the administrator has set"
    ENCODED_NOT_ALLOWED = (
        "it is the stored form of a password; expected clear text, from all but synchronisation managers and "
        "domain administrators"
    )
    ENCODED_UNREADABLE = "it begins like a password encoded as {scheme}, and cannot be read as one"
    ENCODING_UNKNOWN = "passwords encoded as {scheme} are not taken; expected clear text, or one of {schemes}"
    ENCODED_TOO_COSTLY = "the encoded password asks for too much memory or too many passes"
    NEEDS_CLEAR_TEXT = "not deliverable: needs clear text; the endpoint takes no password encoded as {scheme}"
    POLICY_UNREACHABLE = "the external password policy cannot be reached; try again later"


def account_name(endpoint_type: str, account: str, endpoint: str) -> str:
    """`Active Directory Account 'test, user' on 'AD-Test'` (facts/imps.md 3.3)."""
    return f"{endpoint_type} Account '{account}' on '{endpoint}'"


def counts(updated: int, unchanged: int, failures: int, pending: int, failed_at: Iterable[str] = ()) -> str:
    """The bracketed summary. `pending`, and behind the brackets the names of the endpoints that failed, are
    ours and only there when there are any.
    """
    tail = f", pending: {pending}" if pending else ""
    names = ", ".join(sorted(set(failed_at)))
    where = f"; failed: {names}" if names else ""
    return f"(accounts updated: {updated}, unchanged: {unchanged}, failures: {failures}{tail}){where}"
