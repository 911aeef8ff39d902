"""What the gateway itself, and what lies between it and its caller, does with a call."""

from __future__ import annotations

from ..scripts import Effect, Script, Wire

_LONGEST_MS = 120_000
_ASKABLE = frozenset({"sandbox", "stripe", "paypal", "razorpay", "braintree"})
_BRAINTREE = frozenset({"braintree"})
# Why Braintree turns a sale away without asking the processor; the payer's bank is asked nothing.
_REJECTIONS = (
    "avs",
    "cvv",
    "avs_and_cvv",
    "fraud",
    "risk_threshold",
    "three_d_secure",
    "excessive_retry",
    "application_incomplete",
)
# PayPal answers a repeat with what the first call made, as that is now, and charges no invoice twice.
_KEEPS_ANSWERS = frozenset({"sandbox", "stripe", "adyen"})

GATEWAY = (
    Script("drop", "charges, then drops the connection without an answer", 50, wire=Wire.DROP),
    Script("drop_nocharge", "drops the connection without charging", 51, Effect.NOTHING, Wire.DROP),
    Script("reset", "charges, then resets the connection", 64, wire=Wire.RESET),
    Script("reset_nocharge", "resets the connection without charging", 65, Effect.NOTHING, Wire.RESET),
    Script(
        "timeout",
        "charges, says nothing for N ms (30000), and drops the connection",
        66,
        wire=Wire.DROP,
        takes="answer_after_ms",
        most=_LONGEST_MS,
        answer_after_ms=30_000,
    ),
    Script(
        "timeout_nocharge",
        "says nothing for N ms (30000), and drops the connection without charging",
        67,
        Effect.NOTHING,
        Wire.DROP,
        takes="answer_after_ms",
        most=_LONGEST_MS,
        answer_after_ms=30_000,
    ),
    Script("500", "charges, then answers 500", 52, wire=Wire.ERROR),
    Script("500_nocharge", "answers 500 without charging", 53, Effect.NOTHING, Wire.ERROR),
    Script(
        "500_stored",
        "charges, then answers 500, and again under the same idempotency key",
        34,
        wire=Wire.ERROR,
        stores_error=True,
        wires=_KEEPS_ANSWERS,
    ),
    Script(
        "500_unstored",
        "charges, then answers 500; the same idempotency key gets the true answer",
        35,
        wire=Wire.ERROR,
        stores_error=False,
    ),
    *(
        Script(
            f"rejected_{reason}",
            f"turns the charge away by a rule of its own: `{reason}`",
            0,
            Effect.DECLINE,
            code=f"rejected_{reason}",
            wires=_BRAINTREE,
        )
        for reason in _REJECTIONS
    ),
    Script("503", "charges, then answers 503", 68, wire=Wire.UNAVAILABLE),
    Script("503_nocharge", "answers 503 without charging", 69, Effect.NOTHING, Wire.UNAVAILABLE),
    Script("garbage", "charges, then answers 200 with a body that is no JSON", 54, wire=Wire.GARBAGE),
    Script("html", "charges, then a proxy answers 502 with a page", 70, wire=Wire.PROXY_PAGE),
    Script(
        "html_nocharge",
        "a proxy answers 502 with a page, and nothing is charged",
        71,
        Effect.NOTHING,
        Wire.PROXY_PAGE,
    ),
    Script("empty", "charges, then answers 200 with an empty body", 72, wire=Wire.EMPTY),
    Script("half", "charges, then breaks off in the middle of the answer", 73, wire=Wire.HALF),
    Script("short", "charges; the answer's Content-Length is too small", 74, wire=Wire.SHORT),
    Script("wrong_type", "charges; the answer calls itself text/html", 75, wire=Wire.WRONG_TYPE),
    Script("other_payment", "charges; the answer is about another payment", 76, wire=Wire.OTHER_PAYMENT),
    Script("other_amount", "charges; the answer shows another amount", 77, wire=Wire.OTHER_AMOUNT),
    Script("other_currency", "charges; the answer shows another currency", 78, wire=Wire.OTHER_CURRENCY),
    Script("401", "refuses the API key, and does not charge", 79, Effect.NOTHING, Wire.UNAUTHORIZED),
    Script(
        "busy",
        "says that the first call with this key is still under way, and does not charge",
        80,
        Effect.NOTHING,
        Wire.BUSY,
    ),
    Script(
        "forgets_key",
        "charges, drops the connection and keeps nothing under the idempotency key: who repeats it charges again",
        81,
        wire=Wire.DROP,
        forgets_key=True,
        wires=_KEEPS_ANSWERS,
    ),
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
        "clock_off",
        "charges; the answer's Date is N s (3600) ahead",
        82,
        takes="clock_s",
        most=604_800,
        clock_s=3600,
    ),
    Script(
        "status_lag",
        "charges and drops the connection; look-ups say not found for N s (5)",
        56,
        wire=Wire.DROP,
        takes="hidden_s",
        hidden_s=5,
        wires=_ASKABLE,
    ),
    Script(
        "status_down",
        "charges and drops the connection; look-ups answer 503 for N s (5)",
        57,
        wire=Wire.DROP,
        takes="down_s",
        down_s=5,
        wires=_ASKABLE,
    ),
    Script(
        "late_commit",
        "charges only after N s (20) and answers then; until then look-ups find no charge",
        58,
        takes="commit_after_s",
        commit_after_s=20,
    ),
)
