"""AB_TEST: an experiment that splits customers over gateways, the same customer always the same way.

    point = the first 8 bytes of SHA-256(experiment, line feed, customer id) / 2 ** 64 × the sum of the shares, rounded down

The arms take as many points as their shares, in the document's order. A payment without a customer id is split by its own.
Another name of the experiment splits all customers anew; other shares move those near the borders between arms only.
"""

from __future__ import annotations

from bisect import bisect_right
from hashlib import sha256
from itertools import accumulate

from aegis_worker.domain.payment import Payment

from ..policy import AbTest, Arm
from ..ranking import NOTHING, Ranking, Situation


def ab_test(situation: Situation) -> Ranking:
    """The customer's arm. Where its gateway may not take the payment, the payment is no part of the experiment."""
    test = situation.config.ab_test
    if test is None:
        return NOTHING
    gateway = arm_of(situation.payment, test).gateway
    if all(gateway != other.name for other in situation.eligible):
        return NOTHING
    return Ranking(
        (gateway,), f'arm of the experiment "{test.experiment}"', experiment=test.experiment, arm=gateway
    )


def arm_of(payment: Payment, test: AbTest) -> Arm:
    """The arm that the payment's customer belongs to."""
    subject = payment.customer.get("id") or payment.id
    digest = sha256(f"{test.experiment}\n{subject}".encode()).digest()
    borders = list(accumulate(arm.share for arm in test.arms))
    point = int.from_bytes(digest[:8], "big") * borders[-1] >> 64
    return test.arms[bisect_right(borders, point)]
