"""Config parameters, read live from their entries.

A parameter is an entry `eTConfigParamName=<name>,eTConfigParamFolderName=<folder>,…`; its value is in
`eTConfigParamValue`. Source of names and defaults: facts/imps.md 1.2 (seed 000); the folder `Passwords` is
[G], the folder `provserver` is ours. A value that makes no sense is refused when it is written
(`problem_of`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from provserver.directory.entries import Entry, EntryId
from provserver.directory.names import DN
from provserver.directory.nametext import RDN
from provserver.imps import parameter_values as read
from provserver.storage.contract import Store

T = TypeVar("T")

OBJECT_CLASS: Final = "eTConfigParam"
VALUE_KEY = "etconfigparamvalue"


class Parameter(Generic[T]):
    """A parameter: where it is, what it is when it is absent, and how its values are read (ValueError: makes
    no sense, and what was expected).
    """

    def __init__(self, folder: str, name: str, default: T, read: Callable[[tuple[str, ...]], T]) -> None:
        self.folder = folder
        self.name = name
        self.default = default
        self.read = read

    def dn(self, domain: DN) -> DN:
        return DN.parse(
            f"eTConfigParamName={self.name},eTConfigParamFolderName={self.folder},"
            "eTConfigParamContainerName=Parameters,eTConfigContainerName=Configuration,"
            f"eTNamespaceName=CommonObjects,{domain}"
        )

    @property
    def place(self) -> tuple[str, str]:
        """What its name begins with, in any domain: the keys of its two RDNs."""
        name = RDN.of("eTConfigParamName", self.name)
        return name.key, RDN.of("eTConfigParamFolderName", self.folder).key


AGENT_RESPONSE_THRESHOLD = Parameter(
    "Password Synchronization", "Agent Response Threshold", 600.0, read.seconds
)
UPDATE_ONLY_GLOBAL_USER = Parameter("Password Synchronization", "Update Only Global User", False, read.yes)
USE_EXTERNAL_PASSWORD_POLICIES = Parameter(
    "Identity Manager Server", "Use External Password Policies", True, read.yes
)
ENFORCE_SYNCHRONIZED_ACCOUNT_PASSWORDS = Parameter(
    "Passwords", "Enforce Synchronized Account Passwords", False, read.yes
)
"""What it does is not public in detail. Ours: a password that is set on one synchronised account by anything
but an exchange must be its global user's current one."""
CHECK_ACCOUNT_PASSWORDS = Parameter(
    "Passwords", "Check Account Passwords", read.account_checks(("-ALL",)), read.account_checks
)
"""CA docs 236752 ("Account-Level Password Quality Checking"). The parameter beside it is not named in public,
and is not there."""
AUTOMATIC_CORRELATION = Parameter("Synchronization", "Automatic Correlation", False, read.yes)
CREATE_USERS_DEFAULT_ATTRIBUTES = Parameter[tuple[str, ...]](
    "Explore and Correlate", "Create Users Default Attributes", (), read.assignments
)
TRANSACTION_LOG_LEVEL = Parameter("Transaction Log", "Level", 3, read.level)
PROPAGATION_WAIT = Parameter[float | None]("provserver", "Propagation Wait", None, read.seconds)
"""Ours. Absent: the setting `passwords.propagation_wait`."""
SYNCHRONIZATION_MANAGERS = Parameter[tuple[str, ...]](
    "provserver", "Synchronization Managers", (), read.names
)
"""Ours, after FreeIPA's passSyncManagersDNs (seed 001): what its members may is in `passwords.managers`."""
CHANGE_AFTER_RESET = Parameter("provserver", "Change After Reset", True, read.yes)
"""Ours: whether a password that an administrator sets must be changed by its user."""

PARAMETERS: Final[tuple[Parameter[Any], ...]] = (
    AGENT_RESPONSE_THRESHOLD,
    UPDATE_ONLY_GLOBAL_USER,
    USE_EXTERNAL_PASSWORD_POLICIES,
    ENFORCE_SYNCHRONIZED_ACCOUNT_PASSWORDS,
    CHECK_ACCOUNT_PASSWORDS,
    AUTOMATIC_CORRELATION,
    CREATE_USERS_DEFAULT_ATTRIBUTES,
    TRANSACTION_LOG_LEVEL,
    PROPAGATION_WAIT,
    SYNCHRONIZATION_MANAGERS,
    CHANGE_AFTER_RESET,
)
"""All that the server knows. Others may be kept beside them, and mean nothing to it."""

_BY_PLACE: Final = {parameter.place: parameter for parameter in PARAMETERS}


def problem_of(entry: Entry) -> str | None:
    """What is wrong with the value of a parameter that is about to be written, and what was expected; None:
    nothing, or the entry is no parameter of ours.
    """
    rdns = entry.dn.rdns
    parameter = _BY_PLACE.get((rdns[0].key, rdns[1].key)) if len(rdns) > 1 else None
    values = entry.texts(VALUE_KEY) if parameter is not None else ()
    if parameter is None or not values:
        return None
    try:
        parameter.read(values)
    except ValueError as error:
        return f"{parameter.folder}/{parameter.name}: {error}"
    return None


class Parameters:
    """The parameters of one domain, as they are now; a value is parsed once per version of its entry."""

    def __init__(self, store: Store, domain: DN) -> None:
        self._store = store
        self._domain = domain
        self._names: dict[str, DN] = {}
        self._parsed: dict[str, tuple[EntryId, int, object]] = {}

    async def get(self, parameter: Parameter[T]) -> T:
        """The value now; the default when the entry or its value is absent, or makes no sense (which can be
        in a store that was written before such values were refused).
        """
        name = parameter.name
        dn = self._names.get(name)
        if dn is None:
            dn = self._names[name] = parameter.dn(self._domain)
        entry = await self._store.read(dn)
        if entry is None:
            return parameter.default
        known = self._parsed.get(name)
        # The id too: an entry that was deleted and made again begins at version 1 again.
        if known is not None and known[1] == entry.version and known[0] == entry.id:
            return known[2]  # type: ignore[return-value]  # stored below, under this very parameter's name
        values = entry.texts(VALUE_KEY)
        try:
            value = parameter.read(values) if values else parameter.default
        except ValueError:
            value = parameter.default
        self._parsed[name] = (entry.id, entry.version, value)
        return value
