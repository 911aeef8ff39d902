"""An answer that comes while a run takes up other jobs is settled in the commit that opens their attempts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from support.payments import AlwaysGrants, accept_one, payment_of, pipeline, rows
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.outcomes import Approved, Outcome
from aegis_worker.domain.transitions import State
from aegis_worker.gateways.base import GatewayRequest
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run


class AnswersTheFirstWhenTold(ScriptedGateway):
    """It keeps its first answer until `answer_the_first`."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._kept: list[tuple[Callable[[Outcome], None], Outcome]] = []
        self._has_kept_one = False

    def send(
        self,
        request: GatewayRequest,
        done: Callable[[Outcome], None],
        may_leave: Callable[[], bool] | None = None,
    ) -> None:
        if self._has_kept_one:
            super().send(request, done, may_leave)
            return
        self._has_kept_one = True
        self._kept.append((done, Approved("ch_kept")))

    def answer_the_first(self) -> None:
        while self._kept:
            done, outcome = self._kept.pop()
            done(outcome)


class AnswersMeanwhile(AlwaysGrants):
    """The second time that jobs are taken up, the first answer arrives."""

    def __init__(self, gateway: AnswersTheFirstWhenTold) -> None:
        self._gateway = gateway

    def acquire(self, payment_ids: Sequence[str], *, ttl_ms: int) -> set[str]:
        self._gateway.answer_the_first()
        return super().acquire(payment_ids, ttl_ms=ttl_ms)


def transaction_of(database: Database, payment_id: str, event: str) -> str:
    found = rows(
        database,
        "SELECT xmin::text FROM payment_events WHERE payment_id = %(payment_id)s AND type = %(type)s",
        payment_id=payment_id,
        type=event,
    )
    return str(found[0]["xmin"])


def test_an_answer_and_a_new_attempt_are_written_in_one_commit(database: Database) -> None:
    gateway = AnswersTheFirstWhenTold("a")
    first, second = (accept_one(database, key).payment.id for key in ("key-1", "key-2"))
    run(pipeline(database, gateway, batch=1, locks=AnswersMeanwhile(gateway)), "payments")
    assert {payment_of(database, id_).state for id_ in (first, second)} == {State.SUCCESS}
    assert transaction_of(database, first, "PAYMENT_SUCCEEDED") == transaction_of(
        database, second, "PAYMENT_PROCESSING"
    )
