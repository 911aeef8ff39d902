"""Settings, read once from the environment. Names carry their units; config/aegis.env.example explains each."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal, cast

from environs import Env, EnvError

from aegis_worker.errors import ConfigurationError

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

# 10 s … 12 h, then daily until 7 days have passed; after the last step a person is asked.
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

# Of one gateway in one process. Calls in flight = payments a second × seconds that a call takes (Little): 512 of them, in
# two processes, are what 2 cores can decide and write where a gateway answers in 100 ms or more. A thread that waits costs
# some ten kilobytes. A claim of half of them: one half is decided and written while the other is called.
CALL_THREADS, BATCH = 256, 128

# After which a person's decision takes effect that no gateway confirms or contradicts: an outage of a day is rare.
DECISION_WAIT_S = float(_DAY)
_LONGEST_DECISION_WAIT_S = 30.0 * _DAY

# Seconds after a charge was refused, or found to be absent, at which the gateway is asked about it again.
RECHECK_LADDER_S = (15 * _MINUTE, _HOUR, 6 * _HOUR, _DAY, 3 * _DAY)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that may differ between installations. Secrets stay out of `repr`."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    secret: str = field(repr=False)
    environment: str
    config_dir: Path
    log_level: str
    sentry_dsn: str = field(repr=False)
    metrics_token: str = field(repr=False)
    lease_s: float
    batch: int
    call_threads: int
    run_limit_s: float
    poison_cap: int
    max_attempts: int
    route_wait_s: float
    verify_ladder_s: tuple[float, ...]
    late_charge_policy: Literal["void", "refund", "hold"]
    recheck_ladder_s: tuple[float, ...]
    decision_wait_s: float
    routing_hooks: tuple[str, ...]
    pool_size: int
    statement_timeout_s: float
    max_body_bytes: int
    outbox_lease_s: float
    webhook_timeout_s: float
    webhook_max_tries: int
    webhook_allow_private: bool
    stream_maxlen: int
    idempotency_keep_h: int
    webhook_keep_delivered_d: int
    webhook_keep_dead_d: int
    audit_batch: int
    audit_budget_s: float
    audit_overdue_s: float
    audit_undelivered_s: float

    @property
    def is_production(self) -> bool:
        """Production refuses development conveniences."""
        return self.environment == "production"


def load_settings() -> Settings:
    """Settings from the process's environment. Raises ConfigurationError naming the variable that is wrong."""
    env = Env()
    try:
        settings = Settings(
            database_url=_psycopg2(env.str("DATABASE_URL")),
            redis_url=env.str("REDIS_URL"),
            secret=env.str("AEGIS_SECRET"),
            environment=env.str("AEGIS_ENV", "development"),
            config_dir=Path(env.str("AEGIS_CONFIG_DIR", str(default_config_dir()))),
            log_level=env.str("AEGIS_LOG_LEVEL", "INFO").upper(),
            sentry_dsn=env.str("SENTRY_DSN", ""),
            metrics_token=env.str("AEGIS_METRICS_TOKEN", ""),
            lease_s=env.float("AEGIS_LEASE_S", 90.0),
            batch=env.int("AEGIS_BATCH", BATCH),
            call_threads=env.int("AEGIS_CALL_THREADS", CALL_THREADS),
            run_limit_s=env.float("AEGIS_RUN_LIMIT_S", 10.0),
            poison_cap=env.int("AEGIS_POISON_CAP", 5),
            max_attempts=env.int("AEGIS_MAX_ATTEMPTS", 3),
            route_wait_s=env.float("AEGIS_ROUTE_WAIT_S", 300.0),
            verify_ladder_s=tuple(env.list("AEGIS_VERIFY_LADDER_S", list(VERIFY_LADDER_S), subcast=float)),
            late_charge_policy=_late_charge_policy(env.str("AEGIS_LATE_CHARGE_POLICY", "refund")),
            recheck_ladder_s=tuple(env.list("AEGIS_RECHECK_LADDER_S", list(RECHECK_LADDER_S), subcast=float)),
            decision_wait_s=env.float("AEGIS_DECISION_WAIT_S", DECISION_WAIT_S),
            routing_hooks=tuple(env.list("AEGIS_ROUTING_HOOKS", [])),
            pool_size=env.int("AEGIS_POOL_SIZE", 5),
            statement_timeout_s=env.float("AEGIS_STATEMENT_TIMEOUT_S", 10.0),
            max_body_bytes=env.int("AEGIS_MAX_BODY_BYTES", 65_536),
            outbox_lease_s=env.float("AEGIS_OUTBOX_LEASE_S", 60.0),
            webhook_timeout_s=env.float("AEGIS_WEBHOOK_TIMEOUT_S", 5.0),
            webhook_max_tries=env.int("AEGIS_WEBHOOK_MAX_TRIES", 10),
            webhook_allow_private=env.bool("AEGIS_WEBHOOK_ALLOW_PRIVATE", False),
            stream_maxlen=env.int("AEGIS_STREAM_MAXLEN", 100_000),
            idempotency_keep_h=env.int("AEGIS_IDEMPOTENCY_KEEP_H", 72),
            webhook_keep_delivered_d=env.int("AEGIS_WEBHOOK_KEEP_DELIVERED_D", 30),
            webhook_keep_dead_d=env.int("AEGIS_WEBHOOK_KEEP_DEAD_D", 90),
            audit_batch=env.int("AEGIS_AUDIT_BATCH", 500),
            audit_budget_s=env.float("AEGIS_AUDIT_BUDGET_S", 5.0),
            audit_overdue_s=env.float("AEGIS_AUDIT_OVERDUE_S", 900.0),
            audit_undelivered_s=env.float("AEGIS_AUDIT_UNDELIVERED_S", 21_600.0),
        )
    except EnvError as error:
        raise ConfigurationError(
            f"{error}; see config/aegis.env.example, or start everything with `aegis up`"
        ) from error
    _check(settings)
    return settings


def default_config_dir() -> Path:
    """`config/` of the checkout, or of the current folder for an installed package."""
    beside_package = Path(__file__).resolve().parent.parent / "config"
    return beside_package if beside_package.is_dir() else Path.cwd() / "config"


def _check(settings: Settings) -> None:
    if len(settings.secret) < 32:
        raise ConfigurationError(
            "AEGIS_SECRET must be at least 32 characters: it keys request HMACs and webhook secrets"
        )
    if 0 < len(settings.metrics_token) < 16:
        raise ConfigurationError("AEGIS_METRICS_TOKEN must be at least 16 characters, or not set")
    if settings.environment not in ("development", "test", "staging", "production"):
        raise ConfigurationError("AEGIS_ENV must be development, test, staging or production")
    for name in (
        "batch",
        "call_threads",
        "poison_cap",
        "max_attempts",
        "pool_size",
        "max_body_bytes",
        "idempotency_keep_h",
        "webhook_keep_delivered_d",
        "webhook_keep_dead_d",
        "audit_batch",
        "audit_budget_s",
        "audit_overdue_s",
        "audit_undelivered_s",
    ):
        if getattr(settings, name) < 1:
            raise ConfigurationError(f"AEGIS_{name.upper()} must be at least 1")
    if not settings.verify_ladder_s or min(settings.verify_ladder_s) <= 0:
        raise ConfigurationError("AEGIS_VERIFY_LADDER_S must be a list of positive seconds, such as 10,30,60")
    if not 1 <= settings.decision_wait_s <= _LONGEST_DECISION_WAIT_S:
        raise ConfigurationError("AEGIS_DECISION_WAIT_S must be 1 to 2592000 seconds (30 days)")
    ladder = settings.recheck_ladder_s
    if not ladder or ladder[0] <= 0 or any(later <= earlier for earlier, later in pairwise(ladder)):
        raise ConfigurationError(
            "AEGIS_RECHECK_LADDER_S must be a list of rising seconds, such as 900,3600,21600"
        )


def _late_charge_policy(value: str) -> Literal["void", "refund", "hold"]:
    if value not in ("void", "refund", "hold"):
        raise ConfigurationError("AEGIS_LATE_CHARGE_POLICY must be void, refund or hold")
    return cast('Literal["void", "refund", "hold"]', value)


def _psycopg2(url: str) -> str:
    # SQLAlchemy 2.1 reads a plain postgresql:// as psycopg 3.
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg2://" + url.removeprefix(prefix)
    return url
