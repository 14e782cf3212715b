"""The closed set of outcomes."""

from __future__ import annotations

import provserver.connectors.contract as contract
from provserver.connectors.contract import ConnectorFailure, DroppedConnection, PasswordInHistory
from provserver.delivery.events import MEANINGS, Outcome, Severity, outcome_of, sentence


def test_every_outcome_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Outcome)


def test_every_failure_of_the_contract_is_an_outcome_of_its_own_or_of_its_parent() -> None:
    kinds = [
        kind
        for kind in vars(contract).values()
        if isinstance(kind, type) and issubclass(kind, ConnectorFailure) and kind is not ConnectorFailure
    ]
    assert len(kinds) == 12
    outcomes = {kind: outcome_of(kind("")) for kind in kinds}
    assert outcomes.pop(PasswordInHistory) is Outcome.POLICY_VIOLATION
    assert len(set(outcomes.values())) == len(outcomes)


def test_the_ids_of_seed_003_keep_their_severity() -> None:
    assert {int(outcome): MEANINGS[outcome].severity for outcome in Outcome if outcome < 7000} == {
        6919: Severity.INFORMATION,
        6921: Severity.ERROR,
        6922: Severity.ERROR,
        6923: Severity.WARNING,
        6927: Severity.ERROR,
        6928: Severity.ERROR,
    }


def test_our_own_ids_stay_in_their_range() -> None:
    assert all(7000 <= outcome < 7100 for outcome in Outcome if not 6900 <= outcome < 6930)


def test_a_third_partys_failure_counts_as_the_one_it_is_derived_from() -> None:
    class TapeIsFull(contract.Busy):
        pass

    class Odd(ConnectorFailure):
        pass

    assert outcome_of(TapeIsFull("")) is Outcome.BUSY
    assert outcome_of(Odd("")) is Outcome.CONNECTOR_ERROR


def test_an_unknown_outcome_is_told_apart_from_a_line_lost_before() -> None:
    dropped = DroppedConnection("")
    assert outcome_of(dropped) is Outcome.LINE_LOST
    dropped.outcome_unknown = True
    assert outcome_of(dropped) is Outcome.OUTCOME_UNKNOWN


def test_a_sentence_ends_with_what_the_endpoint_said() -> None:
    assert sentence(Outcome.BUSY) == "The endpoint is busy."
    assert sentence(Outcome.BUSY, "51: try later") == "The endpoint is busy. 51: try later"
