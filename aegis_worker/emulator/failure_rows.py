"""Failure modes that are no script of a charge: other operations, a whole instance, what a person or a caller does."""

from __future__ import annotations

from .failure import Failure
from .script_table import SCRIPTS

_CALL = "the gateway"
_WORDS = {"capture": "the capture", "refund": "the refund", "void": "the void", "look_up": "the look-up"}


def _on(operation: str, script: str, meaning: str, family: str = _CALL) -> Failure:
    return Failure(f"{script}_on_{operation}", family, meaning, script, operation)


OTHER_OPERATIONS = (
    *(
        failure
        for operation in ("capture", "refund", "void")
        for failure in (
            _on(operation, "drop", f"does {_WORDS[operation]}, then drops the connection"),
            _on(operation, "drop_nocharge", f"drops the connection without doing {_WORDS[operation]}"),
            _on(operation, "500", f"does {_WORDS[operation]}, then answers 500"),
        )
    ),
    _on("refund", "hard_not_permitted", "refuses the refund: moves nothing", "the bank"),
    _on("capture", "hard_expired_card", "refuses the capture: moves nothing", "the bank"),
    _on("look_up", "drop", "drops the connection of a look-up"),
    _on("look_up", "503", "answers a look-up with 503"),
    _on("look_up", "garbage", "answers a look-up with a body that is no JSON"),
    _on("look_up", "other_payment", "answers a look-up with another payment"),
    _on("look_up", "latency", "answers a look-up after N ms (1000)"),
    _on("refund", "busy", "says that the first refund with this key is still under way, and moves nothing"),
    *(
        Failure(
            f"other_{what}_on_capture",
            _CALL,
            f"captures; the answer shows another {what}",
            f"other_{what}",
            "capture",
            wires=("razorpay",),
        )
        for what in ("payment", "amount", "currency")
    ),
    _on("capture", "pending", "takes the capture in, and carries it out after N s (3)", "later"),
    _on("capture", "pending_fail", "takes the capture in, and fails it after N s (3)", "later"),
    _on("capture", "fails_late", "captures, and takes it back after N s (3)", "later"),
    _on("refund", "pending", "takes the refund in, and carries it out after N s (3)", "later"),
    _on("refund", "pending_fail", "takes the refund in, and fails it after N s (3)", "later"),
)
_WITH_A_PAGE = ("sandbox", "stripe", "adyen", "razorpay")
# These are scripts that need a person besides.
WITH_A_PERSON = frozenset({"approval_reversed"})
BESIDE_SCRIPTS = (
    Failure(
        "approval_reversed",
        "later",
        SCRIPTS["approval_reversed"].meaning,
        "approval_reversed",
        "create",
        then="approve the order on its page, and capture nothing",
    ),
    Failure(
        "payer_cancels",
        "the payer",
        "the payer goes back to the shop without approving; the order waits on",
        then="click “Cancel and return to the shop” on the order's page",
        wires=("paypal",),
    ),
    Failure(
        "token_revoked",
        _CALL,
        "the access token is refused before its time; a new one is given",
        then='`POST /_sandbox/tokens {"revoke": true}`',
        wires=("paypal",),
    ),
    Failure(
        "duplicate",
        _CALL,
        "a sale that is made again within 30 s is rejected as a duplicate, and was not declined: the first one stands",
        then="charge a token or a card, and again with the same order id and amount",
        wires=("braintree",),
    ),
    Failure(
        "duplicate_unnoticed",
        _CALL,
        "a sale that is made again after 30 s is a second charge",
        then='charge a token or a card, `POST /_sandbox/clock {"advance_s": 31}`, charge again with the same order id',
        wires=("braintree",),
    ),
    Failure(
        "nonce_consumed",
        _CALL,
        "a nonce that has paid is refused with 91564, whatever became of the sale that it has paid",
        then="charge a nonce, and again with the same order id",
        wires=("braintree",),
    ),
    Failure(
        "refund_before_settlement",
        _CALL,
        "a refund of what is not settled yet is refused with 91506; a void gives it back",
        "settles",
        then="refund the charge at once",
    ),
    Failure(
        "order_id_moves",
        _CALL,
        "a capture that has an order id of its own takes the sale from under the old one: nothing is found there",
        then="hold, submit for settlement with another order id, search for the first",
        wires=("braintree",),
    ),
    Failure(
        "failed_in_the_browser",
        "the payer",
        "the payer failed 3-D Secure in the browser: the sale is rejected with `three_d_secure`",
        then="charge `tok_3ds_fail`",
        wires=("braintree",),
    ),
    Failure(
        "key_expired",
        _CALL,
        "an idempotency key is forgotten after a day: who repeats it later charges again",
        then='charge, `POST /_sandbox/clock {"advance_s": 86401}`, charge again with the same key',
        wires=("sandbox", "stripe", "adyen"),
    ),
    Failure(
        "payer_fails",
        "the payer",
        "the payer fails the challenge: `authentication_failed`",
        "3ds_abandoned",
        then="click “Fail authentication” on the page",
        wires=_WITH_A_PAGE,
    ),
    Failure(
        "payer_returns_twice",
        "the payer",
        "the payer comes back twice: one charge",
        "3ds_abandoned",
        then="click “Complete authentication” on the page, twice",
        wires=_WITH_A_PAGE,
    ),
    Failure(
        "payer_returns_late",
        "the payer",
        "the payer passes after it has expired: nothing is charged",
        "3ds_abandoned_1",
        then="click “Complete authentication” on the page after 2 s",
        wires=_WITH_A_PAGE,
    ),
    Failure(
        "webhook_first",
        "webhooks",
        "tells of the charge before it answers, which takes N ms (1000)",
        "latency",
        wires=("sandbox", "stripe", "adyen", "paypal"),
    ),
    Failure(
        "void_while_capturing",
        "later",
        "a void while a capture is under way: one of them is done, never both",
        "pending",
        "capture",
        then="void the payment before the capture is decided",
        wires=("sandbox", "adyen"),
    ),
    Failure(
        "pays_again",
        "the payer",
        "a payment of an order fails, and the payer pays the order by another one",
        then="pay the order with `tok_soft_insufficient_funds`, then with `tok_ok`",
        wires=("razorpay",),
    ),
    Failure(
        "late_duplicate",
        "later",
        "a payment that has failed is approved once its order was paid by another one: it is given back at once",
        then="pay the order with `tok_late_authorization_60`, then with `tok_ok`; let a minute pass",
        wires=("razorpay",),
    ),
    Failure(
        "never_captured",
        "later",
        "what nobody captures is given back after three days; the payment is refunded, and was never captured",
        then='pay an order that is captured manually, `POST /_sandbox/clock {"advance_s": 259201}`',
        wires=("razorpay",),
    ),
    Failure(
        "captured_again",
        _CALL,
        "a capture has no key: a repeated one is refused, because the payment has already been captured",
        then="capture the same payment twice",
        wires=("razorpay",),
    ),
    Failure(
        "captured_in_part",
        _CALL,
        "a capture of another amount than the whole is refused",
        then="capture a payment for less than its amount",
        wires=("razorpay",),
    ),
    Failure(
        "receipt_twice",
        _CALL,
        "a receipt makes another order each time, unless it is to be unique: then the first order comes back",
        then="post an order twice, with and without `unique_receipt`",
        wires=("razorpay",),
    ),
    Failure(
        "refund_key_reused",
        _CALL,
        "another refund under a key that is known is refused with 409",
        then="refund twice under one X-Refund-Idempotency, for other amounts",
        wires=("razorpay",),
    ),
    Failure(
        "hold_expired",
        "later",
        "a hold that nobody collects is `authorization_expired` after 8 days (Visa; 7 or 30 for other cards)",
        then='hold, `POST /_sandbox/clock {"advance_s": 691200}`',
        wires=("braintree",),
    ),
    Failure(
        "dispute_by_hand",
        "later",
        "a dispute opens when you say so, and takes the status that you say",
        then='`POST /_sandbox/disputes {"payment_id": "…"}`, later `{"id": "…", "status": "won"}`',
    ),
    Failure(
        "down",
        _CALL,
        "the whole gateway answers 503 and does nothing",
        faults='{"refuse_all": true}',
    ),
    Failure(
        "limited",
        _CALL,
        "every call that moves money answers 429 with Retry-After",
        faults='{"retry_after_s": 2}',
    ),
    Failure("slow", _CALL, "every answer comes so many milliseconds later", faults='{"latency_ms": 300}'),
    Failure(
        "look_ups_down",
        _CALL,
        "look-ups answer 503",
        operation="look_up",
        faults='{"status_down": true}',
    ),
    Failure(
        "share_fails",
        _CALL,
        "a share of the charges, drawn from a seed, behaves like a script",
        faults='{"fail_share": 0.2, "fail_script": "500_nocharge", "seed": 7}',
    ),
)
