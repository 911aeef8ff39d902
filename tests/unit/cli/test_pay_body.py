"""What `aegis pay` makes of its options: the body that the API takes."""

from __future__ import annotations

from typing import Any

import click
import pytest

from aegis_api.payments.request_schemas import PaymentRequestSchema
from aegis_worker.cli.pay_body import body_of, body_options


@click.command()
@body_options
@click.pass_context
def _options(ctx: click.Context, /, **flags: Any) -> dict[str, Any]:
    return body_of(flags)


def body(*arguments: str) -> dict[str, Any]:
    """The body for a payment of 19.99 USD with these options."""
    made = _options.main(["--amount", "1999", "--currency", "USD", *arguments], standalone_mode=False)
    assert isinstance(made, dict)
    return made


def method(*arguments: str) -> Any:
    return body(*arguments)["payment_method"]


def test_every_option_makes_a_body_that_the_api_takes() -> None:
    told = (
        "email=asha@shop.example",
        "ip=203.0.113.7",
        "billing_address.country=IN",
        "browser.color_depth=24",
    )
    options = (
        *("--token", "pm_1", "--gateway", "stripe", "--network", "visa", "--capture-method", "manual"),
        *("--at", "2026-12-01T09:00:00Z", "--off-session-reason", "recurring"),
        *("--network-transaction-id", "016120310293123"),
        *("--off-session", "--mandate", "m_1", "--customer", "cus_1", "--reference", "order-1"),
        *(part for pair in told for part in ("--payer", pair)),
        *("--payer", "browser.java_enabled=false", "--payer", "browser.time_zone_offset=-330"),
        *("--order-line", "Ticket, front row,2,999", "--order-line", "Discount,1,-100"),
    )
    made = body(*options)
    assert PaymentRequestSchema().load(made)
    assert made == {
        "amount": 1999,
        "currency": "USD",
        "payment_method": {"type": "card", "token": "pm_1", "gateway": "stripe", "network": "visa"},
        "capture_method": "manual",
        "scheduled_at": "2026-12-01T09:00:00Z",
        "off_session_reason": "recurring",
        "network_transaction_id": "016120310293123",
        "off_session": True,
        "mandate": "m_1",
        "customer": {"id": "cus_1"},
        "reference": "order-1",
        "payer": {
            "email": "asha@shop.example",
            "ip": "203.0.113.7",
            "billing_address": {"country": "IN"},
            "browser": {"color_depth": 24, "java_enabled": False, "time_zone_offset": -330},
        },
        "order_lines": [
            {"name": "Ticket, front row", "quantity": 2, "unit_amount": 999},
            {"name": "Discount", "quantity": 1, "unit_amount": -100},
        ],
    }


def test_what_is_not_given_is_not_sent() -> None:
    assert body("--token", "tok_visa") == {
        "amount": 1999,
        "currency": "USD",
        "payment_method": {"type": "card", "token": "tok_visa"},
    }


def test_tokens_of_several_gateways_stand_in_place_of_one() -> None:
    assert method("--tokens", "stripe=pm_1", "--tokens", "sandbox_a=tok_visa") == {
        "type": "card",
        "tokens": {"stripe": "pm_1", "sandbox_a": "tok_visa"},
    }


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "say how to pay"),
        (("--token", "t", "--tokens", "a=t"), "--method card takes --token and no other"),
        (("--vpa", "a@b", "--gateway", "stripe"), "--gateway says who issued --token"),
        (("--tokens", "a=t", "--gateway", "a"), "--gateway says who issued --token"),
        (("--vpa", "a@b", "--network", "visa"), "--method upi takes no --network"),
        (("--tokens", "stripe"), "--tokens 'stripe': give a name, = and a value"),
        (("--token", "t", "--payer", "email"), "--payer 'email': give a name, = and a value"),
        (("--token", "t", "--order-line", "Ticket,two,999"), "give NAME,QUANTITY,MINOR"),
        (("--token", "t", "--order-line", "Ticket"), "give NAME,QUANTITY,MINOR"),
    ],
)
def test_what_does_not_go_together_is_told(options: tuple[str, ...], told: str) -> None:
    with pytest.raises(click.UsageError, match=told):
        body(*options)
