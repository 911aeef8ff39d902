"""A person's word against the gateway's: whose charge it is is looked up, and what no gateway confirms waits for one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from support.payments import accept_one, attempts_of, job_of, let_pass, payment_of, pipeline, rows, story_of
from support.reviews import DOWN, HASTY, SEEN, WHY, doubtful, in_review
from support.sandbox_pair import adapter
from support.sandbox_process import Sandbox, running_sandbox
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.decisions import Decision
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.outcomes import Approved, Declined, NotFound, Pending, Unknown, UnknownKind
from aegis_worker.domain.transitions import State
from aegis_worker.errors import InvalidState, ResolutionContradicted, ResolutionRefused
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.persistence import decisions
from aegis_worker.persistence.audit_log import list_entries, verify
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run
from aegis_worker.queries.case_file import read_case_file
from aegis_worker.queries.outlook import outlook
from aegis_worker.queries.reviews import list_reviews
from aegis_worker.review import looking
from aegis_worker.review.resolve import Resolution, Resolved, ReviewParts, resolve
from aegis_worker.review.standing import carry_out_due


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def real(sandbox: Sandbox) -> Iterator[LoadedGateway]:
    sandbox.set_faults()
    yield adapter(sandbox)
    sandbox.set_faults()


def parts_of(database: Database, *gateways: Any) -> ReviewParts:
    by_name = {gateway.config.name: gateway for gateway in gateways}
    return ReviewParts(database, lambda: by_name, lambda queue: None, 900.0)


def decide(
    database: Database, payment_id: str, kind: Any, *gateways: Any, actor: str = "cli:asha", **more: Any
) -> Resolved:
    resolution = Resolution(kind, WHY, **more)
    return resolve(parts_of(database, *gateways), payment_id, resolution, actor=actor)


def tick(database: Database, *gateways: Any, wait_is_over: bool = False) -> dict[str, int]:
    """The next look at what waits; with `wait_is_over`, the last one."""
    over = ", takes_effect_at = now()" if wait_is_over else ""
    database.run(lambda tx: tx.exec_driver_sql(f"UPDATE decisions SET look_at = now(){over}"))
    return carry_out_due(parts_of(database, *gateways))


def decision_of(database: Database, payment_id: str) -> Decision | None:
    with database.read() as connection:
        return decisions.of_payment(connection, payment_id)


def log_of(database: Database, payment_id: str) -> list[Any]:
    assert verify(database).why is None
    with database.read() as connection:
        return list(list_entries(connection, limit=20, payment_id=payment_id))


def left_alone(database: Database, payment_id: str) -> None:
    assert job_of(database, payment_id)["status"] == "review"
    assert story_of(database, payment_id)[-1] == "REVIEW_REQUIRED"


# Whose charge it is.


def test_another_payments_charge_is_not_taken_as_this_ones(
    database: Database, real: LoadedGateway, sandbox: Sandbox
) -> None:
    first = accept_one(database, "k1").payment.id
    run(pipeline(database, real), "payments")
    stranger = payment_of(database, first).gateway_ref
    second = doubtful_at(database, real, sandbox, "tok_drop_nocharge")
    told: tuple[dict[str, Any], ...] = ({}, {"evidence": SEEN, "force": True})
    for more in told:
        with pytest.raises(ResolutionContradicted, match=f"{first}-p1.*not this payment's charge"):
            decide(database, second, "charged", real, gateway_ref=stranger, **more)
    left_alone(database, second)
    assert log_of(database, second) == []


@pytest.mark.parametrize(
    ("fields", "found"),
    [({"amount": 80_010}, "80010 USD, ours is 1999 USD"), ({"currency": "EUR"}, "1999 EUR"), ({}, None)],
    ids=["another amount", "another currency", "its own"],
)
def test_a_charge_of_other_money_is_not_taken_as_this_payments(
    database: Database, real: LoadedGateway, sandbox: Sandbox, fields: Any, found: str | None
) -> None:
    payment_id = doubtful_at(database, real, sandbox, "tok_drop_nocharge")
    charged = sandbox.charge("tok_ok", reference=f"{payment_id}-p1", **fields).json["id"]
    if found is None:
        assert decide(database, payment_id, "charged", real, gateway_ref=charged).took_effect == "confirmed"
        assert payment_of(database, payment_id).gateway_ref == charged
        return
    with pytest.raises(ResolutionContradicted, match=found):
        decide(database, payment_id, "charged", real, gateway_ref=charged, evidence=SEEN, force=True)
    left_alone(database, payment_id)


@pytest.mark.parametrize(
    ("token", "found"),
    [
        ("tok_hard_stolen_card", "Declined: stolen_card.*`not_charged`"),
        ("tok_pending_100", "Pending.*`ask_again`"),
    ],
)
def test_what_is_no_charge_is_not_taken_as_one(
    database: Database, real: LoadedGateway, sandbox: Sandbox, token: str, found: str
) -> None:
    payment_id = doubtful_at(database, real, sandbox, "tok_drop_nocharge")
    sandbox.charge(token, reference=f"{payment_id}-p1")
    (there,) = sandbox.find(f"{payment_id}-p1")
    with pytest.raises(ResolutionContradicted, match=found):
        decide(database, payment_id, "charged", real, gateway_ref=there["id"], evidence=SEEN, force=True)
    left_alone(database, payment_id)


def test_a_charge_that_was_given_back_is_not_taken_as_one(
    database: Database, real: LoadedGateway, sandbox: Sandbox
) -> None:
    payment_id = doubtful_at(database, real, sandbox, "tok_drop_nocharge")
    charged = sandbox.charge("tok_ok", reference=f"{payment_id}-p1").json["id"]
    sandbox.post(f"/v1/payments/{charged}/refund", {"amount": 1999}, idempotency_key=f"{payment_id}-r1")
    with pytest.raises(ResolutionContradicted, match=r"given back since.*`not_charged`"):
        decide(database, payment_id, "charged", real, gateway_ref=charged)
    left_alone(database, payment_id)


def test_a_charge_that_the_gateway_does_not_know_is_not_taken_as_one(
    database: Database, real: LoadedGateway, sandbox: Sandbox
) -> None:
    payment_id = doubtful_at(database, real, sandbox, "tok_drop_nocharge")
    with pytest.raises(ResolutionContradicted, match="knows no such charge"):
        decide(database, payment_id, "charged", real, gateway_ref="spay_nonsense", evidence=SEEN)
    left_alone(database, payment_id)


@pytest.mark.parametrize("gateway_ref", ["ch_1", None])
def test_no_two_payments_stand_on_one_charge_whatever_people_say(
    database: Database, gateway_ref: str | None
) -> None:
    gateway = doubtful()
    first, second = (in_review(database, gateway, key=key) for key in ("k1", "k2"))
    # Its answers do not say whose they are.
    gateway.look_up = lambda query: Approved("ch_1")
    assert decide(database, first, "charged", gateway, gateway_ref="ch_1").took_effect == "confirmed"
    with pytest.raises(ResolutionRefused, match=f"ch_1 at a is that of another payment, {first}"):
        decide(database, second, "charged", gateway, gateway_ref=gateway_ref, evidence=SEEN, force=True)
    gateway.look_up = lambda query: DOWN
    with pytest.raises(ResolutionRefused, match=first):
        decide(database, second, "charged", gateway, gateway_ref="ch_1", evidence=SEEN, force=True)
    left_alone(database, second)


def test_of_two_people_who_give_one_charge_to_two_payments_at_once_one_is_refused(database: Database) -> None:
    gateway = doubtful()
    both = [in_review(database, gateway, key=key) for key in ("k1", "k2")]
    asked = threading.Barrier(4)

    def slow(query: Any) -> Any:
        asked.wait(20)
        return DOWN

    gateway.look_up = slow

    def one(payment_id: str) -> str:
        try:
            decide(database, payment_id, "charged", gateway, gateway_ref="ch_1", evidence=SEEN, force=True)
        except ResolutionRefused:
            return "refused"
        return "charged"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(one, both)) == ["charged", "refused"]


def doubtful_at(database: Database, real: LoadedGateway, sandbox: Sandbox, token: str) -> str:
    """A payment whose answer was lost, and about which its gateway could not be asked until now."""
    sandbox.set_faults(status_down=True)
    payment_id = in_review(database, real, key=token, payment_method={"type": "card", "token": token})
    sandbox.set_faults()
    return payment_id


# What no gateway confirms.


@pytest.mark.parametrize("kind", ["charged", "not_charged"])
def test_a_word_alone_ends_no_payment_while_its_gateway_can_not_be_asked(
    database: Database, real: LoadedGateway, sandbox: Sandbox, kind: str
) -> None:
    payment_id = doubtful_at(database, real, sandbox, "tok_drop")
    sandbox.set_faults(status_down=True)
    told: tuple[dict[str, Any], ...] = ({}, {"force": True})
    for more in told:
        with pytest.raises(ResolutionRefused, match="`evidence`"):
            decide(database, payment_id, kind, real, gateway_ref="spay_1", **more)
    assert (decision_of(database, payment_id), log_of(database, payment_id)) == (None, [])
    left_alone(database, payment_id)


def test_a_charge_that_happened_is_not_ended_as_none_by_a_decision_with_evidence(
    database: Database, real: LoadedGateway, sandbox: Sandbox
) -> None:
    payment_id = doubtful_at(database, real, sandbox, "tok_drop")
    sandbox.set_faults(status_down=True)
    stands = decide(database, payment_id, "not_charged", real, evidence=SEEN)
    assert (stands.state_changed, stands.took_effect, stands.checked) == (False, None, "unanswered")
    tick(database, real)
    left_alone(database, payment_id)
    sandbox.set_faults()
    assert tick(database, real)["refused"] == 1
    refused = decision_of(database, payment_id)
    assert refused is not None
    assert "says Approved" in str(refused.refused_because)
    left_alone(database, payment_id)
    assert decide(database, payment_id, "charged", real).took_effect == "confirmed"
    assert decision_of(database, payment_id) is None


def test_a_decision_that_waits_is_seen_wherever_the_payment_is_looked_at(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    stands = decide(database, payment_id, "not_charged", gateway, evidence=SEEN)
    assert stands.decision is not None
    left_alone(database, payment_id)
    with database.read() as connection:
        (waiting,) = list_reviews(connection, limit=5).rows
    with database.read() as connection:
        case = read_case_file(connection, Owner("m_1", "test"), payment_id)
    assert waiting.decision == stands.decision
    assert case is not None
    following = outlook(case)
    assert (following.who, following.at) == ("worker", stands.decision.takes_effect_at)
    assert "'not charged'" in following.what
    assert WHY not in str(rows(database, "SELECT data FROM payment_events"))
    (entry,) = log_of(database, payment_id)
    assert (entry.action, entry.actor, entry.details["evidence"]) == ("payment.decided", "cli:asha", SEEN)


@pytest.mark.parametrize(
    ("kind", "says", "ends"),
    [
        ("charged", Approved("ch_77"), State.SUCCESS),
        ("not_charged", Declined("stolen_card", "43"), State.FAILURE),
        ("not_charged", Approved("ch_1", captured_minor=1999, refunded_minor=1999), State.FAILURE),
    ],
)
def test_a_decision_takes_effect_when_the_gateway_confirms_it(
    database: Database, kind: str, says: Any, ends: State
) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    decide(database, payment_id, kind, gateway, gateway_ref="ch_77", evidence=SEEN)
    assert tick(database, gateway) == {"asked": 1, "took_effect": 0, "refused": 0, "overtaken": 0}
    gateway.look_up = lambda query: says
    assert tick(database, gateway)["took_effect"] == 1
    assert payment_of(database, payment_id).state is ends
    assert decision_of(database, payment_id) is None
    took_effect, decided = log_of(database, payment_id)
    assert (took_effect.actor, took_effect.details["took_effect"]) == ("aegis", "confirmed")
    assert took_effect.details["decided"]["by"] == decided.actor == "cli:asha"
    assert tick(database, gateway)["asked"] == 0


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("charged", Declined("stolen_card", "43")),
        ("charged", Unknown("an answer about something else: …", kind=UnknownKind.MISMATCH)),
        ("charged", Approved("ch_other")),
        ("not_charged", Approved("ch_1")),
        ("not_charged", Pending("ch_1")),
    ],
)
def test_a_decision_is_refused_with_a_note_when_the_gateway_contradicts_it(
    database: Database, kind: str, says: Any
) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    decide(database, payment_id, kind, gateway, gateway_ref="ch_77", evidence=SEEN)
    gateway.look_up = lambda query: says
    assert tick(database, gateway, wait_is_over=True)["refused"] == 1
    left_alone(database, payment_id)
    refused = decision_of(database, payment_id)
    assert refused is not None
    assert not refused.stands
    (entry, _) = log_of(database, payment_id)
    assert entry.action == "payment.decision_refused"
    assert entry.details["because"] == refused.refused_because
    assert tick(database, gateway)["asked"] == 0


@pytest.mark.parametrize(("kind", "ends"), [("charged", State.SUCCESS), ("not_charged", State.FAILURE)])
def test_a_decision_takes_effect_after_its_wait_where_the_gateway_stays_silent(
    database: Database, kind: str, ends: State
) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    decide(database, payment_id, kind, gateway, gateway_ref="ch_77", evidence=SEEN)
    assert tick(database, gateway, wait_is_over=True)["took_effect"] == 1
    assert payment_of(database, payment_id).state is ends
    assert log_of(database, payment_id)[0].details["took_effect"] == "after_wait"
    # People err, too: when the gateway is back, it is asked.
    if kind == "charged":
        assert job_of(database, payment_id)["operation"] == "sync"
    else:
        assert attempts_of(database, payment_id)[0]["recheck_at"] is not None


def test_that_a_gateway_knows_nothing_yet_confirms_nothing(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    gateway.look_up = lambda query: NotFound()
    with pytest.raises(ResolutionRefused, match="so shortly before"):
        decide(database, payment_id, "not_charged", gateway)
    assert decide(database, payment_id, "not_charged", gateway, evidence=SEEN).checked == "too_early"
    assert tick(database, gateway, wait_is_over=True)["took_effect"] == 0
    left_alone(database, payment_id)
    let_pass(database, gateway.capabilities.absence_window_s)
    assert tick(database, gateway)["took_effect"] == 1
    assert log_of(database, payment_id)[0].details["checked"] == "not_found"


def test_a_charge_that_its_gateway_never_came_to_know_is_none_when_the_wait_is_over(
    database: Database,
) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    decide(database, payment_id, "charged", gateway, gateway_ref="ch_77", evidence=SEEN)
    gateway.look_up = lambda query: NotFound()
    assert tick(database, gateway)["refused"] == 0
    assert tick(database, gateway, wait_is_over=True)["refused"] == 1
    left_alone(database, payment_id)


def test_a_decision_is_replaced_by_a_later_one_and_the_log_says_so(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    decide(database, payment_id, "not_charged", gateway, evidence=SEEN)
    decide(database, payment_id, "charged", gateway, gateway_ref="ch_77", evidence=SEEN, actor="cli:bo")
    decision = decision_of(database, payment_id)
    assert decision is not None
    assert (decision.resolution, decision.actor) == ("charged", "cli:bo")
    assert log_of(database, payment_id)[0].details["in_place_of"]["by"] == "cli:asha"
    tick(database, gateway, wait_is_over=True)
    assert payment_of(database, payment_id).state is State.SUCCESS


@pytest.mark.parametrize("kind", ["withdraw", "ask_again"])
def test_a_decision_can_be_taken_back_before_it_takes_effect(database: Database, kind: str) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    decide(database, payment_id, "not_charged", gateway, evidence=SEEN)
    decide(database, payment_id, kind, gateway, actor="cli:bo")
    assert decision_of(database, payment_id) is None
    entry = log_of(database, payment_id)[0]
    taken_back = entry.details.get("withdrawn") or entry.details["in_place_of"]
    assert (entry.actor, taken_back["by"], taken_back["evidence"]) == ("cli:bo", "cli:asha", SEEN)
    assert tick(database, gateway, wait_is_over=True)["asked"] == 0
    assert payment_of(database, payment_id).state is State.PROCESSING
    with pytest.raises(InvalidState):
        decide(database, payment_id, "withdraw", gateway)


@pytest.mark.parametrize("force", [False, True])
def test_of_two_people_at_once_the_second_is_told_of_the_first(database: Database, force: bool) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)

    def another_is_quicker(query: Any) -> Any:
        gateway.look_up = lambda query: DOWN
        decide(database, payment_id, "not_charged", gateway, evidence=SEEN, actor="cli:bo")
        return DOWN

    gateway.look_up = another_is_quicker
    with pytest.raises(InvalidState, match="another decision"):
        decide(database, payment_id, "not_charged", gateway, evidence="mine", force=force)
    decision = decision_of(database, payment_id)
    assert decision is not None
    assert decision.actor == "cli:bo"
    left_alone(database, payment_id)


def test_a_decision_that_was_overtaken_by_the_gateways_answer_is_forgotten_and_told(
    database: Database,
) -> None:
    gateway = doubtful(charges=True)
    payment_id = in_review(database, gateway)
    decide(database, payment_id, "not_charged", gateway, evidence=SEEN)
    gateway.look_up = gateway.by_ledger
    database.run(
        lambda tx: tx.exec_driver_sql("UPDATE jobs SET status = 'waiting', queue = 'verify', run_at = now()")
    )
    assert tick(database, gateway)["asked"] == 1, "a worker is about to ask"
    assert decision_of(database, payment_id) is not None
    run(pipeline(database, gateway, policy=HASTY), "verify")
    assert tick(database, gateway)["overtaken"] == 1
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert log_of(database, payment_id)[0].action == "payment.decision_overtaken"


def test_a_decision_made_before_another_charge_was_sent_does_not_speak_of_it(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    decide(database, payment_id, "not_charged", gateway, evidence=SEEN)
    database.run(lambda tx: tx.exec_driver_sql("UPDATE attempts SET sends = sends + 1"))
    assert tick(database, gateway, wait_is_over=True)["refused"] == 1
    left_alone(database, payment_id)


class Death(BaseException):
    """The end of a process."""


def test_a_tick_that_dies_loses_no_decision_and_two_at_once_carry_it_out_once(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    decide(database, payment_id, "charged", gateway, gateway_ref="ch_77", evidence=SEEN)

    def dies(query: Any) -> Any:
        raise Death

    gateway.look_up = dies
    with pytest.raises(Death):
        tick(database, gateway)
    both_ask = threading.Barrier(2)

    def slow(query: Any) -> Any:
        if query.gateway_ref == "ch_77":
            make_due_again()
            both_ask.wait(20)
        return Approved("ch_77")

    def make_due_again() -> None:
        database.run(lambda tx: tx.exec_driver_sql("UPDATE decisions SET look_at = now()"))

    gateway.look_up = slow
    make_due_again()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(carry_out_due, parts_of(database, gateway))
        while not both_ask.n_waiting:
            pass
        second = pool.submit(carry_out_due, parts_of(database, gateway))
        assert first.result(20)["took_effect"] + second.result(20)["took_effect"] == 1
    assert story_of(database, payment_id)[-2:] == ["RESOLVED", "SUCCEEDED"]
    assert [entry.action for entry in log_of(database, payment_id)] == ["payment.resolved", "payment.decided"]


def test_what_the_gateways_said_long_before_the_write_does_not_count(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    gateway.look_up = lambda query: Declined("stolen_card", "43")
    monkeypatch.setattr(looking, "_ANSWERS_HOLD_S", 0.0)
    with pytest.raises(ResolutionRefused, match="too long ago"):
        decide(database, payment_id, "not_charged", gateway)
    left_alone(database, payment_id)


@pytest.mark.parametrize("evidence", ["", "x", "x" * 501, "a\x1b[2Jb"])
def test_evidence_that_can_not_be_kept_is_refused(database: Database, evidence: str) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    with pytest.raises(ResolutionRefused, match="`evidence`"):
        decide(database, payment_id, "not_charged", gateway, evidence=evidence)


def test_a_rebuilt_payment_is_asked_about_at_its_gateway(database: Database) -> None:
    gateway = ScriptedGateway("a")
    payment_id = accept_one(database).payment.id
    run(pipeline(database, gateway), "payments")
    database.run(lambda tx: tx.exec_driver_sql("UPDATE payments SET frozen_at = now()"))
    decide(database, payment_id, "rebuild", gateway)
    let_pass(database, gateway.capabilities.absence_window_s)
    gateway.look_up = lambda query: NotFound()
    run(pipeline(database, gateway), "verify")
    job = job_of(database, payment_id)
    assert (job["operation"], job["status"]) == ("sync", "review")
    assert "NotFound" in job["reason"]


def test_how_long_a_decision_waits_is_a_setting(database: Database) -> None:
    gateway = doubtful()
    payment_id = in_review(database, gateway)
    parts = replace(parts_of(database, gateway), decision_wait_s=3600.0)
    stands = resolve(parts, payment_id, Resolution("not_charged", WHY, evidence=SEEN), actor="cli:asha")
    assert stands.decision is not None
    wait = stands.decision.takes_effect_at - stands.decision.made_at
    assert abs(wait.total_seconds() - 3600.0) < 5.0
