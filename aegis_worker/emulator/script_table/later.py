"""What becomes of a payment after the answer: decided later, undone later, expired, disputed."""

from __future__ import annotations

from ..scripts import Effect, Script

_REFUNDS = frozenset({"refund"})

LATER = (
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
        acts_on=_REFUNDS,
    ),
    Script(
        "returned_late",
        "approves a refund, and the payer's bank sends the money back after N s (3)",
        36,
        Effect.SEND_BACK,
        takes="settle_s",
        settle_s=3,
        acts_on=_REFUNDS,
        wires=frozenset({"adyen"}),
    ),
    Script(
        "hold",
        "holds the funds for N s (604800, as every script does) under manual capture, and then releases them",
        47,
        takes="hold_s",
        most=604_800,
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
        "dispute_accepted",
        "the same; it counts as accepted after N s (3), because nobody answered",
        37,
        takes="dispute_s",
        dispute="needs_response",
        dispute_ends="accepted",
        dispute_s=3,
    ),
    Script(
        "dispute_warning",
        "approves; the payer's bank asks about it once it is captured, and takes nothing back",
        63,
        dispute="warning",
    ),
    Script(
        "dispute_warning_closed",
        "the same; the question is closed after N s (3)",
        38,
        takes="dispute_s",
        dispute="warning",
        dispute_ends="closed",
        dispute_s=3,
        wires=frozenset({"sandbox", "stripe", "paypal"}),
    ),
)
