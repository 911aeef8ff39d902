"""When a declined card may not be tried again, from the card networks' tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_worker.domain.card_networks import (
    CAPS,
    NETWORKS,
    CardHistory,
    card_key,
    card_verdict,
    counts_for_caps,
)
from aegis_worker.domain.declines import DECLINES

NOT_CAPPED = (None, "amex", "diners", "discover", "jcb", "rupay", "unionpay")


@pytest.mark.parametrize(
    ("network", "in_last_day", "in_last_30_days", "because"),
    [
        ("visa", 19, 19, None),
        ("visa", 0, 20, "Visa allows 20 declined tries of one card in 30 days"),
        ("visa", 21, 21, "Visa allows 20 declined tries of one card in 30 days"),
        ("mastercard", 9, 34, None),
        ("mastercard", 10, 10, "Mastercard allows 10 declined tries of one card in a day"),
        ("mastercard", 0, 34, None),
        ("mastercard", 0, 35, "Mastercard allows 35 declined tries of one card in 30 days"),
        ("mastercard", 10, 35, "Mastercard allows 10 declined tries of one card in a day"),
        *((network, 1000, 1000, None) for network in NOT_CAPPED),
    ],
)
def test_a_card_is_tried_as_often_as_its_network_allows(network, in_last_day, in_last_30_days, because):
    barred = card_verdict(network, CardHistory(in_last_day, in_last_30_days))
    assert (barred and barred.because) == because
    assert barred is None or DECLINES[barred.code].advised_action == "retry_later"


@pytest.mark.parametrize("network", [None, *NETWORKS])
def test_a_card_that_its_issuer_declined_for_good_is_not_tried_whatever_its_network(network):
    barred = card_verdict(network, CardHistory(1, 1, "stolen_card"))
    assert barred is not None
    assert "stolen_card" in barred.because
    assert DECLINES[barred.code].advised_action == "do_not_retry"


@given(network=st.sampled_from([None, *NETWORKS]), lately=st.integers(0, 50), earlier=st.integers(0, 50))
def test_one_decline_more_never_makes_a_card_free_again(network, lately, earlier):
    barred = card_verdict(network, CardHistory(lately, lately + earlier))
    one_more = card_verdict(network, CardHistory(lately + 1, lately + 1 + earlier))
    assert barred is None or (one_more is not None and one_more.code == barred.code)


def test_every_capped_network_is_one_that_a_payment_can_name():
    assert set(CAPS) < set(NETWORKS)
    assert set(NOT_CAPPED) == {None, *NETWORKS} - set(CAPS)


@pytest.mark.parametrize("network", [None, *NETWORKS])
def test_what_may_never_be_tried_again_is_remembered_and_the_rest_where_the_network_counts_it(network):
    counted = {code for code in DECLINES if counts_for_caps(network, code)}
    never_again = {code for code, told in DECLINES.items() if told.never_again}
    if network not in CAPS:
        assert counted == never_again
        return
    assert counted > never_again
    assert {"do_not_honor", "insufficient_funds", "expired_card", "invalid_cvc", "generic_decline"} < counted
    assert not counted & {"gateway_unavailable", "card_retry_limit", "invalid_request", "payer_cancelled"}


def test_a_key_is_of_one_token_at_one_merchant():
    keys = {card_key(merchant, token) for merchant in ("m_1", "m_2") for token in ("tok_1", "tok_2")}
    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}
    assert card_key("m_1", "tok_1") in keys
    assert card_key("m_1tok", "_1") != card_key("m_1", "tok_1")
