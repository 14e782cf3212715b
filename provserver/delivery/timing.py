"""How long passwords take to arrive, for who wants to know."""

from __future__ import annotations

from collections.abc import Callable

from provserver.delivery.attempt import Ending
from provserver.delivery.parcels import Parcel
from provserver.delivery.settling import Told
from provserver.storage.contract import DeliveryState


class TimedDeliveries:
    """To be told of each attempt in the place of `told`, which is told of it too."""

    def __init__(self, told: Told, observe: Callable[[float], None], wall: Callable[[], float]) -> None:
        self._told = told
        self._observe = observe
        self._wall = wall

    def __call__(self, parcel: Parcel, ending: Ending) -> None:
        if ending.state is DeliveryState.UPDATED or ending.state is DeliveryState.UNVERIFIED:
            self._observe(max(0.0, self._wall() - parcel.delivery.created))
        self._told(parcel, ending)
