"""The tables of `aegis top`, made of one look. Pure: text in, text out; the screen only draws them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.queries.gateway_reports import GatewayReport
from aegis_worker.queries.safety import Sum
from aegis_worker.queries.sentences import of_attempt
from aegis_worker.queries.wording import money
from aegis_worker.resilience.permits import STATUS
from aegis_worker.terminal.output import duration, plain

from .look import Look

_BARS = " ▁▂▃▄▅▆▇█"
_WORST_FIRST = (BreakerState.OPEN, BreakerState.HALF_OPEN)


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `key`: what it is about, such as a payment's id; Enter shows more of it."""

    key: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One table: what it is called, its columns, how its rows are made, and what it says where there are none."""

    title: str
    columns: tuple[str, ...]
    rows: Callable[[Look], Sequence[Row]]
    empty: str


def headline(seen: Look) -> str:
    """Is money safe, what waits for people, what is in doubt: the first line, in this order."""
    safety = seen.safety
    wrong = sum(safety.wrong.values())
    if wrong:
        told = ", ".join(f"{invariant}: {count}" for invariant, count in safety.wrong.items())
        first = f"WRONG: {wrong} payments ({told})"
    elif safety.audited_at is None:
        first = "not audited yet"
    else:
        first = "nothing found wrong"
    people = f"{safety.people_have} wait for a person{_sums(safety.for_people)}"
    doubt = f"{safety.doubts} in doubt{_sums(safety.in_doubt)}"
    return f"{first}  ·  {people}  ·  {doubt}  ·  {rates(seen)}"


def rates(seen: Look) -> str:
    """Payments a minute as small bars, and how many of the last whole minute."""
    counts = [then.charged + then.not_charged + then.in_doubt + then.open for then in seen.rates]
    if not counts:
        return "no payments"
    most = max(*counts, 1)
    bars = "".join(_BARS[-(-count * (len(_BARS) - 1) // most)] for count in counts)
    return f"{bars} {counts[-2] if len(counts) > 1 else counts[-1]} payments/min"


def _sums(sums: Sequence[Sum]) -> str:
    return f" ({', '.join(money(each.minor, each.currency) for each in sums[:3])})" if sums else ""


def _queues(seen: Look) -> Sequence[Row]:
    waiting = seen.safety.waiting
    jobs = [
        Row(
            each.queue,
            (
                each.queue,
                str(each.due),
                _age(each.oldest_age_s, each.due),
                str(each.running),
                str(each.later),
            ),
        )
        for each in seen.queues
    ]
    sinks = (
        ("events to the stream", waiting.stream_pending, waiting.stream_oldest_age_s),
        ("webhooks", waiting.webhooks_pending, waiting.webhooks_oldest_age_s),
        ("hooks", waiting.hooks_pending, waiting.hooks_oldest_age_s),
    )
    return [
        *jobs,
        *(Row(name, (name, str(count), _age(age_s, count), "", "")) for name, count, age_s in sinks),
    ]


def _gateways(seen: Look) -> Sequence[Row]:
    return [Row(report.config.name, _gateway(report)) for report in seen.gateways]


def _gateway(report: GatewayReport) -> tuple[str, ...]:
    name, live = report.config.name, report.live
    if live is None:
        return (name, "paused" if report.paused else "not known", "", "", "", "", "")
    recent = live.recent
    success = "" if recent.success_rate is None else f"{100 * recent.success_rate:.1f} %"
    p95_ms = recent.latency.p95_ms
    return (
        name,
        circuit(report),
        f"{live.health.score:.2f}",
        success,
        "" if p95_ms is None else f"{p95_ms:.0f} ms",
        f"{60 * live.calls_per_s:.0f}",
        str(live.in_flight),
    )


def circuit(report: GatewayReport) -> str:
    """Paused, or the worst state of the breakers that a charge needs."""
    if report.paused:
        return "paused"
    views: Mapping[str, BreakerState] = (
        {}
        if report.live is None
        else {name: view.state for name, view in report.live.breakers.items() if name != STATUS}
    )
    return next((state.value for state in _WORST_FIRST if state in views.values()), BreakerState.CLOSED.value)


def _doubts(seen: Look) -> Sequence[Row]:
    return [
        Row(
            doubt.stored.payment.id,
            (
                doubt.stored.payment.id,
                money(doubt.stored.payment.amount.minor, doubt.stored.payment.amount.currency),
                doubt.call.gateway if doubt.call else "",
                "" if doubt.since is None else duration((seen.as_of - doubt.since).total_seconds()),
                str(doubt.call.checks) if doubt.call else "0",
                "" if doubt.next_at is None else _ahead((doubt.next_at - seen.as_of).total_seconds()),
                of_attempt(doubt.call) if doubt.call else "",
            ),
        )
        for doubt in seen.doubts
    ]


def _reviews(seen: Look) -> Sequence[Row]:
    return [
        Row(
            waiting.stored.payment.id,
            (
                waiting.stored.payment.id,
                waiting.kind,
                money(waiting.stored.payment.amount.minor, waiting.stored.payment.amount.currency),
                plain(waiting.since),
                waiting.reason,
            ),
        )
        for waiting in seen.reviews
    ]


def _endpoints(seen: Look) -> Sequence[Row]:
    return [
        Row(
            each.endpoint_id,
            (
                each.url,
                each.merchant_id,
                str(each.pending),
                str(each.failing),
                duration(each.oldest_age_s),
                "rests" if each.rests else "",
                each.last_error or "",
            ),
        )
        for each in seen.endpoints
    ]


def _age(age_s: float, count: int) -> str:
    return duration(age_s) if count else ""


def _ahead(seconds: float) -> str:
    return f"in {duration(seconds)}" if seconds > 0 else "due"


# By the key that goes there.
PANELS: Mapping[str, Panel] = {
    "1": Panel("Queues", ("queue", "due", "oldest", "running", "later"), _queues, "no queues"),
    "2": Panel(
        "Gateways",
        ("gateway", "breaker", "score", "success", "p95", "calls/min", "in flight"),
        _gateways,
        "no gateway is configured",
    ),
    "3": Panel(
        "In doubt",
        ("payment", "amount", "gateway", "since", "asked", "next", "what may have happened"),
        _doubts,
        "no payment is in doubt",
    ),
    "4": Panel(
        "Waiting for a person",
        ("payment", "kind", "amount", "since (UTC)", "why"),
        _reviews,
        "nothing waits for a person",
    ),
    "5": Panel(
        "Endpoints that are behind",
        ("endpoint", "merchant", "pending", "failing", "oldest", "", "last error"),
        _endpoints,
        "every endpoint has what it is to be told",
    ),
}
