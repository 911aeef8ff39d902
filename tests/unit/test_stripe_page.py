"""docs/howto/stripe-checkout.html: the page for Stripe.js goes by what answers really hold, and shows no secret."""

from __future__ import annotations

import re
from functools import cache

from support.checkout import CHECKOUT
from support.html_page import Page

from aegis_worker.domain.actions import Redirect, Sdk
from aegis_worker.domain.transitions import TERMINAL, State
from aegis_worker.gateways.stripe.calls import API_VERSION

PAGE = CHECKOUT / "docs" / "howto" / "stripe-checkout.html"


@cache
def page() -> Page:
    return Page(PAGE.read_text())


def test_it_is_whole() -> None:
    assert page().open == []
    assert set(re.findall(r'getElementById\("(\w+)"\)|mount\("#(\w+)"\)', page().script)) == {
        ("checkout", ""),
        ("message", ""),
        ("", "card"),
    }
    assert page().ids == {"checkout", "message", "card"}


def test_its_brackets_and_strings_close() -> None:
    assert page().unclosed() == ""


def test_stripe_js_comes_from_stripe_in_the_release_that_the_adapter_pins() -> None:
    release = API_VERSION.partition(".")[2]
    assert page().sources == [f"https://js.stripe.com/{release}/stripe.js"]


def test_it_holds_no_secret_key() -> None:
    assert re.findall(r"\b(?:sk|rk|whsec)_\w+", PAGE.read_text()) == []


def test_it_reads_the_actions_that_answers_hold() -> None:
    told = Redirect("https://shop.test").told | Sdk("stripe", {"client_secret": "s"}).told
    assert set(re.findall(r"action\.(\w+)", page().script)) <= told.keys()
    assert set(re.findall(r'action\.type === "(\w+)"', page().script)) == {"redirect", "sdk"}
    assert set(re.findall(r"action\.data\.(\w+)", page().script)) == {"client_secret"}


def test_it_knows_every_way_that_a_payment_ends() -> None:
    named = set(re.findall(r'payment\.state === "(\w+)"', page().script))
    assert named <= set(State)
    assert set(TERMINAL) <= named
