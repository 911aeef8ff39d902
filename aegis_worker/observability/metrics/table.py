"""All metrics, by name. docs/reference/metrics.md is drawn from here, and nothing else is emitted.

Labels are bounded: gateways and hooks that are configured, routes that exist, and words of ours. `processes`: each process
counts for itself and adds to the sums of all. `shared`: asked of PostgreSQL and Redis, which all processes share, when
somebody looks. A gauge that has nothing to tell is NaN: a comparison with it never holds, so no alert fires.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
Source = Literal["processes", "shared"]


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One metric. `name` without the `_total` that Prometheus adds to a counter. Histograms are of seconds.

    `begins`: values of labels for which it stands at 0 before anything was counted, so that monitors see the first
    increase. A label `gateway` begins with each gateway that is configured. `needs`: without which it has no values.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    source: Source = "processes"
    begins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    needs: str = ""

    @property
    def shown(self) -> str:
        """The name as Prometheus shows it."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


# Upper bounds in seconds: from a commit (milliseconds) to a gateway's longest call, and on to what waits for a ladder.
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)


_PLUG_IN, _PLAN = "hooks of your own", "a chaos plan"


def _counter(
    name: str, labels: str, help: str, source: Source = "processes", *, needs: str = "", **begins: str
) -> Metric:
    values = {label: tuple(words.split()) for label, words in begins.items()}
    return Metric(name, "counter", tuple(labels.split()), help, source, values, needs)


def _histogram(name: str, labels: str, help: str, *, needs: str = "", **begins: str) -> Metric:
    values = {label: tuple(words.split()) for label, words in begins.items()}
    return Metric(name, "histogram", tuple(labels.split()), help, "processes", values, needs)


def _gauge(name: str, labels: str, help: str) -> Metric:
    return Metric(name, "gauge", tuple(labels.split()), help, "shared")


PAYMENTS = _counter(
    "aegis_payments",
    "state gateway method",
    "Payments that came to a state; gateway none before one is chosen",
    state="AUTHORIZED SUCCESS FAILURE",
    method="card",
)
ACCEPT = _histogram("aegis_accept_duration_seconds", "", "How long accepting payments took, one or a batch")
END_TO_END = _histogram(
    "aegis_payment_duration_seconds",
    "state",
    "From acceptance to the end of the payment's first job",
    state="SUCCESS FAILURE",
)
HTTP = _histogram(
    "aegis_http_request_duration_seconds",
    "method route status",
    "How long requests took; route as in the OpenAPI document, status as 2xx",
)
IDEMPOTENCY_REPLAYS = _counter(
    "aegis_idempotency_replays", "", "Requests that repeated an earlier one and got its answer"
)
IDEMPOTENCY_CONFLICTS = _counter(
    "aegis_idempotency_conflicts",
    "reason",
    "Keys refused: reused for another request, or still in progress",
    reason="key_reused in_progress",
)
CALLS = _histogram(
    "aegis_gateway_call_duration_seconds",
    "gateway operation outcome",
    "How long calls took, with their repeats; operation status for look-ups",
    operation="process",
    outcome="approved declined not_sent unknown",
)
RETRIES = _counter(
    "aegis_retries",
    "gateway kind",
    "failover: another hop, to this gateway; repeat: the same call sent again",
    kind="failover repeat",
)
LEASES_LOST = _counter(
    "aegis_leases_lost", "", "Jobs that another worker had taken over when we came to write"
)
WEBHOOKS = _histogram(
    "aegis_webhook_duration_seconds",
    "outcome",
    "How long posts took: delivered, pending (failed, tried again), dead (given up)",
    outcome="delivered pending dead",
)
EVENTS_DELIVERED = _counter("aegis_outbox_delivered", "", "Events that all sinks have taken")
FINDINGS = _counter(
    "aegis_reconciliation_findings",
    "kind",
    "What reconciliation found; mismatches: payments that we and a gateway disagree about",
    kind="payments_without_a_job mismatches unanswered",
)
HOOKS = _histogram(
    "aegis_hook_duration_seconds", "hook point", "How long hooks took that ran", needs=_PLUG_IN
)
HOOK_ENDS = _counter("aegis_hook_calls", "hook point outcome", "How asking hooks ended", needs=_PLUG_IN)
VAULT_OPENED = _counter(
    "aegis_vault_opened",
    "outcome",
    "Cards opened for a call, and why not",
    outcome="opened unavailable card_gone security_code_gone vault_misconfigured",
)
TASKS = _histogram("aegis_task_duration_seconds", "task", "How long Celery's tasks ran")

DATABASE_UP = _gauge("aegis_database_up", "", "Whether PostgreSQL could be asked")
GATEWAY_HEALTH_UP = _gauge("aegis_gateway_health_up", "", "Whether Redis could be asked about the gateways")
JOBS_DUE = _gauge("aegis_jobs_due", "queue", "Jobs due now, counted up to 1000 a queue")
JOBS_OLDEST = _gauge(
    "aegis_jobs_oldest_age_seconds", "queue", "How long the oldest of them has been due; 0 where none is"
)
BROKER = _gauge("aegis_broker_messages", "queue", "Hints and ticks that wait in Celery's queues")
OUTBOX_PENDING = _gauge(
    "aegis_outbox_pending", "sink", "Events not delivered yet, counted up to 10000 a sink"
)
OUTBOX_OLDEST = _gauge(
    "aegis_outbox_oldest_age_seconds", "sink", "How old the oldest of them is; 0 where none waits"
)
WEBHOOK_DELIVERIES = _gauge(
    "aegis_webhook_deliveries",
    "status",
    "Deliveries by how they stand, counted up to 10000 each: pending, failing (of the pending, those that were tried), and "
    "of the last 7 days dead (given up) and cancelled (their endpoint was deleted)",
)
HOOK_DELIVERIES = _gauge(
    "aegis_hook_deliveries",
    "status",
    "Events for hooks by how they stand, counted up to 10000 in all: pending, failing (of the pending, those that were "
    "tried), and dead (given up)",
)
IN_DOUBT = _gauge("aegis_payments_in_doubt", "", "Payments in doubt, counted up to 10000")
IN_DOUBT_OLDEST = _gauge(
    "aegis_payments_in_doubt_oldest_age_seconds",
    "",
    "How long ago the oldest of them was accepted; 0 where none is",
)
REVIEWS = _gauge(
    "aegis_reviews_waiting",
    "kind",
    "Payments that wait for a person, counted up to 10000 in all: doubt (a gateway's doing is in question) and fraud (held "
    "back before anything was sent)",
)
REVIEWS_OLDEST = _gauge(
    "aegis_reviews_oldest_age_seconds", "kind", "How long the oldest of them has waited; 0 where none waits"
)
APPROVALS = _gauge(
    "aegis_approvals_waiting",
    "kind",
    "What one operator asked for and a second one has to approve: refund or resolution, counted up to 10000 in all",
)
APPROVALS_OLDEST = _gauge(
    "aegis_approvals_oldest_age_seconds", "kind", "How long the oldest of them has waited; 0 where none waits"
)
CONSOLE_USERS = _gauge("aegis_console_users", "role status", "People with an account at the console")
DISPUTES = _gauge("aegis_disputes_waiting", "", "Disputes that wait for evidence, counted up to 10000")
DISPUTES_DEADLINE = _gauge(
    "aegis_disputes_deadline_seconds", "", "Until the next of their deadlines; NaN where there is none"
)
FROZEN = _gauge("aegis_payments_frozen", "", "Payments among the reviews that the audit froze")
MISMATCHES = _gauge(
    "aegis_reconciliation_mismatches", "", "Of the last comparison with gateways; NaN before the first"
)
INCIDENTS = _gauge(
    "aegis_audit_incidents", "", "Broken invariants that nobody has resolved, counted up to 10000"
)
UNANSWERED = _gauge(
    "aegis_gateway_events_unanswered",
    "",
    "What gateways told of payments of ours and did not answer for when they were asked, counted up to 10000",
)
PAUSED = _gauge("aegis_gateway_paused", "gateway", "Whether an operator paused the gateway")
SCORE = _gauge("aegis_gateway_score", "gateway", "Health, 0 to 1")
IN_FLIGHT = _gauge("aegis_gateway_in_flight", "gateway", "Calls out over all workers, without look-ups")
BREAKER = _gauge(
    "aegis_gateway_breaker_state", "gateway operation state", "1 for the state that the breaker is in"
)
BREAKER_OPENINGS = _counter(
    "aegis_gateway_breaker_openings", "gateway operation", "How often the breaker has opened", "shared"
)
LAST_HOUR_CALLS = _gauge("aegis_gateway_calls", "gateway outcome", "Calls of the last hour by outcome")
LAST_HOUR_ERRORS = _gauge("aegis_gateway_errors", "gateway error", "Calls of the last hour that ended so")
LAST_HOUR_LATENCY = _gauge(
    "aegis_gateway_latency_seconds",
    "gateway share",
    "Below which time a share (0.5, 0.95, 0.99) of the answered calls of the last hour stayed; NaN where there were none",
)
INJECTIONS = _counter(
    "aegis_chaos_injections",
    "injection kind",
    "How often each injection of a chaos plan has struck in the last week",
    "shared",
    needs=_PLAN,
)

ALL: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
BY_NAME = {metric.name: metric for metric in ALL}
