"""What each test token, and each test amount, makes the sandbox gateway do: one table."""

from __future__ import annotations

from .scripts import Effect, Script, Wire

# Minor amounts 900,001 … 900,099 choose a script for the methods that carry no token: 9,000.01 and up in a
# currency with two decimals, rare enough that no ordinary test amount meets one by accident.
AMOUNT_BASE = 900_000

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

TABLE = (
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
        "3ds",
        "the payer must act: requires_action with a redirect_url, a page with two buttons; goes on when one is clicked, or"
        " after N s (2) as if it was passed",
        40,
        takes="payer_s",
        payer_must_act=True,
        payer_s=2,
        acts_on=frozenset({"authenticate", "charge"}),
    ),
    Script(
        "3ds_fail",
        "the same, but the check fails, whatever is clicked: `authentication_failed`",
        41,
        code="authentication_failed",
        takes="payer_s",
        payer_must_act=True,
        payer_s=2,
        acts_on=frozenset({"authenticate", "charge"}),
    ),
    Script(
        "sdk",
        "the payer must act in the shop's frontend: requires_action with a client_secret; goes on with a confirm that"
        " carries the challenge's result, or fails with `authentication_failed` after N s (60)",
        45,
        code="authentication_failed",
        takes="payer_s",
        payer_must_act=True,
        payer_s=60,
        in_frontend=True,
        acts_on=frozenset({"authenticate", "charge"}),
    ),
    Script(
        "pending", "answers pending, succeeds after N s (3)", 42, Effect.PENDING, takes="settle_s", settle_s=3
    ),
    Script(
        "pending_fail",
        "answers pending, fails with `issuer_unavailable` after N s (3)",
        43,
        Effect.PENDING,
        code="issuer_unavailable",
        takes="settle_s",
        settle_s=3,
    ),
    Script(
        "fails_late",
        "approves a refund, or `_on_capture` a capture, and takes it back after N s (3): it fails with `account_closed`",
        46,
        Effect.TAKE_BACK,
        code="account_closed",
        takes="settle_s",
        settle_s=3,
        acts_on=frozenset({"refund"}),
    ),
    Script(
        "hold",
        "holds the funds for N s (604800, as every script does) under manual capture, and then releases them",
        47,
        takes="hold_s",
        most=604_800,
    ),
    Script(
        "latency",
        "charges at once, answers after N ms (1000)",
        44,
        takes="answer_after_ms",
        most=120_000,
        answer_after_ms=1000,
    ),
    Script("drop", "charges, then drops the connection without an answer", 50, wire=Wire.DROP),
    Script("drop_nocharge", "drops the connection without charging", 51, Effect.NOTHING, Wire.DROP),
    Script("500", "charges, then answers 500", 52, wire=Wire.ERROR),
    Script("500_nocharge", "answers 500 without charging", 53, Effect.NOTHING, Wire.ERROR),
    Script("garbage", "charges, then answers 200 with a body that is no JSON", 54, wire=Wire.GARBAGE),
    Script(
        "429",
        "the first call answers 429 with Retry-After N s (1) and does not charge; later calls approve",
        55,
        Effect.NOTHING,
        Wire.RATE_LIMIT,
        takes="retry_after_s",
        retry_after_s=1,
        once=True,
    ),
    Script(
        "status_lag",
        "charges and drops the connection; look-ups say not found for N s (5)",
        56,
        wire=Wire.DROP,
        takes="hidden_s",
        hidden_s=5,
    ),
    Script(
        "status_down",
        "charges and drops the connection; look-ups answer 503 for N s (5)",
        57,
        wire=Wire.DROP,
        takes="down_s",
        down_s=5,
    ),
    Script(
        "late_commit",
        "charges only after N s (20) and answers then; until then look-ups find no charge",
        58,
        takes="commit_after_s",
        commit_after_s=20,
    ),
    Script("dispute", "approves; the payer disputes it once it is captured", 60, dispute="needs_response"),
    Script(
        "dispute_won",
        "the same; the dispute is won after N s (3)",
        61,
        takes="dispute_s",
        dispute="needs_response",
        dispute_ends="won",
        dispute_s=3,
    ),
    Script(
        "dispute_lost",
        "the same; the dispute is lost after N s (3)",
        62,
        takes="dispute_s",
        dispute="needs_response",
        dispute_ends="lost",
        dispute_s=3,
    ),
    Script(
        "dispute_warning",
        "approves; the payer's bank asks about it once it is captured, and takes nothing back",
        63,
        dispute="warning",
    ),
)

SCRIPTS = {script.name: script for script in TABLE}
BY_AMOUNT = {AMOUNT_BASE + script.amount_suffix: script for script in TABLE}
