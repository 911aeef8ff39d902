"""Schemas of the answers about payments, for the OpenAPI document and for tests that check real answers."""

from __future__ import annotations

from marshmallow import fields

from aegis_api.disputes.schemas import DisputeListSchema
from aegis_api.http.documented import Answer, an_object, one_of, table, text, time, whole
from aegis_api.http.refusals import LastErrorSchema
from aegis_api.jobs.schemas import AcceptedJobSchema, JobSchema
from aegis_api.orders.schemas import CaptureListSchema, RefundListSchema
from aegis_worker.domain.actions import ACTIONS
from aegis_worker.domain.attempts import AttemptStatus
from aegis_worker.domain.modes import MODES
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.screening import Action
from aegis_worker.domain.transitions import EventType, State

from .query_schemas import EXPANDABLE


class AmountsSchema(Answer):
    """The amounts moved so far, in minor units. What is under way is reserved: it can't be captured or refunded twice."""

    authorized = whole("Held, or charged at once.")
    captured = whole("Taken from the payer.")
    refunded = whole("Of that, given back.")
    capturing = whole("In captures that are accepted and not settled yet.")
    refunding = whole("In refunds that are accepted and not settled yet.")
    capturable = whole("What may still be captured.")
    refundable = whole("What may still be refunded; while it is disputed, only by force.")
    disputed = whole("What open disputes are about: the gateway has taken it back for now.")
    charged_back = whole("What disputes have given back to the payer for good.")


class NextActionSchema(Answer):
    """What the payer must do now. Its `type` says what the shop's frontend does.

    Only an answer about one payment, to its merchant's key, shows more than `type` and `expires_at`: lists, events and
    webhooks show these two alone, because whoever has the rest can act as the payer. It is gone when the payer has acted.
    """

    type = one_of(
        *(str(action.__struct_config__.tag) for action in ACTIONS),
        description=table(
            ("type", "the frontend"),
            ("redirect", "sends the payer's browser to `url`"),
            (
                "sdk",
                "hands `data` to the library `sdk` of the gateway, and posts what that gives back to `confirm`",
            ),
            ("qr", "shows `content` as a QR code, or the picture at `image_url`"),
        ),
    )
    expires_at = time("Until when the payer can act. After that what could be paid is cancelled.", none=True)
    url = text("Of a redirect.", required=False)
    sdk = text("Of an sdk: which of the gateway's libraries, such as `stripe`.", required=False)
    gateway = text("Of an sdk: the gateway, as `gateway` of the payment.", required=False)
    data = fields.Dict(metadata={"description": "Of an sdk: what its library takes."})
    content = text("Of a qr: what the code says.", required=False)
    image_url = text("Of a qr: the gateway's picture of it, or null.", required=False, none=True)


class PaymentLinksSchema(Answer):
    """The URLs of the payment and its history."""

    self = text()
    events = text()
    attempts = text()


class EventSchema(Answer):
    """One thing that happened to a payment. An event never changes. `seq` starts at 1 and has no gaps."""

    id = text(
        "The same for every delivery of this event, so that a receiver can recognise repeated deliveries."
    )
    object = one_of("event")
    type = one_of(*(kind.wire for kind in EventType))
    seq = whole()
    payment_id = text()
    data = an_object("What the event changed.")
    created_at = time()


class AttemptSchema(Answer):
    """One call to one gateway."""

    object = one_of("attempt")
    payment_id = text()
    operation = one_of(*(operation.value for operation in Operation))
    number = whole(
        "The hop, from 1, of a call that a payment takes or that gives a charge too many back; of a confirm its own. Of a "
        "capture, void or refund that a merchant ordered 100 more than which of its kind it is: 102 is the second."
    )
    gateway = text()
    account = text(
        "The account at the gateway that the call was made with; null if it has no name.", none=True
    )
    status = one_of(
        *AttemptStatus,
        description="UNKNOWN: the call may or may not have been carried out; the gateway is being asked.",
    )
    gateway_ref = text(none=True)
    outcome = an_object("What the gateway answered, in AegisPay's own terms.", none=True)
    decision = an_object(
        "Why this gateway was chosen: the `candidates`, best first; the gateways `left_out`, each with the reason; "
        "`because`, the reason for the one that was tried; the `strategy`, and the `scores` that it gave each candidate; "
        "the `version` of the routing configuration; and, if they decided, `rule`, `explored`, `experiment` and `arm`.",
        none=True,
    )
    sends = whole("How often the call was sent, always with the same idempotency key for the gateway.")
    checks = whole("How often the gateway was asked what happened to the call.")
    not_found_count = whole("How often the gateway answered that it does not know the call.")
    latency_ms = fields.Float(
        required=True,
        allow_none=True,
        metadata={
            "description": "How long the gateway took to answer, in milliseconds; null until it has answered."
        },
    )
    sent_at = time()
    answered_at = time(none=True)
    last_checked_at = time(none=True)


class EventListSchema(Answer):
    """A page of a payment's events, oldest first."""

    data = fields.List(fields.Nested(EventSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text(none=True)


class AttemptListSchema(Answer):
    """A payment's attempts in the order in which they were sent. They always fit on one page."""

    data = fields.List(fields.Nested(AttemptSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text(none=True)


class ToldScreeningSchema(Answer):
    """What the operator's hooks and rules came to, before the payment was sent anywhere. Which they were is not told."""

    action = one_of(
        *Action,
        description="What holds: `allow` also of a payment that a person approved.",
    )
    approved = fields.Boolean(
        required=True, metadata={"description": "Whether a person looked at it and let it go on."}
    )


class PaymentSchema(Answer):
    """A payment. Amounts are in minor units."""

    id = text()
    object = one_of("payment")
    mode = one_of(
        *MODES,
        description="live: it moves real money. test: it goes to sandboxes and gateways' test modes only. That of its key.",
    )
    amount = whole()
    currency = text()
    reference = text(none=True)
    state = one_of(*State)
    certainty = one_of(
        "known",
        "unknown",
        description="unknown: the payer may have been charged; the gateway is being asked.",
    )
    capture_method = one_of("automatic", "manual")
    payment_method = an_object("As given.")
    customer = an_object("As given.")
    description = text(none=True)
    statement_descriptor = text("What the payer reads on the bank or card statement.", none=True)
    scheduled_at = time("It is not charged before; null: as soon as it can be.", none=True)
    off_session = fields.Boolean(
        required=True, metadata={"description": "Whether the payer was not there to do anything."}
    )
    off_session_reason = text("As given: `unscheduled` or `recurring`.", none=True)
    setup_future_usage = text("As given: `on_session` or `off_session`.", none=True)
    network_transaction_id = text(
        "The card network's id of the payment at which the payer agreed: as given, or as known of the customer's earlier "
        "payments with this card.",
        none=True,
    )
    mandate = text("The gateway's id of what the payer agreed to before.", none=True)
    order_lines = fields.List(
        an_object("One line."),
        required=True,
        allow_none=True,
        metadata={"description": "What is bought, as given."},
    )
    return_url = text(none=True)
    metadata = an_object("As given, and what enrichment hooks have added; they replace nothing.")
    amounts = fields.Nested(AmountsSchema, required=True)
    capture_before = time(
        "When what is held is released by itself; null: nobody knows, or nothing is held.", none=True
    )
    gateway = text(none=True)
    gateway_ref = text(none=True)
    last_error = fields.Nested(LastErrorSchema, required=True, allow_none=True)
    next_action = fields.Nested(
        NextActionSchema,
        required=True,
        allow_none=True,
        metadata={"description": "What the payer has to do before the gateway goes on; null: nothing."},
    )
    screening = fields.Nested(
        ToldScreeningSchema,
        required=True,
        allow_none=True,
        metadata={"description": "null: no hook and no rule was asked about it, or not yet."},
    )
    version = whole("Grows with every event; also sent as the ETag.")
    created_at = time()
    updated_at = time()
    links = fields.Nested(PaymentLinksSchema, required=True)


class ExpandedPaymentSchema(PaymentSchema):
    """A payment with the lists that `expand` asked for."""

    events = fields.Nested(EventListSchema, metadata={"description": f"Present with expand={EXPANDABLE[1]}."})
    captures = fields.Nested(
        CaptureListSchema, metadata={"description": f"Present with expand={EXPANDABLE[2]}."}
    )
    refunds = fields.Nested(
        RefundListSchema, metadata={"description": f"Present with expand={EXPANDABLE[3]}."}
    )
    disputes = fields.Nested(
        DisputeListSchema, metadata={"description": f"Present with expand={EXPANDABLE[4]}."}
    )
    attempts = fields.Nested(
        AttemptListSchema, metadata={"description": f"Present with expand={EXPANDABLE[0]}."}
    )


class HistorySchema(EventListSchema):
    """A page of events. With `as_of`, only events up to then, and the payment as it was then; null before it existed."""

    as_of = time("The `as_of` of the request.", required=False)
    payment = fields.Nested(
        PaymentSchema,
        allow_none=True,
        metadata={"description": "The payment as it was at `as_of`; present with as_of."},
    )


class AcceptedPaymentSchema(PaymentSchema):
    """The payment as it was at acceptance, and the job that carries it out."""

    job = fields.Nested(AcceptedJobSchema, required=True)


class DecidedPaymentSchema(PaymentSchema):
    """The payment as it is after the wait, and its job."""

    job = fields.Nested(JobSchema, required=True)


class PaymentListSchema(Answer):
    """A page of payments, newest first."""

    data = fields.List(fields.Nested(PaymentSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text("The `starting_after` for the next page; null on the last page.", none=True)
