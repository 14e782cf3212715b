"""Which endpoints Check Account Passwords names: the forms of CA docs 236752."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provserver.imps.parameter_values import account_checks

AD_CORP, AD_LAB, UNIX = (
    ("ActiveDirectory", "AD-Corp"),
    ("ActiveDirectory", "AD-Lab"),
    ("UNIX - etc", "hpdev01"),
)


@pytest.mark.parametrize(
    ("values", "covered"),
    [
        (["ALL"], {AD_CORP, AD_LAB, UNIX}),
        (["all"], {AD_CORP, AD_LAB, UNIX}),
        (["-ALL"], set()),
        (["ActiveDirectory"], {AD_CORP, AD_LAB}),
        (["activedirectory"], {AD_CORP, AD_LAB}),
        (["UNIX - etc"], {UNIX}),
        (["ActiveDirectory:AD-Corp"], {AD_CORP}),
        ([" ActiveDirectory : ad-corp "], {AD_CORP}),
        (["ALL", "-ActiveDirectory"], {UNIX}),
        (["ALL", "-ActiveDirectory:AD-Lab"], {AD_CORP, UNIX}),
        (["-ALL", "ActiveDirectory", "-ActiveDirectory:AD-Lab"], {AD_CORP}),
        (["ALL", "-UNIX - etc"], {AD_CORP, AD_LAB}),
        (["ActiveDirectory", "-ALL"], set()),
        (["-ActiveDirectory:AD-Corp", "ALL"], {AD_CORP, AD_LAB, UNIX}),
        (["OS400"], set()),
        (["UNIX - etc:AD-Corp"], set()),
    ],
)
def test_a_later_value_wins(values: list[str], covered: set[tuple[str, str]]) -> None:
    checks = account_checks(tuple(values))
    assert {endpoint for endpoint in (AD_CORP, AD_LAB, UNIX) if checks.cover(*endpoint)} == covered


names = st.sampled_from(["A", "B", "C"])
forms = st.one_of(st.just("ALL"), names, st.builds("{}:{}".format, names, names))


@given(st.lists(st.tuples(st.booleans(), forms), min_size=1), names, names)
def test_the_last_value_that_names_an_endpoint_decides(
    values: list[tuple[bool, str]], namespace: str, directory: str
) -> None:
    checks = account_checks(tuple(form if on else f"-{form}" for on, form in values))
    naming = {"ALL", namespace, f"{namespace}:{directory}"}
    decisions = [on for on, form in values if form in naming]
    assert checks.cover(namespace, directory) is (decisions[-1] if decisions else False)
