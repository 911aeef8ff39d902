"""A scripted gateway that can't be asked: what it has told by itself is read instead, by Adyen's rule."""

from __future__ import annotations

from functools import partial

from aegis_worker.domain.disputes import DisputeLookup
from aegis_worker.domain.gateway_events import NewEvent
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Lookup, Operation
from aegis_worker.gateway_events.follow import FollowParts, follow
from aegis_worker.gateways.adyen.disputes import found_dispute
from aegis_worker.gateways.adyen.told import found
from aegis_worker.gateways.adyen.webhook import event_kind
from aegis_worker.gateways.kit.flows import Recall
from aegis_worker.gateways.requests import DisputeQuery, StatusQuery
from aegis_worker.hints import NoHints
from aegis_worker.persistence import gateway_event_rows
from aegis_worker.persistence.database import Database
from aegis_worker.wiring.gateways import told_to
from support.payments import A_RING, rows
from support.scripted_gateway import ScriptedGateway


class ToldGateway(ScriptedGateway):
    """Its calls follow a script; its events are kept by `tells`, as those of Adyen are."""

    def __init__(self, name: str, database: Database) -> None:
        super().__init__(name)
        self.able(look_ups=frozenset[Operation]())
        self._database, self._read = database, told_to(database, self.config)
        self.disputed = self._dispute_told

    def get_status(self, query: StatusQuery) -> Lookup:
        return found(query, self._read(Recall(query.reference)))

    find_by_reference = get_status

    def _dispute_told(self, query: DisputeQuery) -> DisputeLookup:
        return found_dispute(query, self._read(Recall(dispute_ref=query.dispute_ref)))

    def tells(
        self,
        code: str,
        own_ref: str,
        minor: int,
        *,
        reference: str | None = None,
        charge_ref: str = "ch_1",
        success: bool = True,
    ) -> str:
        """An event comes in and is followed; returns what became of it. `own_ref`: of what it is about.

        `reference`: the key that this was asked for under; None for what nobody ordered here.
        """
        word = "true" if success else "false"
        event_id, kind = f"{own_ref}:{code}:{word}", event_kind(code, word)
        dispute_ref = own_ref if kind.startswith("dispute.") else None
        event = NewEvent(
            event_id, kind, reference, charge_ref, Money(minor, "USD"), "waiting", dispute_ref=dispute_ref
        )
        keep = partial(
            gateway_event_rows.keep,
            ring=A_RING,
            gateway=self.config.name,
            account=None,
            events=[event],
            body=b"",
            are_evidence=True,
        )
        self._database.run(keep)
        self.is_followed()
        (row,) = rows(
            self._database, f"SELECT status FROM gateway_events WHERE provider_event_id = '{event_id}'"
        )
        return str(row["status"])

    def is_followed(self) -> None:
        """A worker follows what is due."""
        follow(FollowParts(self._database, {self.config.name: self}, NoHints()))
