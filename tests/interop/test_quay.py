"""What becomes of a test whose client is not installed."""

from __future__ import annotations

import pytest
from quay import require_client


def test_a_client_that_is_missing_is_a_skip_and_in_ci_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    require_client("anything", is_here=True)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(
        pytest.skip.Exception, match=r"ldapts is not here; install it: make \.venv/\.installed-clients"
    ):
        require_client("ldapts", is_here=False)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="ldapts is not here"):
        require_client("ldapts", is_here=False)
