"""The contract of an endpoint, and one module per kind of endpoint.

May import `ldap` (client side), `directory.names`, `vault`. Start at `contract`.

For those who write a connector of their own (docs/write-a-connector.md, examples/connector): what this
package names in `__all__` is public, and so are `provserver.connectors.blocking` (a thread for a line whose
library blocks) and `provserver.testing.connector_contract` (the kit). A connector is a class that an entry
point of the group `provserver.connectors` names; it derives from nothing of ours.

What is promised: a connector that keeps to the contract goes on working. A release may add failures that are
subclasses of these, options, capabilities and optional methods, which an older connector may ignore, and
parameters with defaults. Whatever would break one is announced as `change` or `removal` in CHANGES.md, from
1.0 on one minor release before it happens. Everything else in here, our own connectors included, may change
at any time.
"""

from provserver.connectors.contract import (
    ENCODINGS,
    Ability,
    Accepts,
    AccessDenied,
    Account,
    BadServerCredentials,
    Busy,
    Capabilities,
    Connector,
    ConnectorError,
    ConnectorFailure,
    ConnectorKind,
    DroppedConnection,
    Fits,
    Fold,
    Locates,
    Misfit,
    NotSupported,
    ObjectMissing,
    OldPasswordIncorrect,
    PasswordIllFormed,
    PasswordInHistory,
    PasswordOption,
    PasswordPolicyViolation,
    Security,
    ServerDown,
    SettingsError,
    keep_as_is,
    scheme_of,
)
from provserver.connectors.registry import Settings, known_secrets
from provserver.directory.names import DN
from provserver.vault.secret import Secret

__all__ = [
    # what a connector is
    "ConnectorKind",
    "Connector",
    "Capabilities",
    "Ability",
    "Locates",
    "Fits",
    "Misfit",
    # what it says of itself
    "Security",
    "Accepts",
    "ENCODINGS",
    "Fold",
    "keep_as_is",
    # what it is given
    "Account",
    "DN",
    "Secret",
    "scheme_of",
    "PasswordOption",
    "Settings",
    "known_secrets",
    # how it fails
    "SettingsError",
    "ConnectorFailure",
    "AccessDenied",
    "BadServerCredentials",
    "DroppedConnection",
    "ServerDown",
    "Busy",
    "ObjectMissing",
    "OldPasswordIncorrect",
    "PasswordIllFormed",
    "PasswordPolicyViolation",
    "PasswordInHistory",
    "NotSupported",
    "ConnectorError",
]
