"""Processes die, and gateways fail, while payments go through the adapters of real gateways at their emulators.

What each payment came to is held against the gateway's own ledger: charges, captures, refunds and disputes.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.rehearsals import SEED, assert_safe, killed_at, rehearsing

from aegis_worker.lab.crash.mix import run_mix
from aegis_worker.lab.crash.stage import Stage
from aegis_worker.lab.local.emulated import EMULATED

pytestmark = pytest.mark.slow

_POINTS = (
    "attempt.opened",
    "gateway.answered",
    "outcome.written",
    "gateway_event.committed",
    "event_inbox.followed",
)
_MIX_S = 60.0


@pytest.fixture(scope="module")
def adyen() -> Iterator[Stage]:
    with rehearsing("adyen") as ready:
        yield ready


@pytest.fixture(scope="module")
def paypal() -> Iterator[Stage]:
    with rehearsing("paypal") as ready:
        yield ready


@pytest.fixture(scope="module")
def braintree() -> Iterator[Stage]:
    with rehearsing("braintree") as ready:
        yield ready


@pytest.fixture(scope="module")
def razorpay() -> Iterator[Stage]:
    with rehearsing("razorpay") as ready:
        yield ready


@pytest.mark.row(80)
@pytest.mark.parametrize("point", [*_POINTS, "confirm.committed", "replay.answered"])
def test_payments_at_adyen_end_as_its_ledger_has_them_when_a_process_dies_at(
    adyen: Stage, point: str
) -> None:
    assert_safe(killed_at(adyen, point))


@pytest.mark.row(81)
@pytest.mark.parametrize("point", [*_POINTS, "lookup.answered"])
def test_payments_at_paypal_end_as_its_ledger_has_them_when_a_process_dies_at(
    paypal: Stage, point: str
) -> None:
    assert_safe(killed_at(paypal, point))


@pytest.mark.row(83)
@pytest.mark.parametrize("point", [*_POINTS, "lookup.answered", "refund.committed"])
def test_payments_at_braintree_end_as_its_ledger_has_them_when_a_process_dies_at(
    braintree: Stage, point: str
) -> None:
    assert_safe(killed_at(braintree, point))


@pytest.mark.row(84)
@pytest.mark.parametrize("point", [*_POINTS, "confirm.committed", "lookup.answered"])
def test_payments_at_razorpay_end_as_its_ledger_has_them_when_a_process_dies_at(
    razorpay: Stage, point: str
) -> None:
    assert_safe(killed_at(razorpay, point))


@pytest.mark.row(82)
def test_a_random_mix_of_faults_at_all_emulated_gateways_leaves_every_payment_settled() -> None:
    with rehearsing(*EMULATED) as stage:
        result = run_mix(stage, _MIX_S, SEED, print)
    assert {fault.target for fault in result.faults if fault.is_gateways} <= set(EMULATED)
    assert result.violations == []
