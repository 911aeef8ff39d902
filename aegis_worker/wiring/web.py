"""The parts of a web process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from redis import Redis

from aegis_worker.celery import app as celery_app
from aegis_worker.chaos.tally import injected
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.hints import Hints
from aegis_worker.hooks.asking import NO_HOOKS, Hooks
from aegis_worker.persistence.database import Database
from aegis_worker.queries.gateway_reports import GatewayReport, report_gateways
from aegis_worker.queries.metrics_text import NO_SUMS, Sums
from aegis_worker.resilience.monitor import Monitor
from aegis_worker.routing.config import RoutingConfig
from aegis_worker.rules.rule import RulesConfig
from aegis_worker.sealing.ring import KeyRing
from aegis_worker.settings import Settings, load_settings
from aegis_worker.vault.vault import Vault

from .gateways import configured_gateways, configured_routing, gates_of
from .hooks import HookReport, hook_reports, hooks_of_the_api
from .metrics import broker_messages, sums
from .observed import observed
from .rules import configured_rules
from .stores import answers, reading_database, redis_client
from .vault import built_vault, refuse_unfit_vault


@dataclass(frozen=True, slots=True)
class Web:
    """The parts that the HTTP API works with.

    `gateways()` and `routing_file()` load theirs on the first call: that is after the fork, and few requests need them.
    `vault`: None where no card numbers are taken. `injected()`: how often injections of chaos plans struck, by id and kind.
    `hooks`: those that validate what merchants ask for; `hook_reports()`: all there are, loaded on the first call.
    `sums()`: what all processes counted; `broker()`: how many messages wait, by queue. `reading`: where analytics look, a
    replica if there is one, which may lag.
    """

    settings: Settings
    database: Database
    reading: Database
    hints: Hints
    redis_ready: Callable[[], bool]
    ring: KeyRing
    gateways: Callable[[], Mapping[str, PaymentGateway]] = dict
    routing_file: Callable[[], RoutingConfig] = RoutingConfig
    rules_file: Callable[[], RulesConfig] = RulesConfig
    gateway_reports: Callable[[], Sequence[GatewayReport]] = tuple
    vault: Vault | None = None
    injected: Callable[[], Mapping[tuple[str, str], int]] = dict
    sums: Callable[[], Sums] = lambda: NO_SUMS
    broker: Callable[[], Mapping[str, int] | None] = lambda: None
    hooks: Hooks = NO_HOOKS
    hook_reports: Callable[[], Sequence[HookReport]] = tuple


def build_web(settings: Settings | None = None) -> Web:
    """Build the parts of one web process, by default from its environment. Raises ConfigurationError."""
    settings = observed(settings or load_settings())
    redis = redis_client(settings)
    database = Database.connect(settings, application="web")
    vault = built_vault(settings)
    refuse_unfit_vault(vault, redis)
    gateways = cache(lambda: configured_gateways(settings, database))
    hooks = hooks_of_the_api(settings, redis)  # now, and not at the first request, which would wait for it
    return Web(
        settings=settings,
        database=database,
        reading=reading_database(settings, database),
        hints=Hints(celery_app, redis),
        redis_ready=lambda: answers(redis),
        ring=KeyRing(settings.sealing_keys),
        gateways=gateways,
        gateway_reports=_gateway_reports(settings, database, redis, gateways),
        routing_file=cache(lambda: configured_routing(settings, gateways())),
        rules_file=cache(lambda: configured_rules(settings)),
        vault=vault,
        injected=lambda: injected(redis),
        sums=lambda: sums(redis, gateways()),
        broker=lambda: broker_messages(redis),
        hooks=hooks,
        hook_reports=hook_reports(settings, redis),
    )


def _gateway_reports(
    settings: Settings,
    database: Database,
    redis: Redis,
    gateways: Callable[[], Mapping[str, PaymentGateway]],
) -> Callable[[], Sequence[GatewayReport]]:
    @cache
    def monitor() -> Monitor:
        return Monitor(redis, gates_of(settings, redis, gateways()), gateways())

    return lambda: report_gateways(database, gateways(), monitor())
