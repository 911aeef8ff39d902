"""The operations of the API, a method each: for threads, and for asyncio.

Written by scripts/documents from the OpenAPI document of the API: change that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, Unpack

from . import models
from .calls import Call, call, part
from .pages import AsyncPages, Pages


class Resource:
    """Some operations of an API. `send` makes a call, and gives the JSON object of its answer."""

    def __init__(self, send: Callable[[Call], Any]) -> None:
        self._send = send


class Payments(Resource):
    """The operations under `payments`."""

    def create(
        self,
        *,
        idempotency_key: str,
        wait_s: int | None = None,
        **body: Unpack[models.PaymentRequest],
    ) -> models.DecidedPayment | models.AcceptedPayment:
        """Accept a payment."""
        return self._send(call("POST", "/v1/payments", body=body, idempotency_key=idempotency_key, wait_s=wait_s))

    def list(
        self,
        *,
        page_size: int | None = None,
        state: Literal["AUTHENTICATED", "AUTHORIZED", "CANCELLED", "FAILURE", "INITIATED", "PROCESSING", "REQUIRES_ACTION", "SUCCESS"] | None = None,
        gateway: str | None = None,
        reference: str | None = None,
        customer_id: str | None = None,
        currency: str | None = None,
        amount_gte: int | None = None,
        amount_lte: int | None = None,
        created_gte: str | None = None,
        created_lt: str | None = None,
        certainty: Literal["known", "unknown"] | None = None,
        error_code: str | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.Payment]:
        """List payments, newest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", "/v1/payments", query={"limit": page_size, "state": state, "gateway": gateway, "reference": reference, "customer_id": customer_id, "currency": currency, "amount[gte]": amount_gte, "amount[lte]": amount_lte, "created[gte]": created_gte, "created[lt]": created_lt, "certainty": certainty, "error_code": error_code, "starting_after": cursor}))

        return Pages(page, starting_after)

    def get(self, payment_id: str, *, expand: str | None = None) -> models.ExpandedPayment:
        """Look at a payment."""
        return self._send(call("GET", f"/v1/payments/{part(payment_id)}", query={"expand": expand}))

    def sync(self, payment_id: str) -> models.JobAnswer:
        """Ask the gateway about a payment now."""
        return self._send(call("POST", f"/v1/payments/{part(payment_id)}/sync"))

    def events(
        self,
        payment_id: str,
        *,
        page_size: int | None = None,
        as_of: str | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.Event]:
        """A payment's events, oldest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", f"/v1/payments/{part(payment_id)}/events", query={"limit": page_size, "as_of": as_of, "starting_after": cursor}))

        return Pages(page, starting_after)

    def attempts(
        self,
        payment_id: str,
        *,
        expand: Literal["exchange"] | None = None,
    ) -> models.ExpandedAttemptList:
        """A payment's attempts: every call to a gateway."""
        return self._send(call("GET", f"/v1/payments/{part(payment_id)}/attempts", query={"expand": expand}))

    def capture(
        self,
        payment_id: str,
        *,
        idempotency_key: str,
        **body: Unpack[models.CaptureRequest],
    ) -> models.OrderedCapture:
        """Capture what a payment holds, or a part of it."""
        return self._send(call("POST", f"/v1/payments/{part(payment_id)}/captures", body=body, idempotency_key=idempotency_key))

    def captures(
        self,
        payment_id: str,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.Capture]:
        """List a payment's captures, newest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", f"/v1/payments/{part(payment_id)}/captures", query={"limit": page_size, "starting_after": cursor}))

        return Pages(page, starting_after)

    def cancel(
        self,
        payment_id: str,
        *,
        idempotency_key: str,
        **body: Unpack[models.CancelRequest],
    ) -> models.OrderedVoid:
        """Cancel a payment."""
        return self._send(call("POST", f"/v1/payments/{part(payment_id)}/cancel", body=body, idempotency_key=idempotency_key))

    def refund(
        self,
        payment_id: str,
        *,
        idempotency_key: str,
        **body: Unpack[models.RefundRequest],
    ) -> models.OrderedRefund:
        """Refund what was captured, or a part of it."""
        return self._send(call("POST", f"/v1/payments/{part(payment_id)}/refunds", body=body, idempotency_key=idempotency_key))

    def refunds(
        self,
        payment_id: str,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.Refund]:
        """List a payment's refunds, newest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", f"/v1/payments/{part(payment_id)}/refunds", query={"limit": page_size, "starting_after": cursor}))

        return Pages(page, starting_after)

    def voids(
        self,
        payment_id: str,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.Void]:
        """List a payment's cancels, newest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", f"/v1/payments/{part(payment_id)}/voids", query={"limit": page_size, "starting_after": cursor}))

        return Pages(page, starting_after)

    def disputes(
        self,
        payment_id: str,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.Dispute]:
        """List a payment's disputes, newest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", f"/v1/payments/{part(payment_id)}/disputes", query={"limit": page_size, "starting_after": cursor}))

        return Pages(page, starting_after)

    def confirm(
        self,
        payment_id: str,
        *,
        idempotency_key: str,
        **body: Unpack[models.ConfirmRequest],
    ) -> models.Payment | models.DecidedPayment:
        """Hand on what the payer brought back."""
        return self._send(call("POST", f"/v1/payments/{part(payment_id)}/confirm", body=body, idempotency_key=idempotency_key))

    def explain(self, payment_id: str) -> models.Explanation:
        """Why a payment is in its state."""
        return self._send(call("GET", f"/v1/payments/{part(payment_id)}/explain"))


class Captures(Resource):
    """The operations under `captures`."""

    def get(self, capture_id: str) -> models.Capture:
        """Look at a capture."""
        return self._send(call("GET", f"/v1/captures/{part(capture_id)}"))

    def list(
        self,
        *,
        page_size: int | None = None,
        gateway: str | None = None,
        created_gte: str | None = None,
        created_lt: str | None = None,
        status: Literal["failed", "pending", "requested", "succeeded", "waiting"] | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.Capture]:
        """List captures of all payments, newest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", "/v1/captures", query={"limit": page_size, "gateway": gateway, "created[gte]": created_gte, "created[lt]": created_lt, "status": status, "starting_after": cursor}))

        return Pages(page, starting_after)


class Voids(Resource):
    """The operations under `voids`."""

    def get(self, void_id: str) -> models.Void:
        """Look at a cancel."""
        return self._send(call("GET", f"/v1/voids/{part(void_id)}"))

    def list(
        self,
        *,
        page_size: int | None = None,
        gateway: str | None = None,
        created_gte: str | None = None,
        created_lt: str | None = None,
        status: Literal["failed", "pending", "requested", "succeeded", "waiting"] | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.Void]:
        """List cancels of all payments, newest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", "/v1/voids", query={"limit": page_size, "gateway": gateway, "created[gte]": created_gte, "created[lt]": created_lt, "status": status, "starting_after": cursor}))

        return Pages(page, starting_after)


class Refunds(Resource):
    """The operations under `refunds`."""

    def get(self, refund_id: str) -> models.Refund:
        """Look at a refund."""
        return self._send(call("GET", f"/v1/refunds/{part(refund_id)}"))

    def list(
        self,
        *,
        page_size: int | None = None,
        gateway: str | None = None,
        created_gte: str | None = None,
        created_lt: str | None = None,
        status: Literal["failed", "pending", "requested", "succeeded", "waiting"] | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.Refund]:
        """List refunds of all payments, newest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", "/v1/refunds", query={"limit": page_size, "gateway": gateway, "created[gte]": created_gte, "created[lt]": created_lt, "status": status, "starting_after": cursor}))

        return Pages(page, starting_after)


class Disputes(Resource):
    """The operations under `disputes`."""

    def get(self, dispute_id: str) -> models.Dispute:
        """Look at a dispute."""
        return self._send(call("GET", f"/v1/disputes/{part(dispute_id)}"))

    def list(
        self,
        *,
        page_size: int | None = None,
        gateway: str | None = None,
        created_gte: str | None = None,
        created_lt: str | None = None,
        status: Literal["accepted", "closed", "lost", "needs_response", "under_review", "warning", "won"] | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.Dispute]:
        """List disputes of all payments, newest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", "/v1/disputes", query={"limit": page_size, "gateway": gateway, "created[gte]": created_gte, "created[lt]": created_lt, "status": status, "starting_after": cursor}))

        return Pages(page, starting_after)


class Tokens(Resource):
    """The operations under `tokens`."""

    def create(self, *, idempotency_key: str, **body: Unpack[models.TokenRequest]) -> models.Token:
        """Take a token for a card."""
        return self._send(call("POST", "/v1/tokens", body=body, idempotency_key=idempotency_key))

    def list(self, *, customer_id: str | None = None) -> models.TokenList:
        """List a customer's cards."""
        return self._send(call("GET", "/v1/tokens", query={"customer_id": customer_id}))

    def get(self, token_id: str) -> models.Token:
        """Look at a token."""
        return self._send(call("GET", f"/v1/tokens/{part(token_id)}"))

    def destroy(self, token_id: str) -> None:
        """Destroy a card."""
        return self._send(call("DELETE", f"/v1/tokens/{part(token_id)}"))


class Analytics(Resource):
    """The operations under `analytics`."""

    def payments(
        self,
        *,
        since: str | None = None,
        until: str | None = None,
        interval: Literal["all", "day", "hour"] | None = None,
        group_by: str | None = None,
        gateway: str | None = None,
        method: str | None = None,
        experiment: str | None = None,
        arm: str | None = None,
        state: Literal["AUTHORIZED", "CANCELLED", "FAILURE", "OPEN", "SUCCESS"] | None = None,
        currency: str | None = None,
    ) -> models.Analytics:
        """What payments came to over time."""
        return self._send(call("GET", "/v1/analytics/payments", query={"since": since, "until": until, "interval": interval, "group_by": group_by, "gateway": gateway, "method": method, "experiment": experiment, "arm": arm, "state": state, "currency": currency}))


class Customers(Resource):
    """The operations under `customers`."""

    def payments(
        self,
        customer_id: str,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.Payment]:
        """A customer's payments, newest first, and what all of them came to."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", f"/v1/customers/{part(customer_id)}/payments", query={"limit": page_size, "starting_after": cursor}))

        return Pages(page, starting_after)


class Jobs(Resource):
    """The operations under `jobs`."""

    def list(
        self,
        *,
        page_size: int | None = None,
        status: Literal["failed", "queued", "review", "running", "succeeded", "waiting"] | None = None,
        review_kind: Literal["doubt", "fraud"] | None = None,
        payment_id: str | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.Job]:
        """List jobs, newest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", "/v1/jobs", query={"limit": page_size, "status": status, "review_kind": review_kind, "payment_id": payment_id, "starting_after": cursor}))

        return Pages(page, starting_after)

    def get(self, job_id: str) -> models.Job:
        """Look at a job."""
        return self._send(call("GET", f"/v1/jobs/{part(job_id)}"))


class WebhookEndpoints(Resource):
    """The operations under `webhook_endpoints`."""

    def create(self, **body: Unpack[models.EndpointRequest]) -> models.NewEndpoint:
        """Register a URL to which events are posted."""
        return self._send(call("POST", "/v1/webhook-endpoints", body=body))

    def list(self) -> models.EndpointList:
        """List the active endpoints, oldest first."""
        return self._send(call("GET", "/v1/webhook-endpoints"))

    def disable(self, endpoint_id: str) -> None:
        """Stop posting events to an endpoint."""
        return self._send(call("DELETE", f"/v1/webhook-endpoints/{part(endpoint_id)}"))


class WebhookDeliveries(Resource):
    """The operations under `webhook_deliveries`."""

    def list(
        self,
        *,
        page_size: int | None = None,
        payment_id: str | None = None,
        status: Literal["cancelled", "dead", "delivered", "pending"] | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.Delivery]:
        """List deliveries, newest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", "/v1/webhook-deliveries", query={"limit": page_size, "payment_id": payment_id, "status": status, "starting_after": cursor}))

        return Pages(page, starting_after)


class Events(Resource):
    """The operations under `events`."""

    def redeliver(self, event_id: str) -> models.Redelivery:
        """Post an event again."""
        return self._send(call("POST", f"/v1/events/{part(event_id)}/redeliver"))


class Ops(Resource):
    """The operations under `ops`."""

    def reviews(
        self,
        *,
        page_size: int | None = None,
        kind: Literal["doubt", "fraud"] | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.Review]:
        """Payments that wait for a person, oldest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", "/v1/ops/reviews", query={"limit": page_size, "kind": kind, "starting_after": cursor}))

        return Pages(page, starting_after)

    def explain(self, payment_id: str) -> models.Explanation:
        """Why any merchant's payment is in its state."""
        return self._send(call("GET", f"/v1/ops/payments/{part(payment_id)}/explain"))

    def stuck(
        self,
        *,
        page_size: int | None = None,
        due_after_s: int | None = None,
        lease_after_s: int | None = None,
        doubt_after_s: int | None = None,
        outbox_after_s: int | None = None,
        dead_within_s: int | None = None,
    ) -> models.StuckList:
        """What is stuck: what should have moved on by itself and has not."""
        return self._send(call("GET", "/v1/ops/stuck", query={"limit": page_size, "due_after_s": due_after_s, "lease_after_s": lease_after_s, "doubt_after_s": doubt_after_s, "outbox_after_s": outbox_after_s, "dead_within_s": dead_within_s}))

    def resolve(
        self,
        payment_id: str,
        *,
        if_match: int,
        **body: Unpack[models.Resolution],
    ) -> models.Approval | models.Resolved:
        """Decide about a payment that waits for a person."""
        return self._send(call("POST", f"/v1/ops/payments/{part(payment_id)}/resolve", body=body, if_match=if_match))

    def erase(self, **body: Unpack[models.ErasureRequest]) -> models.Erasure:
        """Erase what is known of a customer."""
        return self._send(call("POST", "/v1/ops/erasures", body=body))

    def outbox(self) -> models.Outbox:
        """How many events wait for delivery."""
        return self._send(call("GET", "/v1/ops/outbox"))

    def audit_log(
        self,
        *,
        page_size: int | None = None,
        payment_id: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.AuditLogEntry]:
        """Who decided what, newest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", "/v1/ops/audit-log", query={"limit": page_size, "payment_id": payment_id, "actor": actor, "action": action, "starting_after": cursor}))

        return Pages(page, starting_after)

    def incidents(
        self,
        *,
        page_size: int | None = None,
        invariant: Literal["I1", "I2", "I3", "I4", "I5", "I6", "I7"] | None = None,
        payment_id: str | None = None,
        open: Literal["false", "true"] | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.Incident]:
        """What the audit found wrong, newest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", "/v1/ops/incidents", query={"limit": page_size, "invariant": invariant, "payment_id": payment_id, "open": open, "starting_after": cursor}))

        return Pages(page, starting_after)

    def approvals(
        self,
        *,
        page_size: int | None = None,
        status: Literal["approved", "asked", "carried_out", "expired", "failed", "refused"] | None = None,
        payment_id: str | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.Approval]:
        """What was asked for and needs or needed a second person, newest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", "/v1/ops/approvals", query={"limit": page_size, "status": status, "payment_id": payment_id, "starting_after": cursor}))

        return Pages(page, starting_after)

    def approval(self, approval_id: str) -> models.Approval:
        """One approval, with all that was asked for."""
        return self._send(call("GET", f"/v1/ops/approvals/{part(approval_id)}"))

    def approve(self, approval_id: str, **body: Unpack[models.Approve]) -> models.Approval:
        """Approve what another person asked for, and carry it out."""
        return self._send(call("POST", f"/v1/ops/approvals/{part(approval_id)}/approve", body=body))

    def refuse(self, approval_id: str, **body: Unpack[models.Refuse]) -> models.Approval:
        """Refuse what was asked for, or take back what you asked for yourself."""
        return self._send(call("POST", f"/v1/ops/approvals/{part(approval_id)}/refuse", body=body))

    def refund(
        self,
        payment_id: str,
        *,
        idempotency_key: str,
        if_match: int,
        **body: Unpack[models.OperatorRefundRequest],
    ) -> models.OperatorRefund:
        """Refund any merchant's payment."""
        return self._send(call("POST", f"/v1/ops/payments/{part(payment_id)}/refunds", body=body, idempotency_key=idempotency_key, if_match=if_match))

    def capture(
        self,
        payment_id: str,
        *,
        idempotency_key: str,
        if_match: int,
        **body: Unpack[models.OperatorCaptureRequest],
    ) -> models.OrderedCapture:
        """Capture what any merchant's payment holds, or a part of it."""
        return self._send(call("POST", f"/v1/ops/payments/{part(payment_id)}/captures", body=body, idempotency_key=idempotency_key, if_match=if_match))

    def cancel(
        self,
        payment_id: str,
        *,
        idempotency_key: str,
        if_match: int,
        **body: Unpack[models.OperatorOrderRequest],
    ) -> models.OrderedVoid:
        """Cancel any merchant's payment."""
        return self._send(call("POST", f"/v1/ops/payments/{part(payment_id)}/cancel", body=body, idempotency_key=idempotency_key, if_match=if_match))

    def safety(self) -> models.Safety:
        """Is money safe?."""
        return self._send(call("GET", "/v1/ops/safety"))

    def doubts(
        self,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.Doubt]:
        """Payments in doubt, oldest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", "/v1/ops/doubts", query={"limit": page_size, "starting_after": cursor}))

        return Pages(page, starting_after)

    def payments_by_minute(self, *, minutes: int | None = None) -> models.PaymentsByMinute:
        """How many payments were accepted, minute by minute."""
        return self._send(call("GET", "/v1/ops/payments-by-minute", query={"minutes": minutes}))

    def gateways_by_minute(self, *, minutes: int | None = None) -> models.GatewaysByMinute:
        """How gateways answered, minute by minute."""
        return self._send(call("GET", "/v1/ops/gateways-by-minute", query={"minutes": minutes}))

    def analytics(
        self,
        *,
        since: str | None = None,
        until: str | None = None,
        interval: Literal["all", "day", "hour"] | None = None,
        group_by: str | None = None,
        gateway: str | None = None,
        method: str | None = None,
        experiment: str | None = None,
        arm: str | None = None,
        state: Literal["AUTHORIZED", "CANCELLED", "FAILURE", "OPEN", "SUCCESS"] | None = None,
        currency: str | None = None,
        merchant_id: str | None = None,
        mode: Literal["live", "test"] | None = None,
    ) -> models.OperatorsAnalytics:
        """What the payments of all merchants came to over time."""
        return self._send(call("GET", "/v1/ops/analytics/payments", query={"since": since, "until": until, "interval": interval, "group_by": group_by, "gateway": gateway, "method": method, "experiment": experiment, "arm": arm, "state": state, "currency": currency, "merchant_id": merchant_id, "mode": mode}))

    def payments(
        self,
        *,
        page_size: int | None = None,
        state: Literal["AUTHENTICATED", "AUTHORIZED", "CANCELLED", "FAILURE", "INITIATED", "PROCESSING", "REQUIRES_ACTION", "SUCCESS"] | None = None,
        gateway: str | None = None,
        reference: str | None = None,
        customer_id: str | None = None,
        currency: str | None = None,
        amount_gte: int | None = None,
        amount_lte: int | None = None,
        created_gte: str | None = None,
        created_lt: str | None = None,
        certainty: Literal["known", "unknown"] | None = None,
        error_code: str | None = None,
        q: str | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.FoundPayment]:
        """Payments of all merchants, newest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", "/v1/ops/payments", query={"limit": page_size, "state": state, "gateway": gateway, "reference": reference, "customer_id": customer_id, "currency": currency, "amount[gte]": amount_gte, "amount[lte]": amount_lte, "created[gte]": created_gte, "created[lt]": created_lt, "certainty": certainty, "error_code": error_code, "q": q, "starting_after": cursor}))

        return Pages(page, starting_after)

    def ask(self, payment_id: str) -> models.Asked:
        """Ask the gateways about a payment, and get their answers at once."""
        return self._send(call("POST", f"/v1/ops/payments/{part(payment_id)}/ask"))

    def reconciliations(
        self,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.Run]:
        """Runs of reconciliation, newest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", "/v1/ops/reconciliations", query={"limit": page_size, "starting_after": cursor}))

        return Pages(page, starting_after)

    def webhook_endpoints(
        self,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.EndpointHealth]:
        """Webhook endpoints of all merchants, newest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", "/v1/ops/webhook-endpoints", query={"limit": page_size, "starting_after": cursor}))

        return Pages(page, starting_after)

    def dead_deliveries(
        self,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.Delivery]:
        """Deliveries of all merchants that were given up, newest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", "/v1/ops/dead-deliveries", query={"limit": page_size, "starting_after": cursor}))

        return Pages(page, starting_after)

    def redeliver(self, event_id: str) -> models.Redelivery:
        """Post an event of any merchant again."""
        return self._send(call("POST", f"/v1/ops/events/{part(event_id)}/redeliver"))

    def test(self, endpoint_id: str) -> models.Tried:
        """Post a test event to an endpoint, and get its answer at once."""
        return self._send(call("POST", f"/v1/ops/webhook-endpoints/{part(endpoint_id)}/test"))


class Routing(Resource):
    """The operations under `routing`."""

    def get(self) -> models.Routing:
        """The routing configuration in force."""
        return self._send(call("GET", "/v1/routing"))

    def put(self, *, if_match: int, **body: Unpack[models.RoutingPut]) -> models.Routing:
        """Change the routing configuration."""
        return self._send(call("PUT", "/v1/routing", body=body, if_match=if_match))

    def versions(
        self,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.RoutingVersion]:
        """Who changed routing, when and why, newest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", "/v1/routing/versions", query={"limit": page_size, "starting_after": cursor}))

        return Pages(page, starting_after)

    def simulate(self, **body: Unpack[models.SimulationRequest]) -> models.Simulation:
        """Try a configuration on past payments."""
        return self._send(call("POST", "/v1/routing/simulate", body=body))

    def experiment(self, experiment: str, *, since: str | None = None) -> models.Experiment:
        """The results of an A/B test."""
        return self._send(call("GET", f"/v1/routing/experiments/{part(experiment)}", query={"since": since}))


class Rules(Resource):
    """The operations under `rules`."""

    def get(self) -> models.Rules:
        """The rules in force."""
        return self._send(call("GET", "/v1/rules"))

    def put(self, *, if_match: int, **body: Unpack[models.RulesPut]) -> models.Rules:
        """Change the rules."""
        return self._send(call("PUT", "/v1/rules", body=body, if_match=if_match))

    def versions(
        self,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> Pages[models.RulesVersion]:
        """Who changed the rules, when and why, newest first."""
        def page(cursor: str | None) -> Mapping[str, Any]:
            return self._send(call("GET", "/v1/rules/versions", query={"limit": page_size, "starting_after": cursor}))

        return Pages(page, starting_after)

    def simulate(self, **body: Unpack[models.RulesSimulationRequest]) -> models.RulesSimulation:
        """Try rules on past payments."""
        return self._send(call("POST", "/v1/rules/simulate", body=body))


class Gateways(Resource):
    """The operations under `gateways`."""

    def pause(self, gateway_name: str, **body: Unpack[models.Pause]) -> models.Paused:
        """Stop sending new payments to a gateway."""
        return self._send(call("POST", f"/v1/gateways/{part(gateway_name)}/pause", body=body))

    def resume(self, gateway_name: str) -> models.Paused:
        """Send new payments to a gateway again."""
        return self._send(call("POST", f"/v1/gateways/{part(gateway_name)}/resume"))

    def list(self) -> models.GatewayList:
        """Every configured gateway."""
        return self._send(call("GET", "/v1/gateways"))

    def get(self, gateway_name: str) -> models.Gateway:
        """One gateway."""
        return self._send(call("GET", f"/v1/gateways/{part(gateway_name)}"))


class Health(Resource):
    """The operations under `health`."""

    def alive(self) -> models.Health:
        """Whether the process is alive."""
        return self._send(call("GET", "/healthz"))

    def ready(self) -> models.Readiness:
        """Whether the process is ready for requests."""
        return self._send(call("GET", "/readyz"))


class Resources:
    """All operations of an API, by what they are about."""

    def __init__(self, send: Callable[[Call], Any]) -> None:
        self.payments = Payments(send)
        self.captures = Captures(send)
        self.voids = Voids(send)
        self.refunds = Refunds(send)
        self.disputes = Disputes(send)
        self.tokens = Tokens(send)
        self.analytics = Analytics(send)
        self.customers = Customers(send)
        self.jobs = Jobs(send)
        self.webhook_endpoints = WebhookEndpoints(send)
        self.webhook_deliveries = WebhookDeliveries(send)
        self.events = Events(send)
        self.ops = Ops(send)
        self.routing = Routing(send)
        self.rules = Rules(send)
        self.gateways = Gateways(send)
        self.health = Health(send)


class AsyncResource:
    """Some operations of an API. `send` makes a call, and gives the JSON object of its answer."""

    def __init__(self, send: Callable[[Call], Awaitable[Any]]) -> None:
        self._send = send


class AsyncPayments(AsyncResource):
    """The operations under `payments`."""

    async def create(
        self,
        *,
        idempotency_key: str,
        wait_s: int | None = None,
        **body: Unpack[models.PaymentRequest],
    ) -> models.DecidedPayment | models.AcceptedPayment:
        """Accept a payment."""
        return await self._send(call("POST", "/v1/payments", body=body, idempotency_key=idempotency_key, wait_s=wait_s))

    def list(
        self,
        *,
        page_size: int | None = None,
        state: Literal["AUTHENTICATED", "AUTHORIZED", "CANCELLED", "FAILURE", "INITIATED", "PROCESSING", "REQUIRES_ACTION", "SUCCESS"] | None = None,
        gateway: str | None = None,
        reference: str | None = None,
        customer_id: str | None = None,
        currency: str | None = None,
        amount_gte: int | None = None,
        amount_lte: int | None = None,
        created_gte: str | None = None,
        created_lt: str | None = None,
        certainty: Literal["known", "unknown"] | None = None,
        error_code: str | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.Payment]:
        """List payments, newest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", "/v1/payments", query={"limit": page_size, "state": state, "gateway": gateway, "reference": reference, "customer_id": customer_id, "currency": currency, "amount[gte]": amount_gte, "amount[lte]": amount_lte, "created[gte]": created_gte, "created[lt]": created_lt, "certainty": certainty, "error_code": error_code, "starting_after": cursor}))

        return AsyncPages(page, starting_after)

    async def get(self, payment_id: str, *, expand: str | None = None) -> models.ExpandedPayment:
        """Look at a payment."""
        return await self._send(call("GET", f"/v1/payments/{part(payment_id)}", query={"expand": expand}))

    async def sync(self, payment_id: str) -> models.JobAnswer:
        """Ask the gateway about a payment now."""
        return await self._send(call("POST", f"/v1/payments/{part(payment_id)}/sync"))

    def events(
        self,
        payment_id: str,
        *,
        page_size: int | None = None,
        as_of: str | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.Event]:
        """A payment's events, oldest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", f"/v1/payments/{part(payment_id)}/events", query={"limit": page_size, "as_of": as_of, "starting_after": cursor}))

        return AsyncPages(page, starting_after)

    async def attempts(
        self,
        payment_id: str,
        *,
        expand: Literal["exchange"] | None = None,
    ) -> models.ExpandedAttemptList:
        """A payment's attempts: every call to a gateway."""
        return await self._send(call("GET", f"/v1/payments/{part(payment_id)}/attempts", query={"expand": expand}))

    async def capture(
        self,
        payment_id: str,
        *,
        idempotency_key: str,
        **body: Unpack[models.CaptureRequest],
    ) -> models.OrderedCapture:
        """Capture what a payment holds, or a part of it."""
        return await self._send(call("POST", f"/v1/payments/{part(payment_id)}/captures", body=body, idempotency_key=idempotency_key))

    def captures(
        self,
        payment_id: str,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.Capture]:
        """List a payment's captures, newest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", f"/v1/payments/{part(payment_id)}/captures", query={"limit": page_size, "starting_after": cursor}))

        return AsyncPages(page, starting_after)

    async def cancel(
        self,
        payment_id: str,
        *,
        idempotency_key: str,
        **body: Unpack[models.CancelRequest],
    ) -> models.OrderedVoid:
        """Cancel a payment."""
        return await self._send(call("POST", f"/v1/payments/{part(payment_id)}/cancel", body=body, idempotency_key=idempotency_key))

    async def refund(
        self,
        payment_id: str,
        *,
        idempotency_key: str,
        **body: Unpack[models.RefundRequest],
    ) -> models.OrderedRefund:
        """Refund what was captured, or a part of it."""
        return await self._send(call("POST", f"/v1/payments/{part(payment_id)}/refunds", body=body, idempotency_key=idempotency_key))

    def refunds(
        self,
        payment_id: str,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.Refund]:
        """List a payment's refunds, newest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", f"/v1/payments/{part(payment_id)}/refunds", query={"limit": page_size, "starting_after": cursor}))

        return AsyncPages(page, starting_after)

    def voids(
        self,
        payment_id: str,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.Void]:
        """List a payment's cancels, newest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", f"/v1/payments/{part(payment_id)}/voids", query={"limit": page_size, "starting_after": cursor}))

        return AsyncPages(page, starting_after)

    def disputes(
        self,
        payment_id: str,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.Dispute]:
        """List a payment's disputes, newest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", f"/v1/payments/{part(payment_id)}/disputes", query={"limit": page_size, "starting_after": cursor}))

        return AsyncPages(page, starting_after)

    async def confirm(
        self,
        payment_id: str,
        *,
        idempotency_key: str,
        **body: Unpack[models.ConfirmRequest],
    ) -> models.Payment | models.DecidedPayment:
        """Hand on what the payer brought back."""
        return await self._send(call("POST", f"/v1/payments/{part(payment_id)}/confirm", body=body, idempotency_key=idempotency_key))

    async def explain(self, payment_id: str) -> models.Explanation:
        """Why a payment is in its state."""
        return await self._send(call("GET", f"/v1/payments/{part(payment_id)}/explain"))


class AsyncCaptures(AsyncResource):
    """The operations under `captures`."""

    async def get(self, capture_id: str) -> models.Capture:
        """Look at a capture."""
        return await self._send(call("GET", f"/v1/captures/{part(capture_id)}"))

    def list(
        self,
        *,
        page_size: int | None = None,
        gateway: str | None = None,
        created_gte: str | None = None,
        created_lt: str | None = None,
        status: Literal["failed", "pending", "requested", "succeeded", "waiting"] | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.Capture]:
        """List captures of all payments, newest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", "/v1/captures", query={"limit": page_size, "gateway": gateway, "created[gte]": created_gte, "created[lt]": created_lt, "status": status, "starting_after": cursor}))

        return AsyncPages(page, starting_after)


class AsyncVoids(AsyncResource):
    """The operations under `voids`."""

    async def get(self, void_id: str) -> models.Void:
        """Look at a cancel."""
        return await self._send(call("GET", f"/v1/voids/{part(void_id)}"))

    def list(
        self,
        *,
        page_size: int | None = None,
        gateway: str | None = None,
        created_gte: str | None = None,
        created_lt: str | None = None,
        status: Literal["failed", "pending", "requested", "succeeded", "waiting"] | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.Void]:
        """List cancels of all payments, newest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", "/v1/voids", query={"limit": page_size, "gateway": gateway, "created[gte]": created_gte, "created[lt]": created_lt, "status": status, "starting_after": cursor}))

        return AsyncPages(page, starting_after)


class AsyncRefunds(AsyncResource):
    """The operations under `refunds`."""

    async def get(self, refund_id: str) -> models.Refund:
        """Look at a refund."""
        return await self._send(call("GET", f"/v1/refunds/{part(refund_id)}"))

    def list(
        self,
        *,
        page_size: int | None = None,
        gateway: str | None = None,
        created_gte: str | None = None,
        created_lt: str | None = None,
        status: Literal["failed", "pending", "requested", "succeeded", "waiting"] | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.Refund]:
        """List refunds of all payments, newest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", "/v1/refunds", query={"limit": page_size, "gateway": gateway, "created[gte]": created_gte, "created[lt]": created_lt, "status": status, "starting_after": cursor}))

        return AsyncPages(page, starting_after)


class AsyncDisputes(AsyncResource):
    """The operations under `disputes`."""

    async def get(self, dispute_id: str) -> models.Dispute:
        """Look at a dispute."""
        return await self._send(call("GET", f"/v1/disputes/{part(dispute_id)}"))

    def list(
        self,
        *,
        page_size: int | None = None,
        gateway: str | None = None,
        created_gte: str | None = None,
        created_lt: str | None = None,
        status: Literal["accepted", "closed", "lost", "needs_response", "under_review", "warning", "won"] | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.Dispute]:
        """List disputes of all payments, newest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", "/v1/disputes", query={"limit": page_size, "gateway": gateway, "created[gte]": created_gte, "created[lt]": created_lt, "status": status, "starting_after": cursor}))

        return AsyncPages(page, starting_after)


class AsyncTokens(AsyncResource):
    """The operations under `tokens`."""

    async def create(self, *, idempotency_key: str, **body: Unpack[models.TokenRequest]) -> models.Token:
        """Take a token for a card."""
        return await self._send(call("POST", "/v1/tokens", body=body, idempotency_key=idempotency_key))

    async def list(self, *, customer_id: str | None = None) -> models.TokenList:
        """List a customer's cards."""
        return await self._send(call("GET", "/v1/tokens", query={"customer_id": customer_id}))

    async def get(self, token_id: str) -> models.Token:
        """Look at a token."""
        return await self._send(call("GET", f"/v1/tokens/{part(token_id)}"))

    async def destroy(self, token_id: str) -> None:
        """Destroy a card."""
        return await self._send(call("DELETE", f"/v1/tokens/{part(token_id)}"))


class AsyncAnalytics(AsyncResource):
    """The operations under `analytics`."""

    async def payments(
        self,
        *,
        since: str | None = None,
        until: str | None = None,
        interval: Literal["all", "day", "hour"] | None = None,
        group_by: str | None = None,
        gateway: str | None = None,
        method: str | None = None,
        experiment: str | None = None,
        arm: str | None = None,
        state: Literal["AUTHORIZED", "CANCELLED", "FAILURE", "OPEN", "SUCCESS"] | None = None,
        currency: str | None = None,
    ) -> models.Analytics:
        """What payments came to over time."""
        return await self._send(call("GET", "/v1/analytics/payments", query={"since": since, "until": until, "interval": interval, "group_by": group_by, "gateway": gateway, "method": method, "experiment": experiment, "arm": arm, "state": state, "currency": currency}))


class AsyncCustomers(AsyncResource):
    """The operations under `customers`."""

    def payments(
        self,
        customer_id: str,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.Payment]:
        """A customer's payments, newest first, and what all of them came to."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", f"/v1/customers/{part(customer_id)}/payments", query={"limit": page_size, "starting_after": cursor}))

        return AsyncPages(page, starting_after)


class AsyncJobs(AsyncResource):
    """The operations under `jobs`."""

    def list(
        self,
        *,
        page_size: int | None = None,
        status: Literal["failed", "queued", "review", "running", "succeeded", "waiting"] | None = None,
        review_kind: Literal["doubt", "fraud"] | None = None,
        payment_id: str | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.Job]:
        """List jobs, newest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", "/v1/jobs", query={"limit": page_size, "status": status, "review_kind": review_kind, "payment_id": payment_id, "starting_after": cursor}))

        return AsyncPages(page, starting_after)

    async def get(self, job_id: str) -> models.Job:
        """Look at a job."""
        return await self._send(call("GET", f"/v1/jobs/{part(job_id)}"))


class AsyncWebhookEndpoints(AsyncResource):
    """The operations under `webhook_endpoints`."""

    async def create(self, **body: Unpack[models.EndpointRequest]) -> models.NewEndpoint:
        """Register a URL to which events are posted."""
        return await self._send(call("POST", "/v1/webhook-endpoints", body=body))

    async def list(self) -> models.EndpointList:
        """List the active endpoints, oldest first."""
        return await self._send(call("GET", "/v1/webhook-endpoints"))

    async def disable(self, endpoint_id: str) -> None:
        """Stop posting events to an endpoint."""
        return await self._send(call("DELETE", f"/v1/webhook-endpoints/{part(endpoint_id)}"))


class AsyncWebhookDeliveries(AsyncResource):
    """The operations under `webhook_deliveries`."""

    def list(
        self,
        *,
        page_size: int | None = None,
        payment_id: str | None = None,
        status: Literal["cancelled", "dead", "delivered", "pending"] | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.Delivery]:
        """List deliveries, newest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", "/v1/webhook-deliveries", query={"limit": page_size, "payment_id": payment_id, "status": status, "starting_after": cursor}))

        return AsyncPages(page, starting_after)


class AsyncEvents(AsyncResource):
    """The operations under `events`."""

    async def redeliver(self, event_id: str) -> models.Redelivery:
        """Post an event again."""
        return await self._send(call("POST", f"/v1/events/{part(event_id)}/redeliver"))


class AsyncOps(AsyncResource):
    """The operations under `ops`."""

    def reviews(
        self,
        *,
        page_size: int | None = None,
        kind: Literal["doubt", "fraud"] | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.Review]:
        """Payments that wait for a person, oldest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", "/v1/ops/reviews", query={"limit": page_size, "kind": kind, "starting_after": cursor}))

        return AsyncPages(page, starting_after)

    async def explain(self, payment_id: str) -> models.Explanation:
        """Why any merchant's payment is in its state."""
        return await self._send(call("GET", f"/v1/ops/payments/{part(payment_id)}/explain"))

    async def stuck(
        self,
        *,
        page_size: int | None = None,
        due_after_s: int | None = None,
        lease_after_s: int | None = None,
        doubt_after_s: int | None = None,
        outbox_after_s: int | None = None,
        dead_within_s: int | None = None,
    ) -> models.StuckList:
        """What is stuck: what should have moved on by itself and has not."""
        return await self._send(call("GET", "/v1/ops/stuck", query={"limit": page_size, "due_after_s": due_after_s, "lease_after_s": lease_after_s, "doubt_after_s": doubt_after_s, "outbox_after_s": outbox_after_s, "dead_within_s": dead_within_s}))

    async def resolve(
        self,
        payment_id: str,
        *,
        if_match: int,
        **body: Unpack[models.Resolution],
    ) -> models.Approval | models.Resolved:
        """Decide about a payment that waits for a person."""
        return await self._send(call("POST", f"/v1/ops/payments/{part(payment_id)}/resolve", body=body, if_match=if_match))

    async def erase(self, **body: Unpack[models.ErasureRequest]) -> models.Erasure:
        """Erase what is known of a customer."""
        return await self._send(call("POST", "/v1/ops/erasures", body=body))

    async def outbox(self) -> models.Outbox:
        """How many events wait for delivery."""
        return await self._send(call("GET", "/v1/ops/outbox"))

    def audit_log(
        self,
        *,
        page_size: int | None = None,
        payment_id: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.AuditLogEntry]:
        """Who decided what, newest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", "/v1/ops/audit-log", query={"limit": page_size, "payment_id": payment_id, "actor": actor, "action": action, "starting_after": cursor}))

        return AsyncPages(page, starting_after)

    def incidents(
        self,
        *,
        page_size: int | None = None,
        invariant: Literal["I1", "I2", "I3", "I4", "I5", "I6", "I7"] | None = None,
        payment_id: str | None = None,
        open: Literal["false", "true"] | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.Incident]:
        """What the audit found wrong, newest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", "/v1/ops/incidents", query={"limit": page_size, "invariant": invariant, "payment_id": payment_id, "open": open, "starting_after": cursor}))

        return AsyncPages(page, starting_after)

    def approvals(
        self,
        *,
        page_size: int | None = None,
        status: Literal["approved", "asked", "carried_out", "expired", "failed", "refused"] | None = None,
        payment_id: str | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.Approval]:
        """What was asked for and needs or needed a second person, newest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", "/v1/ops/approvals", query={"limit": page_size, "status": status, "payment_id": payment_id, "starting_after": cursor}))

        return AsyncPages(page, starting_after)

    async def approval(self, approval_id: str) -> models.Approval:
        """One approval, with all that was asked for."""
        return await self._send(call("GET", f"/v1/ops/approvals/{part(approval_id)}"))

    async def approve(self, approval_id: str, **body: Unpack[models.Approve]) -> models.Approval:
        """Approve what another person asked for, and carry it out."""
        return await self._send(call("POST", f"/v1/ops/approvals/{part(approval_id)}/approve", body=body))

    async def refuse(self, approval_id: str, **body: Unpack[models.Refuse]) -> models.Approval:
        """Refuse what was asked for, or take back what you asked for yourself."""
        return await self._send(call("POST", f"/v1/ops/approvals/{part(approval_id)}/refuse", body=body))

    async def refund(
        self,
        payment_id: str,
        *,
        idempotency_key: str,
        if_match: int,
        **body: Unpack[models.OperatorRefundRequest],
    ) -> models.OperatorRefund:
        """Refund any merchant's payment."""
        return await self._send(call("POST", f"/v1/ops/payments/{part(payment_id)}/refunds", body=body, idempotency_key=idempotency_key, if_match=if_match))

    async def capture(
        self,
        payment_id: str,
        *,
        idempotency_key: str,
        if_match: int,
        **body: Unpack[models.OperatorCaptureRequest],
    ) -> models.OrderedCapture:
        """Capture what any merchant's payment holds, or a part of it."""
        return await self._send(call("POST", f"/v1/ops/payments/{part(payment_id)}/captures", body=body, idempotency_key=idempotency_key, if_match=if_match))

    async def cancel(
        self,
        payment_id: str,
        *,
        idempotency_key: str,
        if_match: int,
        **body: Unpack[models.OperatorOrderRequest],
    ) -> models.OrderedVoid:
        """Cancel any merchant's payment."""
        return await self._send(call("POST", f"/v1/ops/payments/{part(payment_id)}/cancel", body=body, idempotency_key=idempotency_key, if_match=if_match))

    async def safety(self) -> models.Safety:
        """Is money safe?."""
        return await self._send(call("GET", "/v1/ops/safety"))

    def doubts(
        self,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.Doubt]:
        """Payments in doubt, oldest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", "/v1/ops/doubts", query={"limit": page_size, "starting_after": cursor}))

        return AsyncPages(page, starting_after)

    async def payments_by_minute(self, *, minutes: int | None = None) -> models.PaymentsByMinute:
        """How many payments were accepted, minute by minute."""
        return await self._send(call("GET", "/v1/ops/payments-by-minute", query={"minutes": minutes}))

    async def gateways_by_minute(self, *, minutes: int | None = None) -> models.GatewaysByMinute:
        """How gateways answered, minute by minute."""
        return await self._send(call("GET", "/v1/ops/gateways-by-minute", query={"minutes": minutes}))

    async def analytics(
        self,
        *,
        since: str | None = None,
        until: str | None = None,
        interval: Literal["all", "day", "hour"] | None = None,
        group_by: str | None = None,
        gateway: str | None = None,
        method: str | None = None,
        experiment: str | None = None,
        arm: str | None = None,
        state: Literal["AUTHORIZED", "CANCELLED", "FAILURE", "OPEN", "SUCCESS"] | None = None,
        currency: str | None = None,
        merchant_id: str | None = None,
        mode: Literal["live", "test"] | None = None,
    ) -> models.OperatorsAnalytics:
        """What the payments of all merchants came to over time."""
        return await self._send(call("GET", "/v1/ops/analytics/payments", query={"since": since, "until": until, "interval": interval, "group_by": group_by, "gateway": gateway, "method": method, "experiment": experiment, "arm": arm, "state": state, "currency": currency, "merchant_id": merchant_id, "mode": mode}))

    def payments(
        self,
        *,
        page_size: int | None = None,
        state: Literal["AUTHENTICATED", "AUTHORIZED", "CANCELLED", "FAILURE", "INITIATED", "PROCESSING", "REQUIRES_ACTION", "SUCCESS"] | None = None,
        gateway: str | None = None,
        reference: str | None = None,
        customer_id: str | None = None,
        currency: str | None = None,
        amount_gte: int | None = None,
        amount_lte: int | None = None,
        created_gte: str | None = None,
        created_lt: str | None = None,
        certainty: Literal["known", "unknown"] | None = None,
        error_code: str | None = None,
        q: str | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.FoundPayment]:
        """Payments of all merchants, newest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", "/v1/ops/payments", query={"limit": page_size, "state": state, "gateway": gateway, "reference": reference, "customer_id": customer_id, "currency": currency, "amount[gte]": amount_gte, "amount[lte]": amount_lte, "created[gte]": created_gte, "created[lt]": created_lt, "certainty": certainty, "error_code": error_code, "q": q, "starting_after": cursor}))

        return AsyncPages(page, starting_after)

    async def ask(self, payment_id: str) -> models.Asked:
        """Ask the gateways about a payment, and get their answers at once."""
        return await self._send(call("POST", f"/v1/ops/payments/{part(payment_id)}/ask"))

    def reconciliations(
        self,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.Run]:
        """Runs of reconciliation, newest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", "/v1/ops/reconciliations", query={"limit": page_size, "starting_after": cursor}))

        return AsyncPages(page, starting_after)

    def webhook_endpoints(
        self,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.EndpointHealth]:
        """Webhook endpoints of all merchants, newest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", "/v1/ops/webhook-endpoints", query={"limit": page_size, "starting_after": cursor}))

        return AsyncPages(page, starting_after)

    def dead_deliveries(
        self,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.Delivery]:
        """Deliveries of all merchants that were given up, newest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", "/v1/ops/dead-deliveries", query={"limit": page_size, "starting_after": cursor}))

        return AsyncPages(page, starting_after)

    async def redeliver(self, event_id: str) -> models.Redelivery:
        """Post an event of any merchant again."""
        return await self._send(call("POST", f"/v1/ops/events/{part(event_id)}/redeliver"))

    async def test(self, endpoint_id: str) -> models.Tried:
        """Post a test event to an endpoint, and get its answer at once."""
        return await self._send(call("POST", f"/v1/ops/webhook-endpoints/{part(endpoint_id)}/test"))


class AsyncRouting(AsyncResource):
    """The operations under `routing`."""

    async def get(self) -> models.Routing:
        """The routing configuration in force."""
        return await self._send(call("GET", "/v1/routing"))

    async def put(self, *, if_match: int, **body: Unpack[models.RoutingPut]) -> models.Routing:
        """Change the routing configuration."""
        return await self._send(call("PUT", "/v1/routing", body=body, if_match=if_match))

    def versions(
        self,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.RoutingVersion]:
        """Who changed routing, when and why, newest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", "/v1/routing/versions", query={"limit": page_size, "starting_after": cursor}))

        return AsyncPages(page, starting_after)

    async def simulate(self, **body: Unpack[models.SimulationRequest]) -> models.Simulation:
        """Try a configuration on past payments."""
        return await self._send(call("POST", "/v1/routing/simulate", body=body))

    async def experiment(self, experiment: str, *, since: str | None = None) -> models.Experiment:
        """The results of an A/B test."""
        return await self._send(call("GET", f"/v1/routing/experiments/{part(experiment)}", query={"since": since}))


class AsyncRules(AsyncResource):
    """The operations under `rules`."""

    async def get(self) -> models.Rules:
        """The rules in force."""
        return await self._send(call("GET", "/v1/rules"))

    async def put(self, *, if_match: int, **body: Unpack[models.RulesPut]) -> models.Rules:
        """Change the rules."""
        return await self._send(call("PUT", "/v1/rules", body=body, if_match=if_match))

    def versions(
        self,
        *,
        page_size: int | None = None,
        starting_after: str | None = None,
    ) -> AsyncPages[models.RulesVersion]:
        """Who changed the rules, when and why, newest first."""
        def page(cursor: str | None) -> Awaitable[Mapping[str, Any]]:
            return self._send(call("GET", "/v1/rules/versions", query={"limit": page_size, "starting_after": cursor}))

        return AsyncPages(page, starting_after)

    async def simulate(self, **body: Unpack[models.RulesSimulationRequest]) -> models.RulesSimulation:
        """Try rules on past payments."""
        return await self._send(call("POST", "/v1/rules/simulate", body=body))


class AsyncGateways(AsyncResource):
    """The operations under `gateways`."""

    async def pause(self, gateway_name: str, **body: Unpack[models.Pause]) -> models.Paused:
        """Stop sending new payments to a gateway."""
        return await self._send(call("POST", f"/v1/gateways/{part(gateway_name)}/pause", body=body))

    async def resume(self, gateway_name: str) -> models.Paused:
        """Send new payments to a gateway again."""
        return await self._send(call("POST", f"/v1/gateways/{part(gateway_name)}/resume"))

    async def list(self) -> models.GatewayList:
        """Every configured gateway."""
        return await self._send(call("GET", "/v1/gateways"))

    async def get(self, gateway_name: str) -> models.Gateway:
        """One gateway."""
        return await self._send(call("GET", f"/v1/gateways/{part(gateway_name)}"))


class AsyncHealth(AsyncResource):
    """The operations under `health`."""

    async def alive(self) -> models.Health:
        """Whether the process is alive."""
        return await self._send(call("GET", "/healthz"))

    async def ready(self) -> models.Readiness:
        """Whether the process is ready for requests."""
        return await self._send(call("GET", "/readyz"))


class AsyncResources:
    """All operations of an API, by what they are about."""

    def __init__(self, send: Callable[[Call], Awaitable[Any]]) -> None:
        self.payments = AsyncPayments(send)
        self.captures = AsyncCaptures(send)
        self.voids = AsyncVoids(send)
        self.refunds = AsyncRefunds(send)
        self.disputes = AsyncDisputes(send)
        self.tokens = AsyncTokens(send)
        self.analytics = AsyncAnalytics(send)
        self.customers = AsyncCustomers(send)
        self.jobs = AsyncJobs(send)
        self.webhook_endpoints = AsyncWebhookEndpoints(send)
        self.webhook_deliveries = AsyncWebhookDeliveries(send)
        self.events = AsyncEvents(send)
        self.ops = AsyncOps(send)
        self.routing = AsyncRouting(send)
        self.rules = AsyncRules(send)
        self.gateways = AsyncGateways(send)
        self.health = AsyncHealth(send)
