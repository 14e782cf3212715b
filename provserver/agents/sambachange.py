"""What `samba-tool user syncpasswords` writes to its script: the LDIF of one account, as it is now.

The script is called for every change of an account's password, name or flags, and for all accounts when it is
called for the first time (samba-tool(8)). Which password this is, and when it was set, is in the account's
`replPropertyMetaData`: the version of `unicodePwd` goes up with every password, whoever set it, and neither a
new flag nor an administrator who writes `pwdLastSet` changes it. So the same password has the same id and
time however often it comes, and the server sees what is news.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from provserver.directory.ldiflines import LONGEST_LINE, LdifError, fields_of, physical_lines
from provserver.vault.secret import Secret

CLEAR_TEXT: Final = "virtualClearTextUTF8"
SEALED: Final = "virtualSambaGPG"
NAME: Final = "sAMAccountName"
GUID: Final = "objectGUID"
LAST_SET: Final = "pwdLastSet"
META_DATA: Final = "replPropertyMetaData"
ATTRIBUTES: Final = (GUID, NAME, LAST_SET, META_DATA, SEALED, CLEAR_TEXT)
"""What samba-tool is to be asked for."""

_HEAD: Final = struct.Struct("<IIII")
"""Version, reserved, number of entries, padding (MS-DRSR 5.165 has the vector; Samba pads it to eight)."""
_ENTRY: Final = struct.Struct("<IIQ16sQQ")
"""Attribute, version, seconds since 1601, who, and two numbers of the controller's own."""
_UNICODE_PWD: Final = 0x0009005A
"""`unicodePwd` as a prefixed id (MS-ADA3 2.332: 1.2.840.113556.1.4.90)."""
_1601: Final = 11_644_473_600
"""Seconds between the two beginnings of time."""
_TICKS: Final = 10_000_000
"""Of `pwdLastSet`, a second."""


class NotExpected(Exception):
    """What came is not what samba-tool writes; the text says what was expected, and never a value."""


@dataclass(frozen=True, slots=True)
class SambaChange:
    """An account, and the password that it has. `id` and `captured` are that password's own."""

    account: str
    id: str
    captured: float
    """Wall clock; the controller's."""
    secret: Secret | None
    """None: its clear text is not there."""
    sealed: bool
    """Whether the controller keeps it encrypted."""


def read_change(text: bytes) -> SambaChange | None:
    """The account; None: it is deleted, or never had a password. NotExpected."""
    values = _values(text)
    if values.get("isDeleted", b"").upper() == b"TRUE":
        return None
    for name in (GUID, NAME, META_DATA):
        if name not in values:
            raise NotExpected(f"expected {name}: initialise with --attributes={','.join(ATTRIBUTES)}")
    set_last = _password_set(values[META_DATA])
    if set_last is None:
        return None
    version, second = set_last
    guid, account = (_text(name, values[name]) for name in (GUID, NAME))
    clear = values.get(CLEAR_TEXT)
    return SambaChange(
        account,
        f"{guid}:{version}",
        _moment(second, values.get(LAST_SET, b"0")),
        Secret(clear) if clear else None,
        SEALED in values,
    )


def _values(text: bytes) -> dict[str, bytes]:
    """The last value of each attribute; the names as they were asked for."""
    spelled = {name.lower(): name for name in (*ATTRIBUTES, "isDeleted")}
    found: dict[str, bytes] = {}
    try:
        fields = fields_of(1, physical_lines(text.strip() + b"\n"), LONGEST_LINE)
        for index, (name, _, _) in enumerate(fields.all):
            key = spelled.get(name.decode("latin-1").lower())
            if key is not None:
                found[key] = fields.value(index)
    except LdifError as error:
        raise NotExpected(f"expected the LDIF of one account on standard input: {error}") from None
    if not found:
        raise NotExpected("expected the LDIF of one account on standard input, found nothing of it")
    return found


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise NotExpected(f"{name}: expected UTF-8") from None


def _password_set(blob: bytes) -> tuple[int, int] | None:
    """The password's version, and the second (wall clock) in which it was set."""
    try:
        _, _, count, _ = _HEAD.unpack_from(blob)
        for index in range(count):
            attribute, version, second, *_ = _ENTRY.unpack_from(blob, _HEAD.size + index * _ENTRY.size)
            if attribute == _UNICODE_PWD:
                return version, second - _1601
    except struct.error:
        raise NotExpected(f"{META_DATA}: expected whole entries of {_ENTRY.size} octets") from None
    return None


def _moment(second: int, last_set: bytes) -> float:
    """When in that second: `pwdLastSet` knows, unless it was written without a password (0: it has to be
    changed). Else its end, so that no password seems older than it is.
    """
    if last_set.isdigit():
        exact = int(last_set) / _TICKS - _1601
        if second <= exact < second + 1:
            return exact
    return second + 1.0
