"""What `aegis doctor` finds about gateways by asking them."""

from __future__ import annotations

import pytest
from support.scripted_gateway import ScriptedGateway

from aegis_worker.cli.checks_gateways import answers, clock
from aegis_worker.gateways.kit.probing import Probed, Standing


def verdicts(*gateways: ScriptedGateway) -> dict[str, str]:
    return {check.name: check.verdict for check in answers(gateways)}


@pytest.fixture
def gateway() -> ScriptedGateway:
    """It answers, takes our credentials, and may tell us things."""
    return ScriptedGateway("a", webhook_secrets=("whsec_1",))


def test_a_gateway_that_takes_our_calls_and_whose_events_we_take_is_fine(gateway: ScriptedGateway) -> None:
    assert verdicts(gateway) == {"gateway a": "ok", "webhooks of a": "ok"}


def test_without_a_webhook_secret_nothing_is_heard_which_is_worse_where_it_can_not_be_asked() -> None:
    deaf = ScriptedGateway("a")
    assert verdicts(deaf)["webhooks of a"] == "warn"
    deaf.able(look_ups=frozenset())
    (check,) = [check for check in answers([deaf]) if check.name == "webhooks of a"]
    assert check.verdict == "fail"
    assert "webhook_secret" in check.advice


@pytest.mark.parametrize(
    ("probed", "verdict", "seen"),
    [
        (Probed(Standing.REFUSED, "HTTP 401"), "fail", "refuses our credentials (HTTP 401)"),
        (Probed(Standing.UNCLEAR, "HTTP 503", 12), "warn", "answered HTTP 503 after 12 ms"),
        (Probed(Standing.SILENT, "could not connect"), "warn", "can't be reached: could not connect"),
    ],
)
def test_a_gateway_that_does_not_take_our_credentials_is_told_apart_from_one_that_is_away(
    gateway: ScriptedGateway, probed: Probed, verdict: str, seen: str
) -> None:
    gateway.probed = probed
    check = next(iter(answers([gateway, ScriptedGateway("b", webhook_secrets=("s",))])))
    assert (check.name, check.verdict, check.seen) == ("gateway a", verdict, seen)
    assert check.advice


def test_where_no_gateway_answers_at_all_payments_wait(gateway: ScriptedGateway) -> None:
    gateway.probed = Probed(Standing.SILENT)
    assert verdicts(gateway)["gateways"] == "fail"
    gateway.probed = Probed(Standing.REFUSED)
    assert "gateways" not in verdicts(gateway)


@pytest.mark.parametrize(
    ("ahead_s", "verdict"), [(0.0, "ok"), (30.0, "ok"), (30.5, "warn"), (-30.0, "ok"), (-3600.0, "warn")]
)
def test_a_clock_that_is_off_by_more_than_half_a_minute_is_found(ahead_s: float, verdict: str) -> None:
    assert clock("a", ahead_s).verdict == verdict


def test_the_clock_is_said_to_be_ahead_or_behind(gateway: ScriptedGateway) -> None:
    gateway.probed = Probed(Standing.TAKEN, clock_ahead_s=-90.0)
    (check,) = [check for check in answers([gateway]) if check.name == "clock, a"]
    assert check.seen == "1 min 30 s behind this host"
    assert "NTP" in check.advice
