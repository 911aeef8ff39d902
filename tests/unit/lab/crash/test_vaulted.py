"""Cards of the vault in the load of a crashtest."""

from __future__ import annotations

from aegis_worker.lab.crash.load import ROLES
from aegis_worker.lab.crash.vaulted import with_cards
from aegis_worker.lab.demo.cast import cast
from aegis_worker.lab.demo.issuers import Issuer
from aegis_worker.lab.demo.roles import PLAIN


def test_of_the_plain_payments_some_bring_a_card_some_pay_by_a_kept_one_and_nothing_else_changes() -> None:
    issuers = [Issuer("stripe", frozenset({"card"}), frozenset({"USD"}))]
    orders = cast(200, 1, "stripe", ROLES, issuers)
    changed = with_cards(orders)
    ways = {("card" in one.body["payment_method"], one.card is not None) for one in changed}
    assert ways == {(True, True), (False, True), (False, False)}
    assert {one.role for one in changed if one.card is not None} == {PLAIN}
    assert [(one.key, one.body["amount"]) for one in changed] == [
        (one.key, one.body["amount"]) for one in orders
    ]


def test_without_gateways_tokens_nothing_changes() -> None:
    orders = cast(50, 1, "sandbox_a", ROLES)
    assert with_cards(orders) == orders
