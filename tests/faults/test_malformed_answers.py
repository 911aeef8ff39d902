"""Whatever a gateway's answers turn into on their way: nothing is charged twice, nothing is said that the ledgers deny."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.malformed_answers import DRIPPING, FORMS, OTHERS_PLACE
from support.malforming_proxy import MalformingProxy, malforming_proxy
from support.payments import accept_one, job_of, let_pass, payment_of, pipeline, rows
from support.sandbox_pair import SandboxPair, adapter, running_pair

from aegis_worker.domain.money import Money
from aegis_worker.domain.transitions import State
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.sandbox.adapter import SandboxAdapter
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.run import run

TOKENS = (
    "tok_ok",
    "tok_ok",
    "tok_ok",
    "tok_hard_stolen_card",
    "tok_soft_try_again_at_sandbox_a",
    "tok_drop_at_sandbox_a",
)
# One of each kind is in the default run.
_QUICK = {
    "103, and later the answer",
    "repeated a moment later",
    "another payment",
    "dripping header",
    "body cut short",
    "two lengths",
    "a gzip bomb",
    "status twice, its own first",
    "another amount",
}


def _param(name: str) -> object:
    row = pytest.mark.row(64)
    if name in OTHERS_PLACE:
        row = pytest.mark.row(63)
    elif name in DRIPPING:
        row = pytest.mark.row(68)
    return pytest.param(name, marks=[row] if name in _QUICK else [row, pytest.mark.slow], id=name)


@pytest.fixture(scope="module")
def sandboxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxPair]:
    with running_pair(tmp_path_factory.mktemp("malformed")) as pair:
        yield pair


@pytest.fixture
def proxy(sandboxes: SandboxPair) -> Iterator[MalformingProxy]:
    """In front of `sandbox_a`, which knows a payment that isn't ours, of the amount that all have here."""
    stranger = sandboxes.a.charge("tok_ok").json
    with malforming_proxy(sandboxes.a.url) as running:
        running.stranger = stranger
        yield running


@pytest.fixture
def parts(database: Database, sandboxes: SandboxPair, proxy: MalformingProxy) -> Iterator[PipelineParts]:
    """Dollars go to `sandbox_a`, then to `sandbox_b`; everything else to `sandbox_b` alone."""
    first = LoadedGateway(
        SandboxAdapter(
            replace(
                adapter(sandboxes.a, base_url=proxy.url).config,
                currencies=frozenset({"USD"}),
                connect_timeout_s=0.5,
                timeout_s=0.5,
            )
        )
    )
    second = adapter(sandboxes.b)
    made = pipeline(database, first, second, calls_in_flight=3)
    yield made
    made.tail.finish()
    first.close_connections()
    second.close_connections()


def at_odds_with_the_ledgers(database: Database, sandboxes: SandboxPair) -> list[str]:
    """Payments that were charged twice, SUCCESS without a charge of its amount, or FAILURE with one."""
    found = []
    for row in rows(database, "SELECT id, state, amount_minor FROM payments"):
        charged = sandboxes.charged(row["id"])
        told = {"SUCCESS": [row["amount_minor"]], "FAILURE": []}.get(row["state"])
        if len(charged) > 1 or (told is not None and [minor for _, minor in charged] != told):
            found.append(f"{row['id']} is {row['state']}, charged {charged}")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", [_param(name) for name in FORMS])
def test_what_an_answer_turned_into_charges_nobody_twice_and_makes_nothing_said_that_is_not_so(
    database: Database, sandboxes: SandboxPair, proxy: MalformingProxy, parts: PipelineParts, name: str
) -> None:
    proxy.form = FORMS[name]
    ours = [
        accept_one(database, f"{number}", payment_method={"type": "card", "token": token}).payment.id
        for number, token in enumerate(TOKENS)
    ]
    healthy = [
        accept_one(database, f"eur-{number}", amount=Money(1999, "EUR")).payment.id for number in range(3)
    ]
    run(parts, "payments")
    assert {payment_of(database, payment_id).state for payment_id in healthy} == {State.SUCCESS}
    assert at_odds_with_the_ledgers(database, sandboxes) == []
    let_pass(database, 100.0)
    run(parts, "verify")
    assert at_odds_with_the_ledgers(database, sandboxes) == []
    proxy.heal()
    for _ in range(3):
        let_pass(database, 200.0)
        run(parts, "payments")
        run(parts, "verify")
    parts.tail.finish()
    assert at_odds_with_the_ledgers(database, sandboxes) == []
    open_ones = [one for one in ours if not payment_of(database, one).is_terminal]
    assert [job_of(database, one)["status"] for one in open_ones] == len(open_ones) * ["review"]
