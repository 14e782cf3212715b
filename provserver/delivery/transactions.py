"""Attempts in the transaction log: a connector request each."""

from __future__ import annotations

from twisted.logger import Logger

from provserver.delivery.attempt import Ending, Facts
from provserver.delivery.driving import drive
from provserver.delivery.events import MEANINGS, sentence
from provserver.delivery.parcels import Parcel
from provserver.journal.requests import Requests

_log = Logger(__name__)


class AttemptLog:
    """To be called when an attempt has ended. Costs nothing while the log does not want it."""

    def __init__(self, facts: Facts, requests: Requests) -> None:
        self._facts = facts
        self._requests = requests

    def __call__(self, parcel: Parcel, ending: Ending) -> None:
        if self._requests.wanted:
            drive(self._write(parcel, ending), _failed)

    async def _write(self, parcel: Parcel, ending: Ending) -> None:
        delivery = parcel.delivery
        account = await self._facts.account(delivery.account)
        name = str(account.dn) if account is not None else f"eTID={delivery.account}"
        text = sentence(ending.outcome, ending.detail)
        self._requests.attempted(name, delivery.change, MEANINGS[ending.outcome].code, text)


def _failed(error: Exception) -> None:
    _log.error("an attempt is missing in the transaction log: {kind}", kind=type(error).__name__)
