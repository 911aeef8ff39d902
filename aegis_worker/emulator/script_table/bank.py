"""What the payer's bank does with a charge."""

from __future__ import annotations

from ..scripts import Effect, Script

OK = Script("ok", "approves; so does every token not listed here", 1)

_HARD = (
    "stolen_card",
    "lost_card",
    "expired_card",
    "invalid_account",
    "fraud",
    "invalid_number",
    "invalid_cvc",
    "card_not_supported",
    "currency_not_supported",
    "restricted_card",
    "account_closed",
    "revocation",
    "pickup_card",
    "not_permitted",
)
_SOFT = (
    "insufficient_funds",
    "issuer_unavailable",
    "try_again",
    "processing_error",
    "withdrawal_limit",
    "do_not_honor",
    "velocity",
)

BANK = (
    OK,
    *(
        Script(f"hard_{code}", f"declines for good with `{code}`", 2 + i, Effect.DECLINE, code=code)
        for i, code in enumerate(_HARD)
    ),
    *(
        Script(f"soft_{code}", f"declines for now with `{code}`", 20 + i, Effect.DECLINE, code=code)
        for i, code in enumerate(_SOFT)
    ),
    Script(
        "latency",
        "charges at once, answers after N ms (1000)",
        44,
        takes="answer_after_ms",
        most=120_000,
        answer_after_ms=1000,
    ),
)
