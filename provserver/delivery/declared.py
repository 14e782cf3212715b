"""How deliveries end, as events of the journal; and with them all events that a journal can hold."""

from __future__ import annotations

from typing import Final

from provserver.delivery.events import ENDPOINT_MEANINGS, MEANINGS, EndpointEvent, Outcome
from provserver.journal import events
from provserver.journal.declared import Declared, Field, FieldType, declarations

FIELDS: Final = (
    Field("account", FieldType.ENTRY, "the account"),
    Field("endpoint", FieldType.ENTRY, "its endpoint"),
    Field("change", FieldType.TEXT, "id of the change that it is a delivery of"),
    Field("state", FieldType.TEXT, "where the delivery stands now"),
    Field("user", FieldType.ENTRY, "the global user", False),
    Field("delivery", FieldType.TEXT, "id of the delivery", False),
)

ENDPOINT_FIELDS: Final = (Field("endpoint", FieldType.ENTRY, "the endpoint"),)

DECLARED: Final = declarations(
    (
        *events.DECLARED,
        *(
            Declared(
                int(outcome),
                outcome.name,
                meaning.severity,
                meaning.text,
                FIELDS,
                # A report that comes after a newer change has nothing to be delivered.
                otherwise=events.REPORTED if outcome is Outcome.OUT_OF_DATE else (),
                delivery=True,
            )
            for outcome, meaning in MEANINGS.items()
        ),
        *(
            Declared(int(kind), f"ENDPOINT_{kind.name}", meaning.severity, meaning.text, ENDPOINT_FIELDS)
            for kind, meaning in ENDPOINT_MEANINGS.items()
        ),
    )
)
"""Every event of the journal, by its number."""

LOST: Final = frozenset({EndpointEvent.UNREACHABLE})
FOUND: Final = frozenset({EndpointEvent.BACK})
"""What says that an endpoint is away, and that it is there again."""
