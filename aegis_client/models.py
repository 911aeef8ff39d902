"""What the API takes and answers, as types of plain dictionaries.

Written by scripts/documents from the OpenAPI document of the API: change that.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class FieldError(TypedDict):
    """One refused value, found by its `pointer` into the body (RFC 6901), or by its query `parameter` or `header`."""

    pointer: NotRequired[str]
    parameter: NotRequired[str]
    header: NotRequired[str]
    code: str
    detail: str


class Problem(TypedDict):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    retryable: bool
    errors: NotRequired[list[FieldError]]
    allowed: NotRequired[list[str]]
    gateways_say: NotRequired[list[dict[str, Any]]]
    capturable: NotRequired[int]
    refundable: NotRequired[int]
    disputed: NotRequired[int]
    checks: NotRequired[dict[str, str]]
    endpoint_id: NotRequired[str]
    payment_id: NotRequired[str]


class Card(TypedDict):
    """A card as its holder gives it."""

    number: str
    exp_month: int
    exp_year: int
    cvc: NotRequired[str | None]
    holder: NotRequired[str | None]


class CardMethod(TypedDict):
    """A card, given as the token that a gateway or AegisPay's card vault made of it, or, where that vault is on, by itself."""

    token: NotRequired[str | None]
    gateway: NotRequired[str | None]
    tokens: NotRequired[dict[str, str] | None]
    type: Literal["card"]
    card: NotRequired[Any]
    network: NotRequired[Literal["amex", "diners", "discover", "jcb", "mastercard", "rupay", "unionpay", "visa"] | None]


class UpiMethod(TypedDict):
    """A UPI payment, from a virtual payment address where the gateway asks for one."""

    token: NotRequired[str | None]
    gateway: NotRequired[str | None]
    tokens: NotRequired[dict[str, str] | None]
    type: Literal["upi"]
    vpa: NotRequired[str | None]


class NetBankingMethod(TypedDict):
    """A payment from the payer's bank account, at the bank's own site; some gateways let the payer choose the bank."""

    token: NotRequired[str | None]
    gateway: NotRequired[str | None]
    tokens: NotRequired[dict[str, str] | None]
    type: Literal["net_banking"]
    bank_code: NotRequired[str | None]


class WalletMethod(TypedDict):
    """A payment from a wallet."""

    token: NotRequired[str | None]
    gateway: NotRequired[str | None]
    tokens: NotRequired[dict[str, str] | None]
    type: Literal["wallet"]
    provider: str


class PayLaterMethod(TypedDict):
    """A payment that a lender advances."""

    token: NotRequired[str | None]
    gateway: NotRequired[str | None]
    tokens: NotRequired[dict[str, str] | None]
    type: Literal["pay_later"]
    provider: str


class Customer(TypedDict):
    """Who pays."""

    id: NotRequired[str | None]
    email: NotRequired[str | None]
    name: NotRequired[str | None]
    country: NotRequired[str | None]


class Browser(TypedDict):
    """The payer's browser, as 3-D Secure asks for it."""

    user_agent: NotRequired[str | None]
    accept_header: NotRequired[str | None]
    language: NotRequired[str | None]
    color_depth: NotRequired[int | None]
    screen_width: NotRequired[int | None]
    screen_height: NotRequired[int | None]
    time_zone_offset: NotRequired[int | None]
    java_enabled: NotRequired[bool | None]
    javascript_enabled: NotRequired[bool | None]


class PostalAddress(TypedDict):
    """A postal address."""

    name: NotRequired[str | None]
    line1: NotRequired[str | None]
    line2: NotRequired[str | None]
    city: NotRequired[str | None]
    state: NotRequired[str | None]
    postal_code: NotRequired[str | None]
    country: str


class Payer(TypedDict):
    """Who pays: what gateways want to know for authentication and against fraud."""

    email: NotRequired[str | None]
    phone: NotRequired[str | None]
    ip: NotRequired[str | None]
    browser: NotRequired[Browser | None]
    billing_address: NotRequired[PostalAddress | None]
    shipping_address: NotRequired[PostalAddress | None]


class OrderLine(TypedDict):
    """One line of what is bought."""

    name: str
    quantity: int
    unit_amount: int
    tax_amount: NotRequired[int | None]
    reference: NotRequired[str | None]


class BatchLine(TypedDict):
    """One line of a batch: a payment to make, and the idempotency key that keeps it from being made twice."""

    amount: int
    currency: str
    capture_method: NotRequired[Literal["automatic", "manual"] | None]
    payment_method: CardMethod | UpiMethod | NetBankingMethod | WalletMethod | PayLaterMethod
    reference: NotRequired[str | None]
    customer: NotRequired[Customer | None]
    payer: NotRequired[Payer | None]
    scheduled_at: NotRequired[str | None]
    off_session: NotRequired[bool | None]
    off_session_reason: NotRequired[Literal["recurring", "unscheduled"] | None]
    setup_future_usage: NotRequired[Literal["off_session", "on_session"] | None]
    network_transaction_id: NotRequired[str | None]
    mandate: NotRequired[str | None]
    order_lines: NotRequired[list[OrderLine] | None]
    description: NotRequired[str | None]
    statement_descriptor: NotRequired[str | None]
    return_url: NotRequired[str | None]
    metadata: NotRequired[dict[str, str | int | float | bool | None] | None]
    idempotency_key: str


class PaymentRequest(TypedDict):
    """A payment to make."""

    amount: int
    currency: str
    capture_method: NotRequired[Literal["automatic", "manual"] | None]
    payment_method: CardMethod | UpiMethod | NetBankingMethod | WalletMethod | PayLaterMethod
    reference: NotRequired[str | None]
    customer: NotRequired[Customer | None]
    payer: NotRequired[Payer | None]
    scheduled_at: NotRequired[str | None]
    off_session: NotRequired[bool | None]
    off_session_reason: NotRequired[Literal["recurring", "unscheduled"] | None]
    setup_future_usage: NotRequired[Literal["off_session", "on_session"] | None]
    network_transaction_id: NotRequired[str | None]
    mandate: NotRequired[str | None]
    order_lines: NotRequired[list[OrderLine] | None]
    description: NotRequired[str | None]
    statement_descriptor: NotRequired[str | None]
    return_url: NotRequired[str | None]
    metadata: NotRequired[dict[str, str | int | float | bool | None] | None]


class Amounts(TypedDict):
    """The amounts moved so far, in minor units."""

    authorized: int
    captured: int
    refunded: int
    capturing: int
    refunding: int
    capturable: int
    refundable: int
    disputed: int
    charged_back: int


class LastError(TypedDict):
    """Why the payment was declined, as AegisPay classifies it and as the gateway said it."""

    code: str
    category: Literal["soft", "hard", "fraud", "action", "invalid", "technical"]
    advised_action: Literal["retry_later", "use_other_method", "authenticate", "do_not_retry", "wait"]
    gateway: str | None
    gateway_code: str | None
    message: str


class NextAction(TypedDict):
    """What the payer must do now."""

    type: Literal["redirect", "sdk", "qr"]
    expires_at: str | None
    url: NotRequired[str]
    sdk: NotRequired[str]
    gateway: NotRequired[str]
    data: NotRequired[dict[str, Any]]
    content: NotRequired[str]
    image_url: NotRequired[str | None]


class ToldScreening(TypedDict):
    """What the operator's hooks and rules came to, before the payment was sent anywhere."""

    action: Literal["allow", "flag", "require_three_ds", "review", "block"]
    approved: bool


class PaymentLinks(TypedDict):
    """The URLs of the payment and its history."""

    self: str
    events: str
    attempts: str


class JobLinks(TypedDict):
    """The URLs of the job and its payment."""

    self: str
    payment: NotRequired[str]


class Job(TypedDict):
    """One asynchronous operation on one payment."""

    id: str
    object: Literal["job"]
    payment_id: str
    operation: Literal["process", "capture", "hold", "void", "refund", "sync"]
    status: Literal["queued", "running", "waiting", "succeeded", "failed", "review"]
    run_at: str
    claims: int
    reason: str | None
    review_kind: Literal["doubt", "fraud"] | None
    result: dict[str, Any] | None
    created_at: str
    updated_at: str
    finished_at: str | None
    links: JobLinks


class DecidedPayment(TypedDict):
    """The payment as it is after the wait, and its job."""

    id: str
    object: Literal["payment"]
    mode: Literal["live", "test"]
    amount: int
    currency: str
    reference: str | None
    state: Literal["INITIATED", "REQUIRES_ACTION", "AUTHENTICATED", "PROCESSING", "AUTHORIZED", "SUCCESS", "FAILURE", "CANCELLED"]
    certainty: Literal["known", "unknown"]
    capture_method: Literal["automatic", "manual"]
    payment_method: dict[str, Any]
    customer: dict[str, Any]
    description: str | None
    statement_descriptor: str | None
    scheduled_at: str | None
    off_session: bool
    off_session_reason: str | None
    setup_future_usage: str | None
    network_transaction_id: str | None
    mandate: str | None
    order_lines: list[dict[str, Any]] | None
    return_url: str | None
    metadata: dict[str, Any]
    amounts: Amounts
    capture_before: str | None
    gateway: str | None
    gateway_ref: str | None
    last_error: LastError | None
    next_action: NextAction | None
    screening: ToldScreening | None
    version: int
    created_at: str
    updated_at: str
    links: PaymentLinks
    job: Job


class AcceptedJob(TypedDict):
    """The job that carries out the payment, as it was at acceptance."""

    id: str
    object: Literal["job"]
    operation: Literal["process"]
    status: Literal["queued", "running", "waiting", "succeeded", "failed", "review"]
    links: JobLinks


class AcceptedPayment(TypedDict):
    """The payment as it was at acceptance, and the job that carries it out."""

    id: str
    object: Literal["payment"]
    mode: Literal["live", "test"]
    amount: int
    currency: str
    reference: str | None
    state: Literal["INITIATED", "REQUIRES_ACTION", "AUTHENTICATED", "PROCESSING", "AUTHORIZED", "SUCCESS", "FAILURE", "CANCELLED"]
    certainty: Literal["known", "unknown"]
    capture_method: Literal["automatic", "manual"]
    payment_method: dict[str, Any]
    customer: dict[str, Any]
    description: str | None
    statement_descriptor: str | None
    scheduled_at: str | None
    off_session: bool
    off_session_reason: str | None
    setup_future_usage: str | None
    network_transaction_id: str | None
    mandate: str | None
    order_lines: list[dict[str, Any]] | None
    return_url: str | None
    metadata: dict[str, Any]
    amounts: Amounts
    capture_before: str | None
    gateway: str | None
    gateway_ref: str | None
    last_error: LastError | None
    next_action: NextAction | None
    screening: ToldScreening | None
    version: int
    created_at: str
    updated_at: str
    links: PaymentLinks
    job: AcceptedJob


class Payment(TypedDict):
    """A payment."""

    id: str
    object: Literal["payment"]
    mode: Literal["live", "test"]
    amount: int
    currency: str
    reference: str | None
    state: Literal["INITIATED", "REQUIRES_ACTION", "AUTHENTICATED", "PROCESSING", "AUTHORIZED", "SUCCESS", "FAILURE", "CANCELLED"]
    certainty: Literal["known", "unknown"]
    capture_method: Literal["automatic", "manual"]
    payment_method: dict[str, Any]
    customer: dict[str, Any]
    description: str | None
    statement_descriptor: str | None
    scheduled_at: str | None
    off_session: bool
    off_session_reason: str | None
    setup_future_usage: str | None
    network_transaction_id: str | None
    mandate: str | None
    order_lines: list[dict[str, Any]] | None
    return_url: str | None
    metadata: dict[str, Any]
    amounts: Amounts
    capture_before: str | None
    gateway: str | None
    gateway_ref: str | None
    last_error: LastError | None
    next_action: NextAction | None
    screening: ToldScreening | None
    version: int
    created_at: str
    updated_at: str
    links: PaymentLinks


class PaymentList(TypedDict):
    """A page of payments, newest first."""

    data: list[Payment]
    has_more: bool
    next_cursor: str | None


class Event(TypedDict):
    """One thing that happened to a payment."""

    id: str
    object: Literal["event"]
    type: str
    seq: int
    payment_id: str
    data: dict[str, Any]
    created_at: str


class EventList(TypedDict):
    """A page of a payment's events, oldest first."""

    data: list[Event]
    has_more: bool
    next_cursor: str | None


class EntityLinks(TypedDict):
    """The URLs of the entity, and of its payment."""

    self: str
    payment: str


class Capture(TypedDict):
    """A capture: all or a part of what a payment holds is taken."""

    id: str
    payment_id: str
    amount: int
    currency: str
    origin: Literal["merchant", "gateway"]
    status: Literal["requested", "waiting", "pending", "succeeded", "failed"]
    gateway: str | None
    gateway_ref: str | None
    error: LastError | None
    created_at: str
    updated_at: str
    links: EntityLinks
    object: Literal["capture"]
    final: bool


class CaptureList(TypedDict):
    """A page of captures, newest first."""

    has_more: bool
    next_cursor: str | None
    data: list[Capture]


class Refund(TypedDict):
    """A refund: all or a part of what was captured is given back."""

    id: str
    payment_id: str
    amount: int
    currency: str
    origin: Literal["merchant", "gateway"]
    status: Literal["requested", "waiting", "pending", "succeeded", "failed"]
    gateway: str | None
    gateway_ref: str | None
    error: LastError | None
    created_at: str
    updated_at: str
    links: EntityLinks
    object: Literal["refund"]
    forced: bool


class RefundList(TypedDict):
    """A page of refunds, newest first."""

    has_more: bool
    next_cursor: str | None
    data: list[Refund]


class Dispute(TypedDict):
    """A dispute: the payer's bank questions a charge."""

    id: str
    object: Literal["dispute"]
    payment_id: str
    amount: int
    currency: str
    status: Literal["warning", "closed", "needs_response", "under_review", "accepted", "won", "lost"]
    reason: Literal["fraudulent", "unrecognized", "duplicate", "product_not_received", "product_unacceptable", "subscription_canceled", "credit_not_processed", "authorization", "general"]
    respond_by: str | None
    own_charge: bool
    gateway: str
    gateway_ref: str
    gateway_status: str
    gateway_reason: str | None
    created_at: str
    updated_at: str
    links: EntityLinks


class DisputeList(TypedDict):
    """A page of disputes, newest first."""

    has_more: bool
    next_cursor: str | None
    data: list[Dispute]


class Attempt(TypedDict):
    """One call to one gateway."""

    object: Literal["attempt"]
    payment_id: str
    operation: Literal["initiate", "authenticate", "process", "confirm", "capture", "void", "refund", "close"]
    number: int
    gateway: str
    account: str | None
    status: Literal["SENT", "APPROVED", "DECLINED", "ACTION_REQUIRED", "PENDING", "NOT_SENT", "UNKNOWN"]
    gateway_ref: str | None
    outcome: dict[str, Any] | None
    decision: dict[str, Any] | None
    sends: int
    checks: int
    not_found_count: int
    latency_ms: float | None
    sent_at: str
    answered_at: str | None
    last_checked_at: str | None


class AttemptList(TypedDict):
    """A payment's attempts in the order in which they were sent."""

    data: list[Attempt]
    has_more: bool
    next_cursor: str | None


class ExpandedPayment(TypedDict):
    """A payment with the lists that `expand` asked for."""

    id: str
    object: Literal["payment"]
    mode: Literal["live", "test"]
    amount: int
    currency: str
    reference: str | None
    state: Literal["INITIATED", "REQUIRES_ACTION", "AUTHENTICATED", "PROCESSING", "AUTHORIZED", "SUCCESS", "FAILURE", "CANCELLED"]
    certainty: Literal["known", "unknown"]
    capture_method: Literal["automatic", "manual"]
    payment_method: dict[str, Any]
    customer: dict[str, Any]
    description: str | None
    statement_descriptor: str | None
    scheduled_at: str | None
    off_session: bool
    off_session_reason: str | None
    setup_future_usage: str | None
    network_transaction_id: str | None
    mandate: str | None
    order_lines: list[dict[str, Any]] | None
    return_url: str | None
    metadata: dict[str, Any]
    amounts: Amounts
    capture_before: str | None
    gateway: str | None
    gateway_ref: str | None
    last_error: LastError | None
    next_action: NextAction | None
    screening: ToldScreening | None
    version: int
    created_at: str
    updated_at: str
    links: PaymentLinks
    events: NotRequired[EventList]
    captures: NotRequired[CaptureList]
    refunds: NotRequired[RefundList]
    disputes: NotRequired[DisputeList]
    attempts: NotRequired[AttemptList]


class JobAnswer(TypedDict):
    """The job that was created, or whose next run was brought forward."""

    job: Job


class History(TypedDict):
    """A page of events."""

    data: list[Event]
    has_more: bool
    next_cursor: str | None
    as_of: NotRequired[str]
    payment: NotRequired[Payment | None]


class ExchangeRequest(TypedDict):
    """The request of an exchange."""

    method: str
    path: str
    query: dict[str, Any] | None
    headers: dict[str, Any]
    bytes: int
    body: Any
    left_out: Literal["unreadable", "too_large"] | None


class ExchangeAnswer(TypedDict):
    """The answer of an exchange."""

    status: int
    headers: dict[str, Any]
    bytes: int
    body: Any
    left_out: Literal["unreadable", "too_large"] | None


class NoAnswer(TypedDict):
    """Why an exchange has no answer."""

    outcome: Literal["not_sent", "unknown"]
    kind: str
    reason: str | None


class Exchange(TypedDict):
    """What went out to a gateway in one request, and what came back; without secrets and personal data."""

    object: Literal["exchange"]
    operation: Literal["initiate", "authenticate", "process", "confirm", "capture", "void", "refund", "close"]
    number: int
    kind: Literal["send", "send_again", "look_up"]
    because: Literal["comparison", "decision", "dispute"] | None
    at: str
    took_ms: float
    request: ExchangeRequest
    answer: ExchangeAnswer | None
    no_answer: NoAnswer | None


class ExpandedAttempt(TypedDict):
    """One call to one gateway, with what was exchanged for it."""

    object: Literal["attempt"]
    payment_id: str
    operation: Literal["initiate", "authenticate", "process", "confirm", "capture", "void", "refund", "close"]
    number: int
    gateway: str
    account: str | None
    status: Literal["SENT", "APPROVED", "DECLINED", "ACTION_REQUIRED", "PENDING", "NOT_SENT", "UNKNOWN"]
    gateway_ref: str | None
    outcome: dict[str, Any] | None
    decision: dict[str, Any] | None
    sends: int
    checks: int
    not_found_count: int
    latency_ms: float | None
    sent_at: str
    answered_at: str | None
    last_checked_at: str | None
    exchanges: NotRequired[list[Exchange]]


class ExpandedAttemptList(TypedDict):
    """A payment's attempts in the order in which they were sent."""

    data: list[ExpandedAttempt]
    has_more: bool
    next_cursor: str | None


class CaptureRequest(TypedDict):
    """A capture to make."""

    amount: NotRequired[int | None]
    final: NotRequired[bool | None]


class OrderedCapture(TypedDict):
    """The capture, and its job."""

    id: str
    payment_id: str
    amount: int
    currency: str
    origin: Literal["merchant", "gateway"]
    status: Literal["requested", "waiting", "pending", "succeeded", "failed"]
    gateway: str | None
    gateway_ref: str | None
    error: LastError | None
    created_at: str
    updated_at: str
    links: EntityLinks
    object: Literal["capture"]
    final: bool
    job: Job | None


class CancelRequest(TypedDict):
    """An empty object."""



class OrderedVoid(TypedDict):
    """The cancel, and the job that releases the funds."""

    id: str
    payment_id: str
    amount: int
    currency: str
    origin: Literal["merchant", "gateway"]
    status: Literal["requested", "waiting", "pending", "succeeded", "failed"]
    gateway: str | None
    gateway_ref: str | None
    error: LastError | None
    created_at: str
    updated_at: str
    links: EntityLinks
    object: Literal["void"]
    job: Job | None


class RefundRequest(TypedDict):
    """A refund to make."""

    amount: NotRequired[int | None]
    force: NotRequired[bool | None]


class OrderedRefund(TypedDict):
    """The refund, and its job."""

    id: str
    payment_id: str
    amount: int
    currency: str
    origin: Literal["merchant", "gateway"]
    status: Literal["requested", "waiting", "pending", "succeeded", "failed"]
    gateway: str | None
    gateway_ref: str | None
    error: LastError | None
    created_at: str
    updated_at: str
    links: EntityLinks
    object: Literal["refund"]
    forced: bool
    job: Job | None


class Void(TypedDict):
    """A cancel: the payment ends before money moves, or what it holds is released."""

    id: str
    payment_id: str
    amount: int
    currency: str
    origin: Literal["merchant", "gateway"]
    status: Literal["requested", "waiting", "pending", "succeeded", "failed"]
    gateway: str | None
    gateway_ref: str | None
    error: LastError | None
    created_at: str
    updated_at: str
    links: EntityLinks
    object: Literal["void"]


class VoidList(TypedDict):
    """A page of cancels, newest first."""

    has_more: bool
    next_cursor: str | None
    data: list[Void]


class ConfirmRequest(TypedDict):
    """What the payer brought back from an action."""

    gateway_data: dict[str, Any]


class BatchResult(TypedDict):
    """The result of one line."""

    line: int
    idempotency_key: str | None
    outcome: Literal["accepted", "replayed", "refused"]
    payment_id: NotRequired[str]
    job_id: NotRequired[str]
    problem: NotRequired[Problem]


class Batch(TypedDict):
    """The result of every line that is not blank, in the order of the lines."""

    object: Literal["batch"]
    accepted: int
    replayed: int
    refused: int
    data: list[BatchResult]


class TokenCustomer(TypedDict):
    """Whose card it is."""

    id: str


class TokenRequest(TypedDict):
    """A card to take a token for."""

    card: Any
    usage: NotRequired[Literal["kept", "once"] | None]
    customer: NotRequired[TokenCustomer | None]


class Token(TypedDict):
    """A card in the vault."""

    id: str
    object: Literal["token"]
    usage: Literal["once", "kept"]
    network: str | None
    last4: str
    exp_month: int
    exp_year: int
    fingerprint: str
    has_security_code: bool
    created_at: str


class TokenList(TypedDict):
    """A customer's newest cards that are kept; they always fit on one page."""

    data: list[Token]
    has_more: bool
    next_cursor: str | None


class Certainty(TypedDict):
    """Whether the outcome of the last charge is known, and why."""

    value: Literal["known", "unknown"]
    because: str


class Next(TypedDict):
    """What happens next, who does it and when."""

    what: str
    who: Literal["worker", "person", "payer", "merchant", "nobody"]
    at: str | None
    resolutions: list[Literal["charged", "not_charged", "succeeded", "failed", "ask_again", "approve", "reject", "rebuild", "withdraw"]]


class Evidence(TypedDict):
    """One observation about the payment."""

    at: str
    source: Literal["call", "answer", "look_up", "person"]
    what: str


class Decision(TypedDict):
    """One decision, and the facts that it was based on."""

    at: str
    kind: Literal["screening", "route", "retry", "hook"]
    what: str
    why: str
    facts: dict[str, Any]


class HistoryItem(TypedDict):
    """An event in words."""

    seq: int
    at: str
    type: str
    what: str


class IncidentSummary(TypedDict):
    """A fault that the audit found and that has not been corrected yet."""

    id: str
    invariant: str
    summary: str
    found_at: str


class ByPerson(TypedDict):
    """A person's decision."""

    seq: int
    at: str
    action: str
    resolution: NotRequired[str | None]
    checked: NotRequired[str | None]
    object: NotRequired[str]
    actor: NotRequired[str]
    payment_id: NotRequired[str | None]
    details: NotRequired[dict[str, Any]]
    previous_hash: NotRequired[str]
    hash: NotRequired[str]


class Explanation(TypedDict):
    """Why a payment is in its state."""

    object: Literal["explanation"]
    payment_id: str
    as_of: str
    state: Literal["INITIATED", "REQUIRES_ACTION", "AUTHENTICATED", "PROCESSING", "AUTHORIZED", "SUCCESS", "FAILURE", "CANCELLED"]
    why: str
    certainty: Certainty
    next: Next
    evidence: list[Evidence]
    decisions: list[Decision]
    history: list[HistoryItem]
    frozen_at: str | None
    incidents: list[IncidentSummary]
    decided_by_people: list[ByPerson]
    exchanges: NotRequired[list[Exchange]]


class Summary(TypedDict):
    """Payments of one step, group and currency."""

    at: str | None
    gateway: NotRequired[str | None]
    method: NotRequired[str | None]
    experiment: NotRequired[str | None]
    arm: NotRequired[str | None]
    state: NotRequired[Literal["OPEN", "AUTHORIZED", "SUCCESS", "FAILURE", "CANCELLED"]]
    currency: str
    payments: int
    charged: int
    failed: int
    cancelled: int
    open: int
    success_rate: float | None
    amount: int
    captured: int
    refunded: int
    charged_back: int


class Analytics(TypedDict):
    """What payments came to, by time, group and currency."""

    complete: bool
    lag_s: float
    object: Literal["payment_analytics"]
    data: list[Summary]


class CustomerSum(TypedDict):
    """A customer's payments of one currency, amounts in minor units."""

    currency: str
    payments: int
    charged: int
    failed: int
    captured: int
    refunded: int
    first_at: str
    last_at: str


class CustomerHistory(TypedDict):
    """A page of a customer's payments, newest first, and what all of them came to."""

    data: list[Payment]
    has_more: bool
    next_cursor: str | None
    complete: bool
    lag_s: float
    object: Literal["customer_history"]
    customer_id: str
    sums: list[CustomerSum]


class JobList(TypedDict):
    """A page of jobs, newest first."""

    data: list[Job]
    has_more: bool
    next_cursor: str | None


class EndpointRequest(TypedDict):
    """A webhook endpoint to create."""

    url: str
    event_types: NotRequired[list[str] | None]


class NewEndpoint(TypedDict):
    """A new endpoint with the secret that signs what is posted to it."""

    id: str
    object: Literal["webhook_endpoint"]
    mode: Literal["live", "test"]
    url: str
    event_types: list[str]
    created_at: str
    resting_until: str | None
    secret: str


class Endpoint(TypedDict):
    """A URL to which a merchant's events are posted."""

    id: str
    object: Literal["webhook_endpoint"]
    mode: Literal["live", "test"]
    url: str
    event_types: list[str]
    created_at: str
    resting_until: str | None


class EndpointList(TypedDict):
    """The active endpoints, oldest first."""

    data: list[Endpoint]
    has_more: bool
    next_cursor: str | None


class Delivery(TypedDict):
    """The delivery of one event to one endpoint."""

    id: str
    object: Literal["webhook_delivery"]
    event_id: str
    payment_id: str
    endpoint_id: str
    status: Literal["pending", "delivered", "dead", "cancelled"]
    tries: int
    due_at: str
    created_at: str
    delivered_at: str | None
    log: list[dict[str, Any]]


class DeliveryList(TypedDict):
    """A page of deliveries, newest first."""

    data: list[Delivery]
    has_more: bool
    next_cursor: str | None


class Redelivery(TypedDict):
    """To how many endpoints the event will be posted again."""

    event_id: str
    deliveries: int
    reason: NotRequired[str]


class Finding(TypedDict):
    """What one hook or rule said."""

    source: str
    action: Literal["allow", "flag", "require_three_ds", "review", "block"]
    reason: str | None
    score: int | None
    failed: str | None


class Screening(TypedDict):
    """What hooks and rules said before the payment was sent anywhere."""

    action: Literal["allow", "flag", "require_three_ds", "review", "block"]
    score: int | None
    three_ds: bool
    approved: bool
    findings: list[Finding]


class StandingDecision(TypedDict):
    """A person's decision that no gateway has confirmed."""

    id: str
    status: Literal["waiting", "refused"]
    resolution: Literal["charged", "not_charged", "succeeded", "failed"]
    reason: str
    evidence: str
    gateway: str | None
    gateway_ref: str | None
    attempt: int | None
    actor: str
    made_at: str
    takes_effect_at: str
    refused_at: str | None
    refused_because: str | None


class LastSaid(TypedDict):
    """The state of the latest call to a gateway, and when the gateway last said something about it."""

    gateway: str
    operation: str
    attempt: int
    status: str
    outcome: dict[str, Any] | None
    looked_up: int
    not_found: int
    at: str | None


class Review(TypedDict):
    """A payment that waits for a person's decision, with the evidence."""

    object: Literal["review"]
    payment_id: str
    merchant_id: str
    kind: Literal["doubt", "fraud"]
    since: str
    reason: str
    frozen_at: str | None
    resolutions: list[Literal["charged", "not_charged", "succeeded", "failed", "ask_again", "approve", "reject", "rebuild", "withdraw"]]
    screening: Screening | None
    security_code_until: str | None
    decision: StandingDecision | None
    last_said: LastSaid | None
    payment: Payment
    job: Job | None
    attempts: list[Attempt]
    incidents: list[IncidentSummary]


class ReviewList(TypedDict):
    """A page of the payments that wait for a person, oldest payment first."""

    data: list[Review]
    has_more: bool
    next_cursor: str | None


class Stuck(TypedDict):
    """One job, payment, event or delivery that should have moved on by itself and has not."""

    kind: Literal["job_not_claimed", "lease_expired", "in_doubt", "outbox_old", "delivery_dead", "hook_delivery_dead", "gateway_event_unanswered"]
    id: str
    payment_id: str
    merchant_id: str
    since: str
    overdue_s: float
    why: str
    what_to_do: str


class StuckList(TypedDict):
    """Everything that is overdue at one moment, kind by kind."""

    object: Literal["stuck"]
    as_of: str
    data: list[Stuck]
    more: list[str]


class Resolution(TypedDict):
    """A person's decision about a payment."""

    resolution: Literal["approve", "ask_again", "charged", "failed", "not_charged", "rebuild", "reject", "succeeded", "withdraw"]
    reason: str
    gateway: NotRequired[str | None]
    gateway_ref: NotRequired[str | None]
    attempt: NotRequired[int | None]
    evidence: NotRequired[str | None]
    force: NotRequired[bool | None]


class Approval(TypedDict):
    """What one operator asked for, and a second one has to approve."""

    id: str
    object: Literal["approval"]
    status: Literal["asked", "approved", "carried_out", "failed", "refused", "expired"]
    kind: Literal["resolution", "refund"]
    payment_id: str
    payment_version: int
    amount: int
    currency: str
    request: dict[str, Any]
    request_sha256: str
    asked_by: str
    asked_at: str
    expires_at: str
    decided_by: str | None
    decided_at: str | None
    decided_because: str | None
    ended_at: str | None
    ended_because: str | None
    result: dict[str, Any] | None
    links: EntityLinks


class GatewaySays(TypedDict):
    """What a gateway answered when it was asked about a charge."""

    gateway: str
    attempt: int
    says: str


class Resolved(TypedDict):
    """The result of a decision."""

    object: Literal["resolution"]
    payment_id: str
    job_id: str | None
    resolution: Literal["charged", "not_charged", "succeeded", "failed", "ask_again", "approve", "reject", "rebuild", "withdraw"]
    checked: Literal["confirmed", "not_found", "too_early", "unanswered", "nothing_sent"] | None
    took_effect: Literal["confirmed", "forced"] | None
    decision: StandingDecision | None
    gateways_say: list[GatewaySays]
    state_changed: bool
    state: Literal["INITIATED", "REQUIRES_ACTION", "AUTHENTICATED", "PROCESSING", "AUTHORIZED", "SUCCESS", "FAILURE", "CANCELLED"]
    certainty: Literal["known", "unknown"]
    version: int
    rebuilt: dict[str, Any]
    note: str


class ErasureRequest(TypedDict):
    """Whose personal data is to be erased."""

    merchant_id: str
    customer_id: str
    reason: str


class Erasure(TypedDict):
    """What was erased, in rows."""

    object: Literal["erasure"]
    cards: int | None
    payments: int
    reviews: int
    payer_details: int
    actions: int
    confirms: int
    event_bodies: int
    exchanges: int
    endpoint_answers: int
    facts: int
    complete: bool


class Lag(TypedDict):
    """How many events wait for delivery to a sink, and for how long."""

    pending: int
    failed: int
    leased: int
    oldest_age_s: float


class WebhookLag(TypedDict):
    """How many webhook deliveries wait, and for how long."""

    pending: int
    failed: int
    leased: int
    oldest_age_s: float
    dead: int
    cancelled: int


class Outbox(TypedDict):
    """How many events wait for delivery, for each sink."""

    object: Literal["outbox"]
    stream: Lag
    webhooks: WebhookLag


class AuditLogEntry(TypedDict):
    """One decision that a person made."""

    object: Literal["audit_log_entry"]
    seq: int
    at: str
    actor: str
    action: str
    payment_id: str | None
    details: dict[str, Any]
    previous_hash: str
    hash: str


class AuditLog(TypedDict):
    """A page of the audit log, newest first."""

    data: list[AuditLogEntry]
    has_more: bool
    next_cursor: str | None


class Incident(TypedDict):
    """A violation of an invariant."""

    id: str
    object: Literal["incident"]
    invariant: Literal["I1", "I2", "I3", "I4", "I5", "I6", "I7"]
    payment_id: str
    looked: Literal["payments", "keys", "gateways"]
    summary: str
    evidence: dict[str, Any]
    found_at: str
    last_seen_at: str
    resolved_at: str | None


class IncidentList(TypedDict):
    """A page of incidents, newest first."""

    data: list[Incident]
    has_more: bool
    next_cursor: str | None


class ApprovalList(TypedDict):
    """A page of approvals, newest first."""

    has_more: bool
    next_cursor: str | None
    data: list[Approval]


class Approve(TypedDict):
    """A second person's yes."""

    request_sha256: str
    reason: str


class Refuse(TypedDict):
    """A person's no."""

    reason: str


class OperatorRefundRequest(TypedDict):
    """A refund to make of any merchant's payment."""

    amount: NotRequired[int | None]
    force: NotRequired[bool | None]
    reason: str


class OperatorRefund(TypedDict):
    """What became of the request: a refund, or what waits for a second person."""

    object: Literal["operator_refund"]
    refund: OrderedRefund | None
    approval: Approval | None


class OperatorCaptureRequest(TypedDict):
    """A capture to make of any merchant's payment."""

    reason: str
    amount: NotRequired[int | None]
    final: NotRequired[bool | None]


class OperatorOrderRequest(TypedDict):
    """Why an operator cancels."""

    reason: str


class Broken(TypedDict):
    """How many payments have an open incident of this invariant."""

    invariant: Literal["I1", "I2", "I3", "I4", "I5", "I6", "I7"]
    payments: int


class Worst(TypedDict):
    """One of them: what the audit found."""

    payment_id: str
    invariant: Literal["I1", "I2", "I3", "I4", "I5", "I6", "I7"]
    summary: str


class CurrencySum(TypedDict):
    """Payments of one currency, and their amounts together."""

    currency: str
    payments: int
    minor: int


class ForPeople(TypedDict):
    """Payments that wait for a person: in review, or frozen by the audit."""

    payments: int
    sums: list[CurrencySum]
    oldest_age_s: float


class Sums(TypedDict):
    """How many payments, and their sums: one for each currency."""

    payments: int
    sums: list[CurrencySum]


class Safety(TypedDict):
    """What is wrong, waits for a person, or is in doubt."""

    object: Literal["safety"]
    as_of: str
    wrong: list[Broken]
    worst: Worst | None
    for_people: ForPeople
    in_doubt: Sums
    disputes_to_answer: int
    audited_at: str | None
    compared_at: str | None


class Doubt(TypedDict):
    """A payment in doubt, and the call that may or may not have happened."""

    object: Literal["doubt"]
    payment_id: str
    merchant_id: str
    gateway: str | None
    what: str | None
    since: str | None
    checks: int
    next_at: str | None
    payment: Payment


class DoubtList(TypedDict):
    """A page of payments in doubt, oldest first."""

    data: list[Doubt]
    has_more: bool
    next_cursor: str | None


class PaymentsByMinute(TypedDict):
    """Payments accepted in each step, by how they stand now."""

    since: str
    until: str
    step_s: int
    complete: bool
    at: list[int]
    object: Literal["payments_by_minute"]
    charged: list[int]
    not_charged: list[int]
    in_doubt: list[int]
    open: list[int]


class GatewayByMinute(TypedDict):
    """One gateway's calls in each step, by how they stand now."""

    gateway: str
    calls: list[int]
    approved: list[int]
    declined: list[int]
    in_doubt: list[int]
    not_sent: list[int]
    p95_ms: list[float | None]


class GatewaysByMinute(TypedDict):
    """The gateways that were called."""

    since: str
    until: str
    step_s: int
    complete: bool
    at: list[int]
    object: Literal["gateways_by_minute"]
    gateways: list[GatewayByMinute]


class OperatorsSummary(TypedDict):
    """Payments of one step, group and currency, of any merchant."""

    at: str | None
    gateway: NotRequired[str | None]
    method: NotRequired[str | None]
    experiment: NotRequired[str | None]
    arm: NotRequired[str | None]
    state: NotRequired[Literal["OPEN", "AUTHORIZED", "SUCCESS", "FAILURE", "CANCELLED"]]
    currency: str
    payments: int
    charged: int
    failed: int
    cancelled: int
    open: int
    success_rate: float | None
    amount: int
    captured: int
    refunded: int
    charged_back: int
    merchant_id: NotRequired[str]
    mode: NotRequired[Literal["live", "test"]]


class OperatorsAnalytics(TypedDict):
    """What payments came to, by time, group and currency."""

    complete: bool
    lag_s: float
    object: Literal["payment_analytics"]
    data: list[OperatorsSummary]


class FoundPayment(TypedDict):
    """A payment of any merchant, and its open job."""

    id: str
    object: Literal["payment"]
    mode: Literal["live", "test"]
    amount: int
    currency: str
    reference: str | None
    state: Literal["INITIATED", "REQUIRES_ACTION", "AUTHENTICATED", "PROCESSING", "AUTHORIZED", "SUCCESS", "FAILURE", "CANCELLED"]
    certainty: Literal["known", "unknown"]
    capture_method: Literal["automatic", "manual"]
    payment_method: dict[str, Any]
    customer: dict[str, Any]
    description: str | None
    statement_descriptor: str | None
    scheduled_at: str | None
    off_session: bool
    off_session_reason: str | None
    setup_future_usage: str | None
    network_transaction_id: str | None
    mandate: str | None
    order_lines: list[dict[str, Any]] | None
    return_url: str | None
    metadata: dict[str, Any]
    amounts: Amounts
    capture_before: str | None
    gateway: str | None
    gateway_ref: str | None
    last_error: LastError | None
    next_action: NextAction | None
    screening: ToldScreening | None
    version: int
    created_at: str
    updated_at: str
    links: PaymentLinks
    merchant_id: str
    job: Job | None


class FoundList(TypedDict):
    """A page of payments, newest first."""

    data: list[FoundPayment]
    has_more: bool
    next_cursor: str | None


class AnswerOfGateway(TypedDict):
    """What one gateway says of one call."""

    gateway: str
    operation: str
    attempt: int
    says: str
    proves: Literal["what_it_says", "absence", "too_early", "nothing"]


class Asked(TypedDict):
    """What the gateways answered."""

    object: Literal["answers_of_gateways"]
    payment_id: str
    version: int
    at: str
    gateways_say: list[AnswerOfGateway]
    settles: bool
    job_id: str | None


class Run(TypedDict):
    """One run: of beat, every quarter of an hour, or of an operator."""

    id: str
    object: Literal["reconciliation"]
    trigger: Literal["beat", "operator"]
    dry_run: bool
    since: str | None
    found: dict[str, Any]
    fixed: dict[str, Any]
    mismatches: list[dict[str, Any]]
    started_at: str
    finished_at: str | None


class RunList(TypedDict):
    """A page of runs, newest first."""

    data: list[Run]
    has_more: bool
    next_cursor: str | None


class EndpointHealth(TypedDict):
    """A webhook endpoint of any merchant, and what waits for it."""

    id: str
    object: Literal["webhook_endpoint"]
    merchant_id: str
    mode: Literal["live", "test"]
    url: str
    event_types: list[str]
    created_at: str
    resting_until: str | None
    disabled_at: str | None
    pending: int
    failing: int
    oldest_at: str | None


class EndpointHealthList(TypedDict):
    """A page of endpoints, newest first."""

    data: list[EndpointHealth]
    has_more: bool
    next_cursor: str | None


class Tried(TypedDict):
    """What an endpoint answered to a test event."""

    object: Literal["webhook_test"]
    endpoint_id: str
    event_id: str
    at: str
    took_ms: float
    taken: bool
    status_code: int | None
    excerpt: str | None
    error: str | None


class Routing(TypedDict):
    """The routing configuration in force."""

    version: int
    source: Literal["file", "put"]
    config: dict[str, Any]
    unusable: str | None
    actor: str | None
    reason: str | None
    since: str | None
    object: Literal["routing"]


class RoutingPut(TypedDict):
    """A routing configuration in `config`, or `source: file` to go back to config/routing.toml."""

    source: NotRequired[Literal["file", "put"] | None]
    reason: str
    config: NotRequired[dict[str, Any] | None]


class RoutingVersion(TypedDict):
    """One change of the routing configuration."""

    version: int
    source: Literal["file", "put"]
    config: dict[str, Any] | None
    actor: str
    reason: str
    created_at: str
    object: Literal["routing_version"]


class RoutingVersionList(TypedDict):
    """A page of the changes, newest first."""

    has_more: bool
    next_cursor: str | None
    data: list[RoutingVersion]


class SimulationRequest(TypedDict):
    """The configuration to try, and the payments to try it on."""

    config: NotRequired[dict[str, Any] | None]
    since: NotRequired[str | None]
    limit: NotRequired[int | None]
    seed: NotRequired[int | None]


class SimulatedGateway(TypedDict):
    """A gateway over the period: payments that went to it first or would have, and how its hops ended."""

    gateway: str
    was: int
    would_be: int
    judged: int
    approved: int
    success_rate: float | None
    latency_mean_ms: float | None
    latency_p95_ms: float | None
    expected_success_rate: float | None


# Payments whose first gateway would change.
Move = TypedDict(
    "Move",
    {
        "from": 'str | None',
        "to": 'str | None',
        "payments": 'int',
    },
)


class RuleCount(TypedDict):
    """How often an enabled rule decided about a payment."""

    id: str
    payments: int


class LeftOutCount(TypedDict):
    """How many payments a gateway was no candidate for, and why, in the words of a payment's own decision."""

    gateway: str
    reason: str
    payments: int


class ReasonCount(TypedDict):
    """One reason why gateways would not have taken a payment, among payments that no gateway would have taken."""

    reason: str
    payments: int


class SuccessCompared(TypedDict):
    """A comparison over the payments for which the value is known on both sides."""

    payments: int
    was_rate: float | None
    would_be_rate: float | None


class LatencyCompared(TypedDict):
    """A comparison over the payments for which the value is known on both sides."""

    payments: int
    was_mean_ms: float | None
    would_be_mean_ms: float | None


class FeesCompared(TypedDict):
    """Fees, in minor units, if all payments were charged."""

    currency: str
    payments: int
    was_minor: int
    would_be_minor: int


class Simulation(TypedDict):
    """Which payments would have gone where, and with what result, under the listed assumptions."""

    object: Literal["routing_simulation"]
    since: str
    payments: int
    complete: bool
    seed: int
    config: dict[str, Any]
    gateways: list[SimulatedGateway]
    moved: int
    never_sent: int
    no_gateway: int
    explored: int
    moves: list[Move]
    rules: list[RuleCount]
    left_out: list[LeftOutCount]
    not_taken: list[ReasonCount]
    success: SuccessCompared
    latency: LatencyCompared
    fees: list[FeesCompared]
    fees_unknown: int
    assumptions: list[str]


class Interval(TypedDict):
    """An interval in which the true rate lies with a confidence of 95 % (Wilson)."""

    low: float
    high: float


class Arm(TypedDict):
    """The results of one arm: of its payments, only the first hop counts."""

    arm: str
    share: float | None
    payments: int
    approved: int
    declined: int
    failed: int
    undecided: int
    success_rate: float | None
    success_interval: Interval | None
    latency_mean_ms: float | None


class Experiment(TypedDict):
    """The results of an A/B test, for each arm."""

    object: Literal["experiment"]
    experiment: str
    running: bool
    since: str
    looked_at: int
    arms: list[Arm]


class Rules(TypedDict):
    """The rules in force."""

    version: int
    source: Literal["file", "put"]
    config: dict[str, Any]
    unusable: str | None
    actor: str | None
    reason: str | None
    since: str | None
    object: Literal["rules"]


class RulesPut(TypedDict):
    """Rules in `config`, or `source: file` to go back to config/rules.toml."""

    source: NotRequired[Literal["file", "put"] | None]
    reason: str
    config: NotRequired[dict[str, Any] | None]


class RulesVersion(TypedDict):
    """One change of the rules."""

    version: int
    source: Literal["file", "put"]
    config: dict[str, Any] | None
    actor: str
    reason: str
    created_at: str
    object: Literal["rules_version"]


class RulesVersionList(TypedDict):
    """A page of the changes, newest first."""

    has_more: bool
    next_cursor: str | None
    data: list[RulesVersion]


class RulesSimulationRequest(TypedDict):
    """The rules to try, and the payments to try them on."""

    config: NotRequired[dict[str, Any] | None]
    since: NotRequired[str | None]
    limit: NotRequired[int | None]


class Sum(TypedDict):
    """The sum of some payments in one currency."""

    currency: str
    minor: int


class ActionTally(TypedDict):
    """The payments for which an action would have held, and what became of them without it."""

    payments: int
    succeeded: int
    failed: int
    disputed: int
    amounts: list[Sum]
    action: Literal["allow", "flag", "require_three_ds", "review", "block"]


class RuleTally(TypedDict):
    """The payments in which a rule would have found something, and what became of them without it."""

    payments: int
    succeeded: int
    failed: int
    disputed: int
    amounts: list[Sum]
    rule: str
    examples: list[str]


# Payments for which another action would have held than the one that held at the time.
ScreeningChange = TypedDict(
    "ScreeningChange",
    {
        "from": 'str | None',
        "to": 'Literal["allow", "flag", "require_three_ds", "review", "block"]',
        "payments": 'int',
    },
)


class RulesSimulation(TypedDict):
    """What the rules would have done with past payments, under the listed assumptions."""

    object: Literal["rules_simulation"]
    since: str
    payments: int
    complete: bool
    config: dict[str, Any]
    actions: list[ActionTally]
    rules: list[RuleTally]
    changed: list[ScreeningChange]
    assumptions: list[str]


class Pause(TypedDict):
    """Why a gateway is paused."""

    reason: str


class Paused(TypedDict):
    """Whether a gateway is paused now."""

    object: Literal["gateway_pause"]
    gateway: str
    paused: bool
    changed: bool


class Received(TypedDict):
    """The event is stored, by this request or by an earlier one."""

    received: bool


class GatewayPause(TypedDict):
    """Since when a gateway gets no new payments, who paused it and why."""

    since: str
    actor: str
    reason: str


class Breaker(TypedDict):
    """A circuit breaker, shared by all workers."""

    operation: str
    state: Literal["CLOSED", "OPEN", "HALF_OPEN"]
    retry_in_s: float
    consecutive_failures: int
    calls: int
    failure_rate: float | None
    unknown_rate: float | None
    opened: int
    probes_out: int


class Outcomes(TypedDict):
    """How many calls ended in which way."""

    approved: int
    declined: int
    payer: int
    pending: int
    rate_limited: int
    error: int


class Latency(TypedDict):
    """Milliseconds that answered calls took; null if no call was answered."""

    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None


class Window(TypedDict):
    """Figures of a window."""

    calls: int
    outcomes: Outcomes
    success_rate: float | None
    decline_rate: float | None
    error_rates: dict[str, Any]
    latency_ms: Latency
    calls_per_s: float


class GatewayHealth(TypedDict):
    """A gateway's health as all workers together have measured it."""

    score: float
    state: Literal["CLOSED", "OPEN", "HALF_OPEN"]
    retry_in_s: float
    in_flight: int
    calls_per_s: float
    breakers: list[Breaker]
    recent: Window
    last_hour: Window


class GatewayLimits(TypedDict):
    """Which payments a gateway takes, and how it may be called."""

    currencies: list[str]
    countries: list[str]
    methods: list[str]
    amounts: dict[str, Any]
    max_concurrent: int | None
    calls_per_s: int | None
    connect_timeout_s: float
    timeout_s: float
    latency_target_ms: int


class GatewayFees(TypedDict):
    """What the gateway takes for a charge; null if the configuration doesn't say."""

    fixed_minor: int | None
    basis_points: int | None


class Gateway(TypedDict):
    """A gateway of config/gateways.toml."""

    object: Literal["gateway"]
    name: str
    adapter: str
    package: str | None
    mode: Literal["live", "test"]
    account: str | None
    enabled: bool
    paused: GatewayPause | None
    health: GatewayHealth | None
    limits: GatewayLimits
    fees: GatewayFees


class GatewayList(TypedDict):
    """All configured gateways, in the order of the configuration."""

    data: list[Gateway]
    has_more: bool
    next_cursor: str | None


class Health(TypedDict):
    """The process is alive."""

    status: Literal["ok"]


class Readiness(TypedDict):
    """The state of each part that this process uses."""

    status: Literal["ready"]
    checks: dict[str, str]
