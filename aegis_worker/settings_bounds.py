"""What settings are where nothing is said, as far as a reason belongs to it, and between which values they may be."""

from __future__ import annotations

from collections.abc import Mapping

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

# Seconds between two questions to a gateway about a payment in doubt: 10 s to 12 h, then daily until 7 days have passed.
# After the last step a person is asked.
VERIFY_LADDER_S = (
    10,
    30,
    _MINUTE,
    2 * _MINUTE,
    5 * _MINUTE,
    10 * _MINUTE,
    30 * _MINUTE,
    _HOUR,
    3 * _HOUR,
    6 * _HOUR,
    12 * _HOUR,
    *(6 * (_DAY,)),
)

# Calls that one process may have in flight at one gateway. Calls in flight = payments a second × seconds that a call takes
# (Little's law): one process with 1,024 takes 2,000 a second where a gateway answers in half a second. A claim takes fewer
# jobs, so that some are decided and written while others are being called.
CALLS_IN_FLIGHT, BATCH = 1024, 128

# A person's decision that no gateway confirms or contradicts takes effect after this: outages of more than a day are rare.
DECISION_WAIT_S = float(_DAY)

# Seconds after a charge was refused, or found to be absent, at which the gateway is asked about it again.
RECHECK_LADDER_S = (15 * _MINUTE, _HOUR, 6 * _HOUR, _DAY, 3 * _DAY)

# The smallest and the largest value that is allowed for each number.
BOUNDS: Mapping[str, tuple[float, float]] = {
    "lease_s": (1, _DAY),
    "batch": (1, 10_000),
    "calls_in_flight": (1, 10_000),
    "run_limit_s": (0.1, 60),
    "poison_cap": (1, 1000),
    "max_attempts": (1, 100),
    "route_wait_s": (0, 7 * _DAY),
    "pool_size": (1, 1000),
    "statement_timeout_s": (0.1, _HOUR),
    "max_body_bytes": (1, 64 << 20),
    "outbox_lease_s": (1, _DAY),
    "webhook_timeout_s": (0.1, 60),
    "webhook_max_tries": (1, 1000),
    "stream_maxlen": (1, 10**9),
    "idempotency_keep_h": (1, 10 * 365 * 24),
    "webhook_keep_delivered_d": (1, 10 * 365),
    "webhook_keep_dead_d": (1, 10 * 365),
    "payer_keep_d": (1, 10 * 365),
    "exchange_keep_d": (0, 10 * 365),
    "audit_batch": (1, 5000),
    "audit_budget_s": (1, _HOUR),
    "audit_overdue_s": (1, 30 * _DAY),
    "audit_undelivered_s": (1, 30 * _DAY),
    "decision_wait_s": (1, 30 * _DAY),
    "payer_wait_s": (1, 30 * _DAY),
    "release_holds_before_s": (0, 30 * _DAY),
    "console_idle_s": (60, _DAY),
    "console_session_s": (300, 30 * _DAY),
    "approval_wait_s": (60, 30 * _DAY),
}
MOST_RUNGS, LONGEST_RUNG_S = 100, 30 * _DAY
