"""Settings, read once from the environment. Names carry their units; config/aegis.env.example explains each."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal, cast

from environs import Env, EnvError

from aegis_worker.console_settings import ConsoleSettings, load_console_settings
from aegis_worker.errors import ConfigurationError
from aegis_worker.observation_settings import ObservationSettings, load_observation_settings
from aegis_worker.pem_files import trusted
from aegis_worker.sealing.keys import SealingKey, sealing_keys
from aegis_worker.settings_bounds import (
    BATCH,
    BOUNDS,
    CALLS_IN_FLIGHT,
    DECISION_WAIT_S,
    LONGEST_RUNG_S,
    MOST_RUNGS,
    RECHECK_LADDER_S,
    VERIFY_LADDER_S,
)
from aegis_worker.store_urls import checked_database_url, checked_redis_url
from aegis_worker.vault_settings import VaultSettings, load_vault_settings

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_DSN = re.compile(r"https?://[!-?A-~]+@[!-?A-~]+/\d+")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that may differ between installations. Secrets stay out of `repr`."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    secret: str = field(repr=False)
    sealing_keys: tuple[SealingKey, ...] = field(repr=False)
    vault: VaultSettings | None
    observation: ObservationSettings
    environment: str
    config_dir: Path
    log_level: str
    sentry_dsn: str = field(repr=False)
    metrics_token: str = field(repr=False)
    lease_s: float
    batch: int
    calls_in_flight: int
    run_limit_s: float
    poison_cap: int
    max_attempts: int
    route_wait_s: float
    verify_ladder_s: tuple[float, ...]
    late_charge_policy: Literal["void", "refund", "hold"]
    recheck_ladder_s: tuple[float, ...]
    payer_wait_s: float
    release_holds_before_s: float
    decision_wait_s: float
    hooks: tuple[str, ...]
    pool_size: int
    statement_timeout_s: float
    max_body_bytes: int
    outbox_lease_s: float
    webhook_timeout_s: float
    webhook_max_tries: int
    webhook_allow_private: bool
    ca_bundle: Path | None
    stream_maxlen: int
    idempotency_keep_h: int
    webhook_keep_delivered_d: int
    webhook_keep_dead_d: int
    payer_keep_d: int
    exchange_keep_d: int
    projections: bool
    read_database_url: str | None = field(repr=False)
    audit_batch: int
    audit_budget_s: float
    audit_overdue_s: float
    audit_undelivered_s: float
    console: ConsoleSettings
    console_idle_s: float
    console_session_s: float
    approval_wait_s: float
    chaos: Path | None
    chaos_allow_production: bool
    chaos_sha256: str

    @property
    def is_production(self) -> bool:
        """Production refuses development conveniences."""
        return self.environment == "production"


def load_settings() -> Settings:
    """Settings from the process's environment. Raises ConfigurationError naming the variable that is wrong."""
    env = Env()
    try:
        database_url = checked_database_url(env.str("DATABASE_URL"), os.environ)
        redis_url = checked_redis_url(env.str("REDIS_URL"))
        settings = Settings(
            database_url=database_url,
            redis_url=redis_url,
            vault=load_vault_settings(os.environ, database_url=database_url, redis_url=redis_url),
            observation=load_observation_settings(os.environ),
            secret=env.str("AEGIS_SECRET"),
            sealing_keys=sealing_keys(env.str("AEGIS_SEALING_KEYS", ""), env.str("AEGIS_SECRET")),
            environment=env.str("AEGIS_ENV", "development"),
            config_dir=Path(env.str("AEGIS_CONFIG_DIR", str(default_config_dir()))),
            log_level=env.str("AEGIS_LOG_LEVEL", "INFO").upper(),
            sentry_dsn=env.str("SENTRY_DSN", ""),
            metrics_token=env.str("AEGIS_METRICS_TOKEN", ""),
            lease_s=env.float("AEGIS_LEASE_S", 90.0),
            batch=env.int("AEGIS_BATCH", BATCH),
            calls_in_flight=env.int("AEGIS_CALLS_IN_FLIGHT", CALLS_IN_FLIGHT),
            run_limit_s=env.float("AEGIS_RUN_LIMIT_S", 10.0),
            poison_cap=env.int("AEGIS_POISON_CAP", 5),
            max_attempts=env.int("AEGIS_MAX_ATTEMPTS", 3),
            route_wait_s=env.float("AEGIS_ROUTE_WAIT_S", 300.0),
            verify_ladder_s=tuple(env.list("AEGIS_VERIFY_LADDER_S", list(VERIFY_LADDER_S), subcast=float)),
            late_charge_policy=_late_charge_policy(env.str("AEGIS_LATE_CHARGE_POLICY", "refund")),
            recheck_ladder_s=tuple(env.list("AEGIS_RECHECK_LADDER_S", list(RECHECK_LADDER_S), subcast=float)),
            release_holds_before_s=env.float("AEGIS_RELEASE_HOLDS_BEFORE_S", 0.0),
            payer_wait_s=env.float("AEGIS_PAYER_WAIT_S", 3600.0),
            decision_wait_s=env.float("AEGIS_DECISION_WAIT_S", DECISION_WAIT_S),
            hooks=_hooks(env.list("AEGIS_HOOKS", [])),
            pool_size=env.int("AEGIS_POOL_SIZE", 5),
            statement_timeout_s=env.float("AEGIS_STATEMENT_TIMEOUT_S", 10.0),
            max_body_bytes=env.int("AEGIS_MAX_BODY_BYTES", 65_536),
            outbox_lease_s=env.float("AEGIS_OUTBOX_LEASE_S", 60.0),
            webhook_timeout_s=env.float("AEGIS_WEBHOOK_TIMEOUT_S", 5.0),
            webhook_max_tries=env.int("AEGIS_WEBHOOK_MAX_TRIES", 10),
            webhook_allow_private=env.bool("AEGIS_WEBHOOK_ALLOW_PRIVATE", False),
            ca_bundle=_ca_bundle(env.str("AEGIS_CA_BUNDLE", "")),
            stream_maxlen=env.int("AEGIS_STREAM_MAXLEN", 100_000),
            idempotency_keep_h=env.int("AEGIS_IDEMPOTENCY_KEEP_H", 72),
            webhook_keep_delivered_d=env.int("AEGIS_WEBHOOK_KEEP_DELIVERED_D", 30),
            webhook_keep_dead_d=env.int("AEGIS_WEBHOOK_KEEP_DEAD_D", 90),
            payer_keep_d=env.int("AEGIS_PAYER_KEEP_D", 30),
            exchange_keep_d=env.int("AEGIS_EXCHANGE_KEEP_D", 30),
            projections=env.bool("AEGIS_PROJECTIONS", True),
            read_database_url=_of_a_replica(env.str("AEGIS_READ_DATABASE_URL", "")),
            audit_batch=env.int("AEGIS_AUDIT_BATCH", 500),
            audit_budget_s=env.float("AEGIS_AUDIT_BUDGET_S", 5.0),
            audit_overdue_s=env.float("AEGIS_AUDIT_OVERDUE_S", 900.0),
            audit_undelivered_s=env.float("AEGIS_AUDIT_UNDELIVERED_S", 21_600.0),
            console=load_console_settings(os.environ, env.str("AEGIS_ENV", "development")),
            console_idle_s=env.float("AEGIS_CONSOLE_IDLE_S", 1800.0),
            console_session_s=env.float("AEGIS_CONSOLE_SESSION_S", 43_200.0),
            approval_wait_s=env.float("AEGIS_APPROVAL_WAIT_S", 86_400.0),
            chaos=Path(chaos) if (chaos := env.str("AEGIS_CHAOS", "")) else None,
            chaos_allow_production=env.bool("AEGIS_CHAOS_ALLOW_PRODUCTION", False),
            chaos_sha256=env.str("AEGIS_CHAOS_SHA256", ""),
        )
    except EnvError as error:
        raise ConfigurationError(
            f"{error}; see config/aegis.env.example, or start everything with `aegis up`"
        ) from error
    _check(settings)
    return settings


def _of_a_replica(url: str) -> str | None:
    return checked_database_url(url, os.environ) if url else None


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
    if settings.sentry_dsn and not _DSN.fullmatch(settings.sentry_dsn):
        raise ConfigurationError(
            "SENTRY_DSN is no DSN such as https://key@host/1: correct it, or leave it empty"
        )
    if settings.environment not in ("development", "test", "staging", "production"):
        raise ConfigurationError("AEGIS_ENV must be development, test, staging or production")
    if settings.log_level not in _LOG_LEVELS:
        raise ConfigurationError(f"AEGIS_LOG_LEVEL must be one of {', '.join(_LOG_LEVELS)}")
    for name, (least, most) in BOUNDS.items():
        value = getattr(settings, name)
        if not value >= least:  # not `value < least`, which lets NaN pass
            raise ConfigurationError(f"AEGIS_{name.upper()} must be at least {least:g}")
        if value > most:
            raise ConfigurationError(f"AEGIS_{name.upper()} must be at most {most:.0f}")
    for name in ("verify_ladder_s", "recheck_ladder_s"):
        ladder = getattr(settings, name)
        if not 1 <= len(ladder) <= MOST_RUNGS or not all(0 < rung <= LONGEST_RUNG_S for rung in ladder):
            raise ConfigurationError(
                f"AEGIS_{name.upper()} must be a list of positive seconds, such as 10,30,60: at most {MOST_RUNGS}, none "
                f"above {LONGEST_RUNG_S}"
            )
    if any(later <= earlier for earlier, later in pairwise(settings.recheck_ladder_s)):
        raise ConfigurationError(
            "AEGIS_RECHECK_LADDER_S must be a list of rising seconds, such as 900,3600,21600"
        )


def _ca_bundle(path: str) -> Path | None:
    return trusted("AEGIS_CA_BUNDLE", Path(path)) if path else None


def _hooks(named: list[str]) -> tuple[str, ...]:
    if os.environ.get("AEGIS_ROUTING_HOOKS"):
        raise ConfigurationError(
            "AEGIS_ROUTING_HOOKS is not read any more: write AEGIS_HOOKS=module:function, and mark the function with "
            '@hookimpl(specname="route") (docs/howto/write-a-hook.md)'
        )
    return tuple(path.strip() for path in named if path.strip())


def _late_charge_policy(value: str) -> Literal["void", "refund", "hold"]:
    if value not in ("void", "refund", "hold"):
        raise ConfigurationError("AEGIS_LATE_CHARGE_POLICY must be void, refund or hold")
    return cast('Literal["void", "refund", "hold"]', value)
