"""What hooks and rules said of a payment: which action holds, how it is kept, and what may be kept of a reason."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.plain_payment import a_payment

from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.payment import initiated
from aegis_worker.domain.replay import differences, restored, snapshot
from aegis_worker.domain.screening import (
    Action,
    Finding,
    Screening,
    approved,
    for_merchants,
    reason_in_words,
    screened,
    screening_from,
    screening_of,
)
from aegis_worker.errors import IllegalTransition
from aegis_worker.pipeline.operations.charge.facts import opened

FINDINGS = st.builds(
    Finding,
    source=st.text(min_size=1),
    action=st.sampled_from(Action),
    reason=st.none() | st.text(),
    score=st.none() | st.integers(0, 100),
    failed=st.none() | st.text(),
)
SCREENINGS = st.builds(Screening, st.lists(FINDINGS, max_size=5).map(tuple), st.booleans())


def finding(action: Action, score: int | None = None) -> Finding:
    return Finding(f"rule {action}", action, score=score)


@pytest.mark.parametrize(("milder", "severer"), list(pairwise(Action)))
def test_of_two_findings_the_severer_holds_in_whichever_order_they_came(milder, severer):
    assert Screening((finding(milder), finding(severer))).action is severer
    assert Screening((finding(severer), finding(milder))).action is severer


def test_nothing_found_allows_and_the_highest_score_counts():
    assert (Screening().action, Screening().score, Screening().decisive) == (Action.ALLOW, None, None)
    assert Screening((finding(Action.FLAG, 3), finding(Action.ALLOW, 80), finding(Action.FLAG))).score == 80


def test_merchants_are_told_which_action_holds_and_nothing_of_what_was_found():
    found = Screening(
        (Finding("rule high-value", Action.BLOCK, "1,000 or more", 90),), metadata={"tier": "new"}
    )
    assert for_merchants(screened(found).data) == {"screening": {"action": "block"}}
    assert for_merchants(approved(found, 1.0).data) == {
        "decision": "approved",
        "screening": {"action": "allow"},
    }
    assert for_merchants({"reason": "read timeout"}) == {"reason": "read timeout"}


def test_3d_secure_stays_required_beside_a_severer_finding_and_after_an_approval():
    screening = Screening((finding(Action.REQUIRE_3DS), finding(Action.REVIEW)))
    let_go = screening_from(approved(screening, 1_800_000_000.0).data["screening"])
    assert (screening.action, screening.three_ds) == (Action.REVIEW, True)
    assert (let_go.action, let_go.three_ds) == (Action.ALLOW, True)


@settings(max_examples=30, deadline=None)
@given(SCREENINGS)
def test_what_is_kept_as_json_is_read_as_the_same(screening):
    assert screening_from(json.loads(json.dumps(screening.to_json()))) == screening


def test_the_event_gives_the_row_its_screening_and_a_snapshot_keeps_it():
    screening = Screening((Finding("hook shop:fraud", Action.BLOCK, "on our list", 90),))
    payment, events = a_payment().record([initiated(a_payment()), screened(screening)])
    assert screening_of(payment) == screening
    assert not differences(payment, events)
    kept = json.loads(json.dumps(snapshot(payment)))
    assert screening_of(restored(a_payment(), payment.version, kept)) == screening
    del kept["screening"]
    assert screening_of(restored(a_payment(), payment.version, kept)) is None


def test_a_payment_that_was_tried_is_not_screened_any_more():
    payment, _ = a_payment().record([initiated(a_payment())])
    payment, _ = payment.record(opened(payment, Operation.PROCESS, "a", 1))
    with pytest.raises(IllegalTransition):
        payment.record([screened(Screening())])


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("on our\r\nlist\x00\u202e of\tcards", "on our list of cards"),
        ("Ann@Shop.example pays from 10.1.2.3", "… pays from …"),
        ("annann@shop.exampleann@shop.example", "ann……"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 199 + "…"),
    ],
)
def test_a_reason_is_one_printable_line_without_what_is_private(said, kept):
    assert reason_in_words(said, ("ann@shop.example", "10.1.2.3", "")) == kept
