"""The gateways of a real life: ledgers of the explorer's model, which are told the fate of each call by the story."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace as with_fields

from msgspec.structs import replace as with_contest

from aegis_worker.domain.disputes import DisputeLookup
from aegis_worker.domain.outcomes import Lookup, Outcome, Unknown
from aegis_worker.errors import AegisError
from aegis_worker.gateways.requests import DisputeQuery, GatewayRequest, StatusQuery
from aegis_worker.lab.explore import ordering
from aegis_worker.lab.explore.contesting import SILENT, contests_next
from aegis_worker.lab.explore.contests import shown
from aegis_worker.lab.explore.fates import Fate, fates_of_call, fates_of_look_up
from aegis_worker.lab.explore.ledger import Ledger, passed
from aegis_worker.lab.explore.releases import may_release_early, released
from aegis_worker.lab.explore.rows_told import Told
from aegis_worker.lab.explore.setups import TERMS, Configuration, GatewaySetup
from aegis_worker.lab.explore.telling import odd_tellings, tellings

from .clock import StoryClock
from .installation import StoryGateway

_ANY_TOKEN = re.compile(".+")


class LivedOtherwise(AegisError):
    """The real life leaves the story: what happens in it can't happen as it is told."""


class Book:
    """One gateway. `fate`: what becomes of the next call, in the story's words."""

    def __init__(self, setup: GatewaySetup, ledger: Ledger, clock: StoryClock) -> None:
        self._setup, self._clock = setup, clock
        self._ledger, self._at_s = ledger, clock.now_s
        self.fate: str | None = None

    @property
    def ledger(self) -> Ledger:
        """The ledger, as it is seen from now."""
        return passed(self._ledger, self._clock.now_s - self._at_s)

    def gateway(self, come_by: Callable[[str], None]) -> StoryGateway:
        """As the pipeline calls it. No call is repeated in place, because its second try would have no fate."""
        config = with_fields(
            self._setup.config(), connect_timeout_s=0.0, timeout_s=self._setup.slowest_call_s
        )
        able = with_fields(self._setup.capabilities, bare_tokens=_ANY_TOKEN)
        return StoryGateway(config, able, self.called, self.asked, come_by, self.disputed)

    def called(self, request: GatewayRequest) -> Outcome:
        """The call's fate. Raises LivedOtherwise where it can't have that one."""
        fate = self._chosen(
            fates_of_call(self.ledger, self._setup, request),
            f"the {request.operation} of {request.idempotency_key}",
        )
        return fate.outcome  # type: ignore[return-value]

    def asked(self, query: StatusQuery) -> Lookup:
        """The look-up's fate. Raises LivedOtherwise where it can't have that one."""
        fate = self._chosen(
            fates_of_look_up(self.ledger, self._setup, query), f"the look-up of {query.reference}"
        )
        return fate.outcome  # type: ignore[return-value]

    def disputed(self, query: DisputeQuery) -> DisputeLookup:
        """How a dispute stands; nothing, where the story has it not answered."""
        contest, fate = self.ledger.contest, self.fate
        self.fate = None
        if fate == SILENT:
            return Unknown("no answer in time")
        if contest is None or contest.status.value != fate:
            raise LivedOtherwise(f"{query.dispute_ref} can't stand as told: {fate}")
        return shown(contest, TERMS.amount.currency)

    def dispute(self, how: str, configuration: Configuration) -> None:
        """A dispute begins, or goes on. Raises LivedOtherwise where it can't."""
        for contest, _ in contests_next(self.ledger, configuration):
            if contest.status.value == how:
                self._ledger = with_contest(self.ledger, contest=contest)
                self._at_s = self._clock.now_s
                return
        raise LivedOtherwise(f"no dispute at {self._setup.name} can become {how}")

    def take_back(self, how: str, *, owes: bool) -> None:
        """What was done has failed after all. `owes`: its event comes later. Raises LivedOtherwise where it wasn't."""
        ledger = self.ledger
        for entry in ledger.entries:
            if how == ordering.words_of_taking_back(entry):
                self._ledger, self._at_s = ordering.taken_back(ledger, entry, owes=owes), self._clock.now_s
                return
        raise LivedOtherwise(f"{self._setup.name} can't take back: {how}")

    def release(self) -> None:
        """What is held is released before its end. Raises LivedOtherwise where nothing is."""
        ledger = self.ledger
        held = may_release_early(ledger)
        if held is None:
            raise LivedOtherwise(f"{self._setup.name} holds nothing that it could release")
        self._ledger, self._at_s = released(ledger, held), self._clock.now_s

    def told(self, how: str, *, manual: bool) -> Told:
        """The event of these words. Raises LivedOtherwise where the gateway has none such to send."""
        ledger = self.ledger
        for one in (*tellings(ledger, self._setup, manual=manual), *odd_tellings(ledger)):
            if one.how == how:
                self._ledger, self._at_s = one.ledger, self._clock.now_s
                return one.event
        raise LivedOtherwise(f"{self._setup.name} has no such event to send: {how}")

    def _chosen(self, fates: Iterable[Fate], what: str) -> Fate:
        for fate in fates:
            if fate.how == self.fate:
                self._ledger, self._at_s, self.fate = fate.ledger, self._clock.now_s, None
                return fate
        raise LivedOtherwise(f"{what} at {self._setup.name} can't end as told: {self.fate}")
