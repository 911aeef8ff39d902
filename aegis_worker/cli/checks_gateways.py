"""`aegis doctor`'s checks of the gateways: whether they take our calls and we their webhooks, and which get no payments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.gateways.kit.probing import Probed, Standing
from aegis_worker.gateways.registry import IN_PROCESS, offer_problems, package_of
from aegis_worker.queries.gateway_reports import GatewayReport
from aegis_worker.routing.book import RoutingTable
from aegis_worker.terminal.output import duration

from .checks import Check, fail, ok, warn

# Signatures of webhooks, keys and tokens have lifetimes of minutes.
_MOST_SKEW_S = 30.0
_LET_IT_TELL = "give its webhook_secret_env a value: without it a payment in doubt waits for a person"
_HEAR_IT = (
    "give its webhook_secret_env a value: without it all its events are refused, and what it changes later is only found"
    " by asking"
)
_SET_CLOCKS = "set this host's clock by NTP: signatures of webhooks, keys and tokens have lifetimes"
_GIVE_A_KEY = (
    "give its api_key_env a key of this account and of the table's mode, with the rights that its howto names"
)
_ASK_OTHERS = "payments go to the others; see its status page, this host's network, and base_url"


def answers(gateways: Sequence[PaymentGateway]) -> Iterator[Check]:
    """Whether each enabled gateway answers, takes our credentials, may tell us things, and has the time that we have.

    All are asked at the same time.
    """
    enabled = [gateway for gateway in gateways if gateway.config.enabled]
    if not enabled:
        yield fail("gateways", "none is enabled", "enable one in config/gateways.toml")
        return
    with ThreadPoolExecutor(len(enabled)) as pool:
        found = list(pool.map(lambda gateway: gateway.probe(), enabled))
    for gateway, probed in zip(enabled, found, strict=True):
        name = gateway.config.name
        yield standing(name, probed)
        if probed.clock_ahead_s is not None:
            yield clock(name, probed.clock_ahead_s)
        if gateway.config.adapter not in IN_PROCESS:
            yield hearing(gateway)
    if not any(probed.answered for probed in found):
        yield fail(
            "gateways", "none answers", "check this host's network; payments wait or fail until one answers"
        )


def standing(gateway: str, probed: Probed) -> Check:
    """Whether a gateway answers, and takes our credentials."""
    name, took = f"gateway {gateway}", f"after {probed.latency_ms} ms"
    match probed.standing:
        case Standing.TAKEN:
            return ok(name, f"takes our credentials, answered {took}")
        case Standing.REFUSED:
            return fail(name, f"refuses our credentials ({probed.detail})", _GIVE_A_KEY)
        case Standing.UNCLEAR:
            return warn(name, f"answered {probed.detail} {took}", _ASK_OTHERS)
        case Standing.SILENT:
            return warn(name, f"can't be reached: {probed.detail or 'no answer'}", _ASK_OTHERS)


def clock(gateway: str, ahead_s: float) -> Check:
    """Whether a gateway's clock, which is so far ahead of this host's, is near enough."""
    if abs(ahead_s) <= _MOST_SKEW_S:
        return ok(f"clock, {gateway}", f"agrees with this host within {_MOST_SKEW_S:g} s")
    where = "ahead of" if ahead_s > 0 else "behind"
    return warn(f"clock, {gateway}", f"{duration(abs(ahead_s))} {where} this host", _SET_CLOCKS)


def hearing(gateway: PaymentGateway) -> Check:
    """Whether a gateway may tell us anything: without a webhook secret each event is refused."""
    name = f"webhooks of {gateway.config.name}"
    if gateway.config.webhook_secrets:
        return ok(name, "their secret is set; see `aegis gateway-events list` for what came")
    if not gateway.capabilities.look_ups:
        return fail(name, "can't be asked, and no webhook secret lets it tell", _LET_IT_TELL)
    return warn(name, "no webhook secret", _HEAR_IT)


def installed(gateways: Sequence[PaymentGateway]) -> Iterator[Check]:
    """The adapters that other packages offer: which tables use them, and which can't be used."""
    for gateway in gateways:
        adapter = gateway.config.adapter
        if (package := package_of(adapter)) is not None:
            yield ok(f"adapter of {gateway.config.name}", f"{adapter}, of the installed package {package}")
    for offer, problem in offer_problems():
        advice = "no table can use it; payments of other gateways are not affected"
        yield warn(f"adapter {offer.name} of {offer.package}", problem, advice)


def breakers(reports: Sequence[GatewayReport]) -> Iterator[Check]:
    """Open circuit breakers, as far as Redis knows, and paused gateways. Disabled gateways are left out."""
    enabled = [report for report in reports if report.config.enabled]
    for report in enabled:
        name, seen = report.config.name, _open(report)
        if report.paused is not None:
            advice = f"it gets no new payments; `aegis gateways resume {name}` when its time is over"
            yield warn(f"pause of {name}", report.paused.reason, advice)
        if seen:
            advice = (
                "it is tried again by itself; `aegis gateways` says what failed, perhaps its status page why"
            )
            yield warn(f"breakers of {name}", seen, advice)
    if enabled and all(report.paused is not None or _charges_open(report) for report in enabled):
        advice = "payments wait: resume a gateway, or wait until one is tried again"
        yield fail("routing", "every gateway is paused or its breaker open", advice)
    elif all(report.live is not None and not _open(report) for report in enabled):
        yield ok("breakers", "none is open")


def routing_version(table: RoutingTable) -> Iterator[Check]:
    """Whether the routing configuration in force works with the gateways of this machine."""
    name = "routing version"
    if table.unusable is not None:
        advice = "give every worker the same config/gateways.toml and restart it, or put another with `aegis routing apply`"
        yield warn(name, table.unusable, advice)
    else:
        yield ok(name, "config/routing.toml" if table.source == "file" else f"{table.version} holds")


def _open(report: GatewayReport) -> str:
    """A gateway's open breakers in words. Empty if there are none, or if they are unknown."""
    views = report.live.breakers if report.live else {}
    return ", ".join(
        f"{operation} open, tried again in {duration(view.retry_in_s)}"
        for operation, view in sorted(views.items())
        if view.state is BreakerState.OPEN
    )


def _charges_open(report: GatewayReport) -> bool:
    return report.live is not None and report.live.health.state is BreakerState.OPEN
