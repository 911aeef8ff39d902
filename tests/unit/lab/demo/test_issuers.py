"""What gateways take, as the payments of a demo depend on it."""

from __future__ import annotations

from support.scripted_gateway import ScriptedGateway

from aegis_worker.lab.demo.issuers import issuers_of


def test_what_a_gateway_takes_is_read_from_its_adapter_and_its_table() -> None:
    methods = dict.fromkeys(("card", "wallet"), frozenset[str]())
    gateway = ScriptedGateway("a", currencies=frozenset({"USD", "JPY"}), methods=methods)
    gateway.able(several_captures=False, voids=False, providers=frozenset({"paypal"}))
    (issuer,) = issuers_of(["a"], {"a": gateway})
    assert (issuer.name, issuer.captures_often, issuer.captures_parts) == ("a", False, True)
    assert (issuer.releases, issuer.has_tokens) == (False, False)
    assert issuer.providers == frozenset({"paypal"})
    assert issuer.methods == {"card", "wallet"}
    assert issuer.currencies == {"USD", "JPY"}


def test_what_is_only_taken_to_be_captured_later_is_not_counted() -> None:
    gateway = ScriptedGateway("a")
    gateway.able(held_only=frozenset({"wallet"}))
    (issuer,) = issuers_of(["a"], {"a": gateway})
    assert "wallet" not in issuer.methods
    assert "card" in issuer.methods
