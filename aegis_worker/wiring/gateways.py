"""Loads gateways and routing from the installation's files, and builds the gates in front of the gateways."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from redis import Redis

from aegis_worker.domain.gateway_events import Told
from aegis_worker.domain.gateway_keys import parse_gateway_key
from aegis_worker.exchange.loaded import load_gateways
from aegis_worker.exchange.opening import OpensCard, no_vault
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.flows import Recall
from aegis_worker.persistence import told_rows
from aegis_worker.persistence.database import Database
from aegis_worker.resilience.gates import SharedGates, build_gates
from aegis_worker.routing.config import RoutingConfig, load_routing
from aegis_worker.settings import Settings


def configured_gateways(
    settings: Settings, database: Database | None = None, *, opens_card: OpensCard = no_vault
) -> dict[str, PaymentGateway]:
    """The gateways of gateways.toml, by name. Raises ConfigurationError.

    `database`: where to read what gateways without look-ups have told by themselves; None: none is asked about anything.
    `opens_card`: opens cards of the vault, for a process that charges.
    """
    path = settings.config_dir / "gateways.toml"
    if database is None:
        return load_gateways(path, ca_bundle=settings.ca_bundle)
    told = partial(told_to, database)
    return load_gateways(path, ca_bundle=settings.ca_bundle, told=told, opens_card=opens_card)


def told_to(database: Database, config: GatewayConfig) -> Callable[[Recall], Sequence[Told]]:
    """Reads what a gateway's account has told."""
    whose: dict[str, Any] = {"gateway": config.name, "account": config.account}

    def read(recall: Recall) -> Sequence[Told]:
        place = parse_gateway_key(recall.reference or "")
        with database.read() as connection:
            if recall.dispute_ref is not None:
                return told_rows.told_of_dispute(connection, **whose, dispute_ref=recall.dispute_ref)
            if place is not None:
                return told_rows.told_of_payment(connection, **whose, payment_id=place[0])
        return ()

    return read


def configured_routing(settings: Settings, gateways: Mapping[str, PaymentGateway]) -> RoutingConfig:
    """The configuration in routing.toml. Raises ConfigurationError, also for a gateway that isn't configured."""
    return load_routing(settings.config_dir / "routing.toml", gateways)


def close_gateways(gateways: Mapping[str, PaymentGateway]) -> None:
    """Close the gateways' connections."""
    for gateway in gateways.values():
        gateway.close_connections()


def calls_at_once(settings: Settings, gateways: Mapping[str, PaymentGateway]) -> int:
    """The most calls that one process makes at the same time.

    One of several gateways may take half of it (see `resilience.gate`), so it is doubled: each gets what one alone gets.
    """
    return settings.calls_in_flight if len(gateways) == 1 else 2 * settings.calls_in_flight


def gates_of(settings: Settings, redis: Redis, gateways: Mapping[str, PaymentGateway]) -> SharedGates:
    """The gates in front of these gateways, for one process."""
    return build_gates(redis, gateways, calls_in_flight=calls_at_once(settings, gateways))
