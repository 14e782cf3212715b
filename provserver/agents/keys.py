"""The keys of `eta_pwdsync.conf`: one table for the reader, the sample, `check` and the reference.

Sections and keys are those of CA's agent as far as they are known (facts/imps.md 5.1: some documented, most
remembered); `source` says which. What is ours has no counterpart there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Source(Enum):
    """How sure we are that CA's agent has this key."""

    DOCUMENTED = "documented"
    REMEMBERED = "remembered"
    OURS = "ours"


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `default` as it would be written; "" where there is none."""

    section: str
    name: str
    default: str
    expected: str
    help: str
    source: Source
    spellings: tuple[str, ...] = ()
    """Further names that mean the same."""
    example: str = ""
    """What the sample has; "": the default, commented out."""
    secret: bool = False


YES_NO: Final = "yes or no"
SECONDS: Final = "whole seconds, 0 or more"
_D, _R, _O = Source.DOCUMENTED, Source.REMEMBERED, Source.OURS

KEYS: Final = (
    Key(
        "Server",
        "host",
        "",
        "host[:port], several separated by commas",
        "The servers. The first one that can be reached is asked; the others are for when it cannot.",
        _R,
        ("server", "hosts", "servers", "hostname"),
        example="provserver.example.com",
    ),
    Key("Server", "port", "20390", "a port", "Where no port stands with a host.", _R),
    Key(
        "Server",
        "use_tls",
        "yes",
        YES_NO,
        "LDAPS, with the server's certificate verified. no is taken for servers on this machine only.",
        _R,
        ("tls", "ssl", "use_ssl"),
    ),
    Key(
        "Server",
        "ca_file",
        "",
        "a PEM file",
        "Who vouches for the server's certificate (of an instance of provserver: its tls/ca.pem). Without "
        "it, whom this machine trusts.",
        _O,
        ("tls_cacert_file",),
        example="ca.pem",
    ),
    Key("Server", "cert_file", "", "a PEM file", "The agent's own certificate, if the server wants one.", _O),
    Key(
        "Server",
        "key_file",
        "",
        "a PEM file",
        "The key of that certificate, if it is not in the same file.",
        _O,
    ),
    Key("Server", "server_name", "", "a name", "The name in the certificate, if it is not the host.", _O),
    Key(
        "Server",
        "admin",
        "",
        "a global user's name, or a DN",
        "Who the agent is. Another one for each host: the server's journal then tells them apart.",
        _R,
        ("administrator", "user", "admdn"),
        example="psync-ad-corp",
    ),
    Key(
        "Server",
        "admin_suffix",
        "",
        "a DN",
        "Where that global user is; by default the Global Users of the domain.",
        _R,
    ),
    Key(
        "Server",
        "password",
        "",
        "the password",
        "The agent's own. This file must then be readable by its owner alone.",
        _R,
        ("admpswd",),
        example="choose-a-long-one",
        secret=True,
    ),
    Key(
        "Server",
        "password_file",
        "",
        "a file, readable by its owner alone",
        "Its first line is the password, where it does not stand here.",
        _O,
    ),
    Key("Server", "pwd_sync_enable", "yes", YES_NO, "no: nothing is asked, and every change accepted.", _D),
    Key(
        "Server",
        "out_of_sync",
        "no",
        YES_NO,
        "yes: a password may be changed here although the server was not asked, or does not know the account "
        "or may not change it. What the password policy refuses is refused all the same.",
        _D,
    ),
    Key(
        "Server",
        "machine_account",
        "no",
        YES_NO,
        "no: names that end in $ are accepted, and nothing is asked.",
        _D,
        ("machine_accounts",),
    ),
    Key("EtaDomain", "domain", "im", "a name", "The server's domain.", _R),
    Key(
        "EtaDomain", "etrust_suffix", "dc=eta", "a DN", "What the domain's name ends in.", _R, ("eta_suffix",)
    ),
    Key("EtaDomain", "domain_suffix", "", "a DN", "By default dc=DOMAIN,ETRUST_SUFFIX.", _R),
    Key(
        "EtaDomain",
        "endpoint_type",
        "ActiveDirectory",
        "ActiveDirectory, Windows NT, UNIX - etc, UNIX - NIS-NIS plus Domains, OS400, CA-ACF2, RACF, "
        "CA-Top Secret, or the name of a dynamic type",
        "What kind of endpoint this is.",
        _R,
        ("namespace",),
        example="ActiveDirectory",
    ),
    Key(
        "EtaDomain",
        "endpoint_name",
        "",
        "a name",
        "What the server calls this endpoint.",
        _R,
        ("endpoint", "directory_name"),
        example="AD-Corp",
    ),
    Key(
        "EtaDomain",
        "container_dn",
        "",
        "a DN, with or without the domain's suffix",
        "Where accounts are searched; by default the endpoint of that type and name.",
        _R,
    ),
    Key(
        "EtaDomain",
        "acct_attribute_name",
        "",
        "an attribute",
        "The account's attribute with the name that is given; by default the type's.",
        _R,
        ("account_attribute_name",),
    ),
    Key(
        "EtaDomain",
        "acct_object_class",
        "",
        "an object class",
        "The class of accounts; by default the type's.",
        _R,
        ("account_object_class",),
    ),
    Key(
        "EtaDomain",
        "account_dn",
        "",
        "a DN with {account} (or %L) in its first part, with or without the domain's suffix",
        "As a mainframe's LDS does it: the account's DN is made of the name that is given, and changed "
        "without a search. Endpoint and containers are then those of this DN.",
        _O,
        ("userdns",),
    ),
    Key(
        "PasswordProfile",
        "profile_enable",
        "no",
        YES_NO,
        "yes: the server is asked whether the password is acceptable, before it is changed here.",
        _D,
        ("profile_enabled",),
        example="yes",
    ),
    Key("PasswordProfile", "profile_dn", "", "a DN", "Taken, and not needed here.", _R),
    Key(
        "Timeout",
        "search_acct_dn_timeout",
        "10",
        SECONDS,
        "For connecting, logging in and finding the account, all servers together. 0: the server is not "
        "asked while anybody waits; a change goes into the spool at once.",
        _R,
    ),
    Key(
        "Timeout",
        "pwd_quality_check_timeout",
        "10",
        SECONDS,
        "For the server's judgement. After it the password is accepted, with a warning. 0: it is not asked.",
        _R,
    ),
    Key(
        "Timeout",
        "password_update_timeout",
        "20",
        SECONDS,
        "For the answer to the change. After it the agent proceeds as if the change had arrived, with a "
        "warning, and keeps it until it has. 0: the answer is not waited for.",
        _D,
    ),
    Key("Logs", "logging_enabled", "yes", YES_NO, "Whether the agent writes its log.", _D),
    Key("Logs", "log_file", "eta_pwdsync.log", "a file", "The log.", _R),
    Key(
        "Logs",
        "ldap_logging_enabled",
        "no",
        YES_NO,
        "yes: each request and its answer too, without the passwords.",
        _D,
    ),
    Key(
        "Logs",
        "verbose",
        "yes",
        YES_NO,
        "no: standard output has refusals only.",
        _O,
    ),
    Key("Logs", "ldap_log_level", "", "a number", "Taken, and not needed here.", _R),
    Key(
        "Spool",
        "spool_enable",
        "yes",
        YES_NO,
        "no: a change that no server has taken is lost, as with CA's agent.",
        _O,
        ("spool_enabled",),
    ),
    Key(
        "Spool",
        "spool_directory",
        "spool",
        "a directory",
        "Where changes wait, encrypted; made when it is needed, for its owner alone.",
        _O,
    ),
    Key(
        "Spool",
        "spool_keep_days",
        "7",
        "days, 1 or more",
        "After so long a change is given up, and logged.",
        _O,
    ),
    Key(
        "Spool",
        "spool_interval",
        "15",
        "seconds, 1 or more",
        "How often `psync-agent run` looks whether something waits.",
        _O,
    ),
    Key(
        "Spool",
        "ack",
        "any",
        "any or all",
        "Whether one server must have taken a change, or each of them (where they are not one cluster).",
        _O,
        ("acknowledge",),
    ),
    Key(
        "Spool",
        "send",
        "clear",
        "clear, ssha, ssha256, ssha384 or ssha512",
        "Whether the password leaves this host, or a salted hash of it. Then it cannot be judged before it "
        "is changed, and reaches only what takes such hashes.",
        _O,
        ("password_hashing_algorithm",),
    ),
)
"""In the order of the sample. Names are unique, whatever their section."""


def squeezed(name: str) -> str:
    """A name without what people vary: case, and the signs between its words."""
    return re.sub(r"[\s_.-]", "", name.lower())


BY_SPELLING: Final = {squeezed(name): key for key in KEYS for name in (key.name, *key.spellings)}
