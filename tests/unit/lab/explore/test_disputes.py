"""Disputes are explored: opened and decided at any time, told of in any order, and asked about by two at once."""

from __future__ import annotations

import pytest

from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.payment import Payment, initiated
from aegis_worker.gateway_events.decide import Unbelieved
from aegis_worker.lab.explore.configurations import CONFIGURATIONS
from aegis_worker.lab.explore.contests import Contest, following, shown, taken
from aegis_worker.lab.explore.rows_disputes import Asking, Noted, noted, ranked_anew
from aegis_worker.lab.explore.search import Explored, Search
from aegis_worker.lab.explore.setups import PAYMENT_ID, TERMS

WON, OPEN = DisputeStatus.WON, DisputeStatus.NEEDS_RESPONSE


def explored(name: str, faults: int) -> Explored:
    search = Search(CONFIGURATIONS[name], faults)
    search.run()
    assert search.explored.found == []
    assert search.explored.complete
    return search.explored


@pytest.mark.parametrize("name", ["dispute-warned", "dispute-refund", "dispute-forced", "dispute-charge"])
def test_without_faults_a_dispute_is_known_in_the_end_as_its_gateway_says(name: str) -> None:
    assert "SUCCESS" in explored(name, 0).ends


def test_no_single_fault_leaves_a_dispute_unknown() -> None:
    assert set(explored("dispute", 1).ends) == {"SUCCESS"}


def test_a_dispute_takes_money_while_it_is_open_and_for_good_once_it_is_lost() -> None:
    opened = Contest("a_1", "key", 1999, OPEN)
    sums = {after.status: taken(after) for after, _ in following(opened)}
    assert taken(opened) == (1999, 0)
    assert sums[WON] == (0, 0)
    assert sums[DisputeStatus.LOST] == (0, 1999)


def after(asking: Asking, before: Noted | None = None) -> Noted | Unbelieved:
    """What is written down of the answer, of a payment that has just begun or after `before`."""
    unborn = Payment(PAYMENT_ID, "m_1", TERMS)
    payment = unborn.record([initiated(unborn)])[0] if before is None else before.payment
    return noted(payment, () if before is None else before.disputes, "a", asking)


def answered(rank: int, status: DisputeStatus) -> Asking:
    """A process whose look-up has this rank, once it was answered."""
    return Asking(rank, True, shown(Contest("a_1", "key", 1999, status), "USD"))


def test_an_answer_that_was_asked_for_earlier_undoes_nothing() -> None:
    later = after(answered(2, WON))
    assert isinstance(later, Noted)
    assert isinstance(after(answered(1, OPEN), later), Unbelieved)


def test_ranks_keep_their_order_and_become_small() -> None:
    known = after(answered(4, OPEN))
    assert isinstance(known, Noted)
    rows, asking = ranked_anew(known.disputes, (Asking(3, True), Asking(9, False)))
    assert [row.asked for row in rows] == [1]
    assert [one.rank for one in asking] == [0, 2]
