"""The options of `aegis pay` that say what to pay, and the body of the request that they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from aegis_worker.domain.card_networks import NETWORKS

from .minor_units import minor_units

C = TypeVar("C", bound=Callable[..., Any])

# For each payment method, the option that fills its one field.
_FIELD_OF = {
    "card": "token",
    "upi": "vpa",
    "net_banking": "bank_code",
    "wallet": "provider",
    "pay_later": "provider",
}
_AS_THEY_ARE = (
    "capture_method",
    "reference",
    "scheduled_at",
    "setup_future_usage",
    "off_session_reason",
    "network_transaction_id",
    "mandate",
    "description",
    "statement_descriptor",
    "return_url",
)

_OPTIONS = (
    click.option("--amount", metavar="MINOR", help="Minor units, a whole number: 1999 USD is 19.99 dollars."),
    click.option("--currency", metavar="CODE", help="ISO 4217, such as USD."),
    click.option(
        "--capture-method",
        type=click.Choice(["automatic", "manual"]),
        help="manual: the funds are held until `aegis capture` takes them. The default is automatic.",
    ),
    click.option(
        "--method",
        type=click.Choice(list(_FIELD_OF)),
        help="The payment method. The default follows from --token, --tokens, --vpa or --bank-code.",
    ),
    click.option("--token", help="card: the gateway's token."),
    click.option(
        "--gateway",
        metavar="NAME",
        help="The gateway that issued the token; sandboxes need no name for test tokens.",
    ),
    click.option(
        "--tokens",
        metavar="GATEWAY=TOKEN",
        multiple=True,
        help="card, in place of --token: what a gateway made of it, once for each of several gateways.",
    ),
    click.option(
        "--network",
        type=click.Choice(NETWORKS),
        help="card: its network. If given, AegisPay keeps to the network's retry limits.",
    ),
    click.option("--vpa", help="upi: the payer's virtual payment address, such as asha@okbank."),
    click.option("--bank-code", help="net_banking: the code of the payer's bank."),
    click.option("--provider", help="wallet, pay_later: the company that provides it."),
    click.option("--reference", help="Your own reference, such as an order number."),
    click.option("--customer", metavar="ID", help="Your own id of the customer."),
    click.option(
        "--payer",
        metavar="FIELD=VALUE",
        multiple=True,
        help="What is known of who pays, for gateways that ask: email, phone, ip, or a field of billing_address,"
        " shipping_address or browser, such as billing_address.country=IN. Once for each field.",
    ),
    click.option(
        "--at",
        "scheduled_at",
        metavar="TIME",
        help="Charge it then: RFC 3339, such as 2026-12-01T09:00:00Z. Until then `aegis cancel` takes it back.",
    ),
    click.option("--off-session", is_flag=True, default=None, help="The payer is not there to do anything."),
    click.option(
        "--off-session-reason",
        type=click.Choice(["unscheduled", "recurring"]),
        help="With --off-session or --at: recurring, if it is one of a series at fixed intervals.",
    ),
    click.option(
        "--setup-future-usage",
        type=click.Choice(["on_session", "off_session"]),
        help="The payer agrees that the card is kept, for payments with them there, or also without them.",
    ),
    click.option(
        "--network-transaction-id",
        metavar="ID",
        help="With --off-session or --at: the card network's id of the payment at which the payer agreed.",
    ),
    click.option("--mandate", metavar="ID", help="The gateway's id of what the payer agreed to before."),
    click.option(
        "--order-line",
        "order_lines",
        metavar="NAME,QUANTITY,MINOR",
        multiple=True,
        help="What is bought, how many of it, and what one costs in minor units. Once for each line.",
    ),
    click.option("--description"),
    click.option(
        "--statement-descriptor",
        help="What the payer reads on the bank or card statement: 5 to 22 characters, such as BLUE TICKETS.",
    ),
    click.option("--return-url", help="The page to which the payer returns after an action."),
)


def body_options(command: C) -> C:
    """The options that `body_of` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def body_of(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The body of the request. Raises click.UsageError, which says what is missing or does not go together."""
    if flags["amount"] is None or flags["currency"] is None:
        raise click.UsageError("give --amount and --currency, or --file")
    body: dict[str, Any] = {
        "amount": minor_units(flags["amount"], flags["currency"]),
        "currency": flags["currency"],
        "payment_method": _payment_method(flags),
    }
    body |= {name: flags[name] for name in _AS_THEY_ARE if flags[name] is not None}
    if flags["customer"] is not None:
        body["customer"] = {"id": flags["customer"]}
    if flags["off_session"]:
        body["off_session"] = True
    if flags["payer"]:
        body["payer"] = _payer(flags["payer"])
    if flags["order_lines"]:
        body["order_lines"] = [_order_line(text) for text in flags["order_lines"]]
    return body


def _payment_method(flags: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: flags[name] for name in dict.fromkeys(_FIELD_OF.values()) if flags[name] is not None}
    if flags["tokens"]:
        fields["tokens"] = dict(_pair("--tokens", text) for text in flags["tokens"])
    method = flags["method"] or _only_method(fields)
    field = _FIELD_OF[method]
    if set(fields) != {field} and (field != "token" or set(fields) != {"tokens"}):
        raise click.UsageError(f"--method {method} takes --{field.replace('_', '-')} and no other")
    if flags["network"] is not None and method != "card":
        raise click.UsageError(f"--method {method} takes no --network")
    if flags["gateway"] is not None and "token" not in fields:
        raise click.UsageError("--gateway says who issued --token, so it goes with no other")
    told = {"network": flags["network"], "gateway": flags["gateway"]}
    return {"type": method, **fields, **{name: text for name, text in told.items() if text}}


def _only_method(fields: Mapping[str, Any]) -> str:
    given = {"token" if name == "tokens" else name for name in fields}
    matching = [type_ for type_, field in _FIELD_OF.items() if field in given and field != "provider"]
    if len(matching) != 1:
        raise click.UsageError(
            "say how to pay: --token, --tokens, --vpa or --bank-code, or --method with --provider"
        )
    return matching[0]


def _payer(texts: Sequence[str]) -> dict[str, Any]:
    payer: dict[str, Any] = {}
    for text in texts:
        name, value = _pair("--payer", text)
        group, dot, field = name.rpartition(".")
        if dot:
            payer.setdefault(group, {})[field] = _browser_value(value) if group == "browser" else value
        else:
            payer[name] = value
    return payer


def _browser_value(text: str) -> str | int | bool:
    """What a browser tells is a text, a whole number, or a yes and no."""
    if text in ("true", "false"):
        return text == "true"
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) < 10 else text


def _order_line(text: str) -> dict[str, Any]:
    name, *numbers = text.rsplit(",", 2)
    quantity, unit_amount = numbers if len(numbers) == 2 else ("", "")
    digits = unit_amount.removeprefix("-")
    if not (
        name and all(part.isascii() and part.isdecimal() and len(part) < 12 for part in (quantity, digits))
    ):
        raise click.UsageError(f"--order-line {text!r}: give NAME,QUANTITY,MINOR, such as Ticket,2,999")
    return {"name": name, "quantity": int(quantity), "unit_amount": int(unit_amount)}


def _pair(option: str, text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise click.UsageError(f"{option} {text!r}: give a name, = and a value")
    return name, value
