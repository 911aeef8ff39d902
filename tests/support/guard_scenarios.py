"""Faults against which guards exist, as functions. One test runs them with the guard, and one without it.

Each returns how often the payment was charged. The lock always grants, because the guards must hold without it.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from aegis_worker.domain.outcomes import NotSent, Outcome
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.exchange.engine import STUCK, wait_for
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run
from support.payments import accept_one, end_leases, let_pass, pipeline
from support.sandbox_pair import SandboxPair, adapter
from support.scripted_gateway import ScriptedGateway

_BOUND_S = 20.0


class Death(BaseException):
    """The end of a worker: none of its code runs after this."""


def a_frozen_worker_is_refused(database: Database) -> int:
    """A worker freezes in its call. The next worker repeats the call. While that charges, the first wakes up, refused.

    The first worker has sent nothing, so it would go to the next gateway. The fence tells it that it has lost the job.
    """
    frozen, thaw, charging, charged = (threading.Event() for _ in range(4))

    def first_refuses_then_charges(request: GatewayRequest) -> Outcome:
        if not frozen.is_set():
            frozen.set()
            thaw.wait(_BOUND_S)
            return NotSent("connect timeout", kind=NotSentKind.TIMEOUT)  # not repeated in place
        charging.set()
        charged.wait(_BOUND_S)
        return a.charge(request)

    a, b = ScriptedGateway("a", first_refuses_then_charges), ScriptedGateway("b")
    payment_id = accept_one(database).payment.id
    with ThreadPoolExecutor(2) as workers:
        # With one thread the worker has no room for a second claim, so it can't take over its own job.
        zombie = workers.submit(run, pipeline(database, a, b, calls_in_flight=1), "payments")
        frozen.wait(_BOUND_S)
        end_leases(database)
        follower = workers.submit(run, pipeline(database, a, b), "payments")
        charging.wait(_BOUND_S)
        thaw.set()
        zombie.result(_BOUND_S)
        charged.set()
        follower.result(_BOUND_S)
    return a.charges_of(payment_id) + b.charges_of(payment_id)


def a_worker_dies_during_its_call(database: Database, without_keys: SandboxPair) -> int:
    """A gateway without idempotency keys has charged when the worker dies. The lease ends, and another takes over."""

    class Doomed(LoadedGateway):
        def send(self, request: GatewayRequest, *_: object) -> None:
            wait_for(partial(super().send, request), self.config.slowest_call_s, STUCK)
            raise Death

    payment_id = accept_one(database).payment.id
    gateway = adapter(without_keys.a, key_lifetime_s=0)
    with pytest.raises(Death):
        run(pipeline(database, Doomed(SandboxAdapter(gateway.config))), "payments")
    end_leases(database)
    run(pipeline(database, gateway), "payments")
    return len(without_keys.charged(payment_id))


def an_answer_is_lost_and_look_ups_lag(database: Database, sandboxes: SandboxPair) -> int:
    """The gateway charges and drops the reply. A look-up finds nothing yet, so the call is repeated."""
    token = "tok_status_lag_20_at_sandbox_a"
    payment_id = accept_one(database, payment_method={"type": "card", "token": token}).payment.id
    parts = pipeline(database, *sandboxes.adapters())
    run(parts, "payments")
    let_pass(database, 30)
    run(parts, "verify")
    return len(sandboxes.charged(payment_id))
