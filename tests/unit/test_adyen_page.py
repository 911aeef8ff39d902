"""docs/howto/adyen-action.html: the page for Adyen Web goes by what answers really hold, and shows no secret."""

from __future__ import annotations

import re
from functools import cache

from support.checkout import CHECKOUT
from support.html_page import Page

from aegis_worker.domain.actions import Qr, Redirect, Sdk
from aegis_worker.domain.transitions import TERMINAL, State

PAGE = CHECKOUT / "docs" / "howto" / "adyen-action.html"


@cache
def page() -> Page:
    return Page(PAGE.read_text())


def test_it_is_whole() -> None:
    assert page().open == []
    assert page().unclosed() == ""
    named = {
        one or other
        for one, other in re.findall(r'getElementById\("(\w+)"\)|mount\("#(\w+)"\)', page().script)
    }
    assert named == page().ids == {"checkout", "message", "action"}


def test_adyen_web_comes_from_adyen_in_the_version_whose_calls_it_makes() -> None:
    (source,) = page().sources
    assert re.fullmatch(
        r"https://checkoutshopper-test\.cdn\.adyen\.com/checkoutshopper/sdk/6\.\d+\.\d+/adyen\.js", source
    )
    assert "window.AdyenWeb.AdyenCheckout(" in page().script


def test_it_holds_no_secret_key() -> None:
    assert re.findall(r"\bAQE\w+|[0-9A-Fa-f]{64}", PAGE.read_text()) == []


def test_it_reads_the_actions_that_answers_hold() -> None:
    told = Redirect("https://shop.test").told | Sdk("adyen", {"type": "threeDS2"}).told | Qr("upi://pay").told
    assert set(re.findall(r"action\.(\w+)", page().script)) <= told.keys()
    assert set(re.findall(r'action\.type === "(\w+)"', page().script)) == {"redirect", "sdk", "qr"}


def test_it_knows_every_way_that_a_payment_ends() -> None:
    named = set(re.findall(r'payment\.state === "(\w+)"', page().script))
    assert named <= set(State)
    assert set(TERMINAL) <= named
