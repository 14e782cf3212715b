"""Config parameters: read live, with documented defaults, and never guessed."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted

from provserver.imps.parameters import (
    AGENT_RESPONSE_THRESHOLD,
    AUTOMATIC_CORRELATION,
    CREATE_USERS_DEFAULT_ATTRIBUTES,
    PROPAGATION_WAIT,
    TRANSACTION_LOG_LEVEL,
    UPDATE_ONLY_GLOBAL_USER,
    USE_EXTERNAL_PASSWORD_POLICIES,
    Parameter,
)
from provserver.testing.server import RunningServer

ALL: list[Parameter[Any]] = [
    AGENT_RESPONSE_THRESHOLD,
    AUTOMATIC_CORRELATION,
    CREATE_USERS_DEFAULT_ATTRIBUTES,
    PROPAGATION_WAIT,
    TRANSACTION_LOG_LEVEL,
    UPDATE_ONLY_GLOBAL_USER,
    USE_EXTERNAL_PASSWORD_POLICIES,
]


@pytest.mark.parametrize("parameter", ALL, ids=lambda parameter: parameter.name)
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
        (AGENT_RESPONSE_THRESHOLD, ["soon"], 600.0),
        (AGENT_RESPONSE_THRESHOLD, ["-1"], 600.0),
        (AGENT_RESPONSE_THRESHOLD, ["nan"], 600.0),
        (AGENT_RESPONSE_THRESHOLD, ["inf"], 600.0),
        (AGENT_RESPONSE_THRESHOLD, [], 600.0),
        (UPDATE_ONLY_GLOBAL_USER, ["Yes"], True),
        (UPDATE_ONLY_GLOBAL_USER, [" YES "], True),
        (UPDATE_ONLY_GLOBAL_USER, ["1"], True),
        (UPDATE_ONLY_GLOBAL_USER, ["no"], False),
        (UPDATE_ONLY_GLOBAL_USER, ["perhaps"], False),
        (USE_EXTERNAL_PASSWORD_POLICIES, ["No"], False),
        (USE_EXTERNAL_PASSWORD_POLICIES, ["perhaps"], True),
        (TRANSACTION_LOG_LEVEL, ["7"], 7),
        (TRANSACTION_LOG_LEVEL, ["8"], 3),
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
async def test_a_value_acts_at_once_and_what_makes_no_sense_is_the_default(
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
