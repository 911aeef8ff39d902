"""Examples of the gateways, rendered by the same functions as real answers."""

from __future__ import annotations

from datetime import UTC, datetime

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.gateways.config import AmountLimits, GatewayConfig
from aegis_worker.persistence.gateway_pauses import Pause
from aegis_worker.queries.gateway_reports import GatewayReport
from aegis_worker.resilience.health import of_recent
from aegis_worker.resilience.health_window import RecentCall, RecentCalls
from aegis_worker.resilience.monitor import Live
from aegis_worker.resilience.permits import STATUS, BreakerView, Counted, GatewayHealth
from aegis_worker.views.gateways import gateway_body, paused_body
from aegis_worker.views.pages import list_body

_NOW_MS = 1_795_250_000_000
_figures = of_recent(
    RecentCalls(
        _NOW_MS,
        tuple(
            RecentCall(_NOW_MS - 350 * place, counted, 180.0 + 7 * place, error)
            for place, (counted, error) in enumerate(
                [
                    (Counted.ERROR, "no_answer"),
                    *[(Counted.APPROVED, "")] * 17,
                    (Counted.PAYER, ""),
                    (Counted.DECLINED, ""),
                ]
            )
        ),
    )
)

GATEWAY = gateway_body(
    GatewayReport(
        config=GatewayConfig(
            name="sandbox_a",
            adapter="sandbox",
            base_url="",
            api_key="",
            currencies=frozenset({"EUR", "USD"}),
            fee_fixed_minor=30,
            fee_basis_points=290,
            amounts={"USD": AmountLimits(50, 99_999_999)},
            max_concurrent=256,
            calls_per_s=100,
        ),
        paused=Pause(
            gateway="sandbox_a",
            reason="maintenance announced until 12:00",
            actor="key_0199a7c5a0f47d5a8f0e6b1c2d3e4f54 (night)",
            paused_at=datetime(2026, 11, 21, 9, 30, 0, 654321, tzinfo=UTC),
        ),
        live=Live(
            health=GatewayHealth(
                BreakerState.OPEN, 41.2, judged=19, approved=17, run=0.9, latency_p95_ms=306.0, score=0.4584
            ),
            breakers={
                "process": BreakerView(
                    BreakerState.OPEN, 41.2, calls=60, failure_rate=0.5, unknown_rate=0.05, opened=1
                ),
                STATUS: BreakerView(calls=4, failure_rate=0.0, unknown_rate=0.0),
            },
            recent=_figures,
            last_hour=_figures,
            calls_per_s=0.25,
        ),
    )
)
GATEWAYS = list_body([GATEWAY], None)
PAUSE = {"reason": "their maintenance window, until 04:00 UTC"}
PAUSED = paused_body("sandbox_a", paused=True, changed=True)
RESUMED = paused_body("sandbox_a", paused=False, changed=True)
