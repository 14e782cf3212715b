"""Config parameters: read live, with documented defaults, and never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import pytest_twisted
from harbour import administrator

from provserver.directory.entries import Attribute, Entry
from provserver.imps import parameters as module
from provserver.imps.parameter_values import AccountChecks
from provserver.imps.parameters import (
    AGENT_RESPONSE_THRESHOLD,
    AUTOMATIC_CORRELATION,
    CHANGE_AFTER_RESET,
    CHECK_ACCOUNT_PASSWORDS,
    CREATE_USERS_DEFAULT_ATTRIBUTES,
    ENFORCE_SYNCHRONIZED_ACCOUNT_PASSWORDS,
    PARAMETERS,
    PROPAGATION_WAIT,
    SYNCHRONIZATION_MANAGERS,
    TRANSACTION_LOG_LEVEL,
    UPDATE_ONLY_GLOBAL_USER,
    USE_EXTERNAL_PASSWORD_POLICIES,
    VALUE_KEY,
    Parameter,
)
from provserver.ldap.messages import AddRequest, PartialAttribute
from provserver.ldap.results import ResultCode
from provserver.storage.contract import Commit, Put
from provserver.testing.server import RunningServer
from provserver.testing.wire import Told, add, delete, replace

SECONDS = "expected a number of seconds from 0 to 10,000,000"
YES = "expected yes or no"
ONE = "expected one value"
CHECKS = "expected ALL, <Namespace> or <Namespace>:<Directory>, or one of them after a minus"

NONSENSE: dict[Parameter[Any], tuple[str, Sequence[Sequence[str]]]] = {
    AGENT_RESPONSE_THRESHOLD: (
        SECONDS,
        [["soon"], ["-1"], ["nan"], ["inf"], ["1e3"], ["1_0"], ["10 min"], ["10000001"], ["\u0663"], [" "]],
    ),
    PROPAGATION_WAIT: (SECONDS, [["never"], ["2s"], ["-0.5"]]),
    UPDATE_ONLY_GLOBAL_USER: (YES, [["perhaps"], ["on"], ["2"]]),
    USE_EXTERNAL_PASSWORD_POLICIES: (YES, [["maybe"]]),
    ENFORCE_SYNCHRONIZED_ACCOUNT_PASSWORDS: (YES, [["enforce"]]),
    AUTOMATIC_CORRELATION: (YES, [["auto"]]),
    CHANGE_AFTER_RESET: (YES, [["next time"]]),
    TRANSACTION_LOG_LEVEL: ("expected a level from 0 to 7", [["8"], ["-1"], ["07"], ["all"], ["\u0663"]]),
    CHECK_ACCOUNT_PASSWORDS: (
        CHECKS,
        [["-"], [":"], ["ActiveDirectory:"], [":AD-Corp"], ["ALL", "-:x"], [" "]],
    ),
    CREATE_USERS_DEFAULT_ATTRIBUTES: (
        "expected attribute=value, as in EnablePasswordSync=1",
        [["EnablePasswordSync"], ["=1"], ["City="], ["City=X", "1x=2"]],
    ),
    SYNCHRONIZATION_MANAGERS: ("expected names of global users (DNs), one a value", [["etaadmin"]]),
}
"""By parameter: what is told, and values that make no sense."""
TOO_MANY = [
    parameter
    for parameter in PARAMETERS
    if parameter not in (CHECK_ACCOUNT_PASSWORDS, CREATE_USERS_DEFAULT_ATTRIBUTES, SYNCHRONIZATION_MANAGERS)
]
"""Those that take one value."""
VIEWS = [",dc=eta", ",dc=etadb", ""]


def test_all_that_are_known_are_in_the_table_and_here() -> None:
    defined = {value for value in vars(module).values() if isinstance(value, Parameter)}
    assert defined == set(PARAMETERS) == set(NONSENSE)


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
@pytest_twisted.ensureDeferred
async def test_the_base_tree_has_it_with_its_default(
    provserver: RunningServer, parameter: Parameter[Any]
) -> None:
    foundation = provserver.service.foundation
    assert await foundation.store.read(parameter.dn(foundation.views.domain)) is not None
    assert await foundation.parameters.get(parameter) == parameter.default


@pytest.mark.parametrize(
    ("parameter", "values", "read"),
    [
        (AGENT_RESPONSE_THRESHOLD, ["300"], 300.0),
        (AGENT_RESPONSE_THRESHOLD, ["0"], 0.0),
        (AGENT_RESPONSE_THRESHOLD, ["0.5"], 0.5),
        (AGENT_RESPONSE_THRESHOLD, [], 600.0),
        (UPDATE_ONLY_GLOBAL_USER, ["Yes"], True),
        (UPDATE_ONLY_GLOBAL_USER, [" YES "], True),
        (UPDATE_ONLY_GLOBAL_USER, ["1"], True),
        (UPDATE_ONLY_GLOBAL_USER, ["no"], False),
        (USE_EXTERNAL_PASSWORD_POLICIES, ["No"], False),
        (TRANSACTION_LOG_LEVEL, ["7"], 7),
        (ENFORCE_SYNCHRONIZED_ACCOUNT_PASSWORDS, ["TRUE"], True),
        (
            CHECK_ACCOUNT_PASSWORDS,
            ["ALL", "-UNIX - etc", "UNIX - etc:hpdev01"],
            AccountChecks(((True, "", ""), (False, "unix - etc", ""), (True, "unix - etc", "hpdev01"))),
        ),
        (PROPAGATION_WAIT, ["0"], 0.0),
        (PROPAGATION_WAIT, [], None),
        (
            CREATE_USERS_DEFAULT_ATTRIBUTES,
            ["EnablePasswordSync=1", "City=X"],
            ("EnablePasswordSync=1", "City=X"),
        ),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_value_acts_at_once(
    provserver: RunningServer, parameter: Parameter[Any], values: list[str], read: object
) -> None:
    parameters = provserver.service.foundation.parameters
    assert await parameters.get(parameter) == parameter.default
    await provserver.set_parameter(parameter, *values)
    assert await parameters.get(parameter) == read


@pytest_twisted.ensureDeferred
async def test_an_entry_that_is_gone_is_the_default(provserver: RunningServer) -> None:
    await provserver.set_parameter(AGENT_RESPONSE_THRESHOLD, "300")
    parameters = provserver.service.foundation.parameters
    assert await parameters.get(AGENT_RESPONSE_THRESHOLD) == 300.0
    dn = AGENT_RESPONSE_THRESHOLD.dn(provserver.service.foundation.views.domain)
    await provserver.load(f"dn: {dn}\nchangetype: delete\n")
    assert await parameters.get(AGENT_RESPONSE_THRESHOLD) == 600.0
    # Made again it is at version 1, as a value that was read long ago may have been.
    await provserver.load(f"dn: {dn}\nobjectClass: eTConfigParam\neTConfigParamValue: 42\n")
    assert await parameters.get(AGENT_RESPONSE_THRESHOLD) == 42.0
    await provserver.load(f"dn: {dn}\nchangetype: delete\n")
    await provserver.load(f"dn: {dn}\nobjectClass: eTConfigParam\neTConfigParamValue: 43\n")
    assert await parameters.get(AGENT_RESPONSE_THRESHOLD) == 43.0


# ---------------------------------------------------------------- what makes no sense


def dn_of(parameter: Parameter[Any], server: RunningServer, tail: str = "") -> str:
    return f"{parameter.dn(server.service.foundation.views.domain)}{tail}"


def refused(told: Told, parameter: Parameter[Any], expected: str) -> None:
    assert told.code is ResultCode.CONSTRAINT_VIOLATION, told
    assert told.text.startswith(f"{parameter.folder}/{parameter.name}: {expected}"), told.text


@pytest.mark.parametrize("tail", VIEWS)
@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
@pytest_twisted.ensureDeferred
async def test_it_is_refused_when_it_is_written_with_what_was_expected(
    provserver: RunningServer, parameter: Parameter[Any], tail: str
) -> None:
    admin = await administrator(provserver)
    dn = dn_of(parameter, provserver, tail)
    before = await provserver.entry(dn)
    expected, nonsense = NONSENSE[parameter]
    for values in nonsense:
        refused(await admin.modify(dn, replace("eTConfigParamValue", *values)), parameter, expected)
    assert await provserver.entry(dn) == before
    # Nor does it come with a new entry.
    assert (await admin.delete(dn)).code is ResultCode.SUCCESS
    for values in nonsense:
        attributes = (
            PartialAttribute("objectClass", (b"eTConfigParam",)),
            PartialAttribute("eTConfigParamValue", tuple(value.encode() for value in values)),
        )
        refused(await admin.ask(AddRequest(dn, attributes)), parameter, expected)
    assert await provserver.entry(dn) is None


@pytest.mark.parametrize("parameter", TOO_MANY, ids=lambda parameter: parameter.name)
@pytest_twisted.ensureDeferred
async def test_a_second_value_is_refused_where_there_is_one(
    provserver: RunningServer, parameter: Parameter[Any]
) -> None:
    admin = await administrator(provserver)
    dn = dn_of(parameter, provserver)
    refused(await admin.modify(dn, replace("eTConfigParamValue", "1", "0")), parameter, ONE)
    await admin.modify(dn, replace("eTConfigParamValue", "1"))
    refused(await admin.modify(dn, add("eTConfigParamValue", "0")), parameter, ONE)
    # What is right again at the end of the request was never wrong.
    told = await admin.modify(dn, add("eTConfigParamValue", "0"), delete("eTConfigParamValue", "1"))
    assert told.code is ResultCode.SUCCESS, told


@pytest_twisted.ensureDeferred
async def test_parameters_of_others_may_say_anything(provserver: RunningServer) -> None:
    admin = await administrator(provserver)
    dn = dn_of(AGENT_RESPONSE_THRESHOLD, provserver).replace("Agent Response Threshold", "Somebody's")
    attributes = (
        PartialAttribute("objectClass", (b"eTConfigParam",)),
        PartialAttribute("eTConfigParamValue", (b"soon", b"later")),
    )
    assert (await admin.ask(AddRequest(dn, attributes))).code is ResultCode.SUCCESS


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)
@pytest_twisted.ensureDeferred
async def test_what_an_older_store_holds_is_taken_for_the_default(
    provserver: RunningServer, parameter: Parameter[Any]
) -> None:
    foundation = provserver.service.foundation
    entry = await provserver.entry(dn_of(parameter, provserver))
    assert entry is not None
    values = tuple(value.encode() for value in NONSENSE[parameter][1][0])
    attributes = {**entry.attributes, VALUE_KEY: Attribute("eTConfigParamValue", values)}
    written = Put(Entry(entry.id, entry.dn, attributes, entry.version), entry.version)
    await foundation.store.commit(Commit(at=0.0, by="an older version", writes=(written,)))
    assert await foundation.parameters.get(parameter) == parameter.default
