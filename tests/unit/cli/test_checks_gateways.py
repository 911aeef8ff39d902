"""What `aegis doctor` finds about gateways by asking them."""

from __future__ import annotations

from support.scripted_gateway import ScriptedGateway

from aegis_worker.cli.checks_gateways import answers


def test_a_gateway_that_can_neither_be_asked_nor_tell_is_found() -> None:
    silent, telling = ScriptedGateway("a"), ScriptedGateway("b", webhook_secrets=("whsec_1",))
    assert [check.verdict for check in answers([silent])] == ["ok"]
    for gateway in (silent, telling):
        gateway.able(look_ups=frozenset())
    answered, untold, also_answered = answers([silent, telling])
    assert (answered.verdict, untold.verdict, also_answered.verdict) == ("ok", "fail", "ok")
    assert "webhook_secret" in untold.advice
