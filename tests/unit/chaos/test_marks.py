"""What was injected into an attempt stays with it, and explanations say so."""

from __future__ import annotations

import pytest
from support.attempts import an_attempt

from aegis_worker.domain.attempts import NOTHING_STORED, AttemptStatus, StoredOutcome
from aegis_worker.domain.marks import Marks, joined
from aegis_worker.queries.sentences import of_attempt


def test_each_mark_is_told_once_and_in_its_order() -> None:
    marks = Marks()
    assert marks.text is None
    for told in ("timeout", "latency (slow)", "timeout"):
        marks.add(told)
    assert marks.text == "timeout, latency (slow)"
    assert joined("http_500, timeout", marks.text) == "http_500, timeout, latency (slow)"


def test_marks_have_a_bound() -> None:
    text = joined(None, ", ".join(f"injection-number-{number}" for number in range(100)))
    assert text is not None
    assert len(text) == 200


def test_a_mark_outlives_what_is_stored_since_and_the_way_through_the_database() -> None:
    first = StoredOutcome(reason="no answer").marked(NOTHING_STORED, "timeout")
    read = StoredOutcome.from_json(first.to_json())
    resolved = StoredOutcome(captured=True).marked(read)
    assert resolved.to_json() == {"captured": True, "injected": "timeout"}
    assert StoredOutcome(captured=True).marked(NOTHING_STORED).to_json() == {"captured": True}


@pytest.mark.parametrize("status", list(AttemptStatus))
def test_whatever_became_of_the_attempt_it_says_what_was_injected(status: AttemptStatus) -> None:
    said = {"injected": "charge_then_drop (lost)"}
    assert of_attempt(an_attempt(status=status, outcome=said)).endswith("; injected: charge_then_drop (lost)")
