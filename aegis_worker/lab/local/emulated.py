"""The gateways that an emulator stands in for, beside the sandboxes: an entry each, for everything that is started here.

A further one is an entry of `EMULATED`; one of another package comes with that package's wire format. Its name is that of
its adapter and of the emulator's wire format. Nothing of the user's own table is used but the name: an emulator is never
given a real account's key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aegis_worker.emulator.paypal.authority import Authority
from aegis_worker.emulator.wire_formats import wire_format
from aegis_worker.gateways.registry import IN_PROCESS

# What emulators need alike. Test tokens make outcomes unknown on purpose, which must not open the breaker.
_ALIKE: Mapping[str, Any] = {"mode": "test", "breaker": {"unknown_rate": 1.0, "open_s": 10}}


@dataclass(frozen=True, slots=True)
class EmulatedGateway:
    """What is particular to a gateway.

    `table`: of its table in gateways.toml, beside what all have alike. `beside_ledger`: makes what its emulator keeps
    beside its ledger, and says what the table has of that. `credentials`: what the emulator is called with, made of the
    table's key. `tokens`: its own test tokens, by the sandbox's for the same behaviour; a token that is not here is called
    the same. `handed_on`: what the shop hands on of the address by which payers come back; empty where it only says that
    they are back, None where it says nothing. `library`: what the gateway's library in the shop's page takes out of
    `next_action.data`. `checkout`: whether the gateway itself takes the payer's money, on a page that shows all methods.
    `authenticates`: whether it sends payers to act after a payment was made; else all of that came with the token.
    """

    table: Mapping[str, Any] = field(default_factory=dict)
    beside_ledger: Callable[[Path], Mapping[str, Any]] = lambda ledger: {}
    credentials: str = "{key}"
    tokens: Mapping[str, str] = field(default_factory=dict)
    handed_on: frozenset[str] | None = None
    library: str = "client_secret"
    checkout: bool = False
    authenticates: bool = True

    def token(self, sandboxes: str) -> str:
        """What the gateway calls a test token of the sandboxes."""
        return self.tokens.get(sandboxes, sandboxes)


def _vouched_for(ledger: Path) -> Mapping[str, Any]:
    """Events are signed with a certificate, for which the emulator's own authority vouches."""
    return {"ca_bundle": str(Authority(ledger, "").root_file)}


_PAYPAL_CLIENT, _RAZORPAY_KEY_ID = "client_emulator", "rzp_test_Emulator000001"
_BRAINTREE_PUBLIC_KEY = "public_emulator"
EMULATED: Mapping[str, EmulatedGateway] = {
    "stripe": EmulatedGateway(
        table={
            "fee_fixed_minor": 30,
            "fee_basis_points": 290,
            "raw_cards": True,
            "options": {"publishable_key": "pk_test_emulator", "multicapture": True, "absence_window_s": 120},
        },
        tokens={"tok_pending_2_on_refund": "tok_pendingRefund", "tok_fails_late_2": "tok_refundFail"},
    ),
    "adyen": EmulatedGateway(
        table={
            "account": "EmulatedShop",
            "fee_fixed_minor": 11,
            "fee_basis_points": 320,
            "raw_cards": True,
            "options": {"return_url": "https://shop.example/back"},
        },
        tokens={
            # Each refund of Adyen's is only taken in, and pends until it is told.
            "tok_pending_2_on_refund": "tok_visa",
            "tok_fails_late_2": "tok_refund_failed",
            # Nothing moves there before what the payer brought back is handed over, however long that takes.
            **dict.fromkeys(
                ("tok_3ds_1", "tok_3ds_60", "tok_3ds_fail_60", "tok_3ds_120"), "tok_authenticate"
            ),
        },
        handed_on=frozenset({"redirectResult"}),
        library="token",
    ),
    "paypal": EmulatedGateway(
        table={
            "account": "MERCHANT2EMUL",
            "fee_fixed_minor": 49,
            "fee_basis_points": 349,
            "options": {
                "client_id": _PAYPAL_CLIENT,
                "return_url": "https://shop.example/back",
                "absence_window_s": 120,
                "approval_s": 10_800,
            },
        },
        beside_ledger=_vouched_for,
        credentials=f"{_PAYPAL_CLIENT}:{{key}}",
        tokens={
            # Payers of PayPal's act on its page alone; an order whose payer goes away stays until its time is over.
            **dict.fromkeys(
                ("tok_sdk_120", "tok_sdk_120_then_drop", "tok_sdk_120_then_drop_nocharge_once"), "tok_3ds_60"
            ),
            "tok_3ds_fail_60": "tok_3ds_fail_2",
        },
        handed_on=frozenset(),
    ),
    "braintree": EmulatedGateway(
        table={
            "account": "emulated_shop",
            # Its wallets pay by a nonce of the shop's page, as its cards do.
            "methods": ["card"],
            "raw_cards": True,
            "fee_fixed_minor": 30,
            "fee_basis_points": 259,
            "options": {
                "public_key": _BRAINTREE_PUBLIC_KEY,
                "merchant_accounts": {
                    currency: f"emulated_{currency.lower()}" for currency in ("USD", "EUR", "GBP")
                },
                "request_keys": True,
                "absence_window_s": 120,
            },
        },
        credentials=f"{_BRAINTREE_PUBLIC_KEY}:{{key}}",
        authenticates=False,
    ),
    "razorpay": EmulatedGateway(
        table={
            "account": "acc_Emulator000001",
            "fee_fixed_minor": 0,
            "fee_basis_points": 200,
            "options": {"key_id": _RAZORPAY_KEY_ID, "absence_window_s": 120},
        },
        credentials=f"{_RAZORPAY_KEY_ID}:{{key}}",
        tokens={
            # A payer is asked on the bank's page, which Checkout leads to.
            **dict.fromkeys(
                ("tok_sdk_120", "tok_sdk_120_then_drop", "tok_sdk_120_then_drop_nocharge_once"), "tok_3ds_60"
            ),
        },
        checkout=True,
    ),
}
_SANDBOX = EmulatedGateway()


def adapters_to_emulate(tables: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The adapters of these tables that an emulator stands in for: all that make calls, so not those of this process."""
    return frozenset(table["adapter"] for table in tables) - IN_PROCESS


def emulated(name: str) -> EmulatedGateway:
    """What is particular to a gateway, by its name; sandboxes have any other."""
    return EMULATED.get(name, _SANDBOX)


def table_of(name: str) -> dict[str, Any]:
    """The table in gateways.toml of a gateway of `EMULATED`, or of an installed package that has its emulator too.

    Raises NoWireFormat, which says what to do.
    """
    particular = EMULATED[name].table if name in EMULATED else wire_format(name).table
    variable = f"AEGIS_EMULATED_{name.upper()}"
    return {
        "adapter": name,
        "base_url_env": f"{variable}_URL",
        "api_key_env": f"{variable}_KEY",
        "webhook_secret_env": f"{variable}_WEBHOOK_SECRET",
        **_ALIKE,
        **particular,
    }
