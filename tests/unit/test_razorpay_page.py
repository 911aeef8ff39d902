"""docs/howto/razorpay-checkout.html: the page for Checkout goes by what answers really hold, and shows no secret."""

from __future__ import annotations

import re
from functools import cache

from support.checkout import CHECKOUT
from support.html_page import Page

from aegis_worker.domain.actions import Sdk
from aegis_worker.domain.transitions import TERMINAL, State
from aegis_worker.gateways.razorpay.checkout import SDK

PAGE = CHECKOUT / "docs" / "howto" / "razorpay-checkout.html"


@cache
def page() -> Page:
    return Page(PAGE.read_text())


def test_it_is_whole() -> None:
    assert page().open == []
    assert page().unclosed() == ""
    assert set(re.findall(r'getElementById\("(\w+)"\)', page().script)) == page().ids


def test_checkout_comes_from_razorpay() -> None:
    assert page().sources == ["https://checkout.razorpay.com/v1/checkout.js"]


def test_it_holds_no_key() -> None:
    assert re.findall(r"rzp_\w+", PAGE.read_text()) == []


def test_it_reads_the_action_that_answers_hold() -> None:
    told = Sdk(SDK, {"order_id": "order_1"}).told
    assert set(re.findall(r"action\.(\w+)", page().script)) <= told.keys()
    assert set(re.findall(r'action\.sdk === "(\w+)"', page().script)) == {SDK}


def test_it_knows_every_way_that_a_payment_ends() -> None:
    named = set(re.findall(r'payment\.state === "(\w+)"', page().script))
    assert named <= set(State)
    assert set(TERMINAL) <= named
