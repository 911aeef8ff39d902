"""Which jobs are worked on alone, because their workers seem to die of them."""

from __future__ import annotations

from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.money import Money
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.pipeline.suspects import set_apart

CAP = 5


def job(number: int, deaths: int) -> ClaimedJob:
    payment = Payment(
        f"pay_{number}", "m_1", PaymentTerms(Money(1999, "USD"), {"type": "card", "token": "tok_ok"})
    )
    return ClaimedJob(f"job_{number}", "process", deaths + 1, deaths, payment, ())


def test_jobs_that_lost_a_worker_at_most_stay_together() -> None:
    jobs = [job(1, deaths=0), job(2, deaths=1)]
    assert set_apart(jobs, in_company=False, poison_cap=CAP) == (jobs, [])


def test_of_several_suspects_one_is_worked_on_and_all_else_is_handed_back() -> None:
    jobs = [job(1, deaths=0), job(2, deaths=2), job(3, deaths=3)]
    assert set_apart(jobs, in_company=False, poison_cap=CAP) == ([jobs[1]], [jobs[0], jobs[2]])


def test_a_suspect_does_not_join_calls_that_are_in_flight() -> None:
    jobs = [job(1, deaths=0), job(2, deaths=2)]
    assert set_apart(jobs, in_company=True, poison_cap=CAP) == ([jobs[0]], [jobs[1]])


def test_the_claim_that_sends_a_job_to_review_is_made_alone_too() -> None:
    jobs = [job(1, deaths=0), job(2, deaths=1)]
    assert set_apart(jobs, in_company=False, poison_cap=1) == ([jobs[1]], [jobs[0]])
