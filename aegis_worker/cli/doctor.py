"""`aegis doctor`: check the whole installation and say what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import partial

import click
from redis import RedisError
from sqlalchemy import Connection

from aegis_worker.errors import ConfigurationError, DatabaseUnavailable, DatabaseUnusable
from aegis_worker.hints import NoHints
from aegis_worker.observability.logs import configure_logs
from aegis_worker.persistence.compatibility import fit
from aegis_worker.queries.gateway_reports import report_gateways
from aegis_worker.redis_rights import is_refusal
from aegis_worker.rules.book import RulesBook
from aegis_worker.sealing.ring import KeyRing
from aegis_worker.settings import load_settings
from aegis_worker.terminal.output import examples, json_option, print_json, print_table
from aegis_worker.wiring.chaos import chaos_plan
from aegis_worker.wiring.installation import unread_variables
from aegis_worker.wiring.rules import configured_rules
from aegis_worker.wiring.worker import Worker, build_worker

from . import (
    checks_beat,
    checks_database,
    checks_disputes,
    checks_gateways,
    checks_hooks,
    checks_people,
    checks_redis,
    checks_rules,
    checks_sealing,
    checks_told,
    checks_unverified,
    checks_vault,
    checks_watchers,
)
from .checks import Check, fail, guarded, ok, warn

_DATABASE_ADVICE = "start PostgreSQL, or correct DATABASE_URL: without it nothing is accepted"
_UNUSABLE_ADVICE = "have an administrator of PostgreSQL do what it says: until then nothing is accepted"
_REDIS_ADVICE = "start Redis, or correct REDIS_URL; until then `aegis relay` works on what is accepted"
_CHAOS_ADVICE = "take AEGIS_CHAOS away from workers when the trial is over"
_BROKEN_CHECK = "this check itself could not be made; see the message"


@click.command(
    name="doctor",
    epilog=examples(
        """
        aegis doctor
        aegis doctor --json    for a monitor: exit code 1 when a check fails
        """
    ),
)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Check the installation and say what to do. Changes nothing.

    Exits with 1 when a check fails; warnings leave it at 0.
    """
    checks = list(_all_checks())
    failed = sum(check.verdict == "fail" for check in checks)
    warned = sum(check.verdict == "warn" for check in checks)
    if as_json:
        print_json(
            {
                "ok": not failed,
                "failed": failed,
                "warned": warned,
                "checks": [asdict(check) for check in checks],
            }
        )
    else:
        rows = [(check.verdict, check.name, check.seen, check.advice) for check in checks]
        print_table(f"{failed} failed, {warned} warned", ("", "what", "seen", "what to do"), rows)
    ctx.exit(1 if failed else 0)


def _all_checks() -> Iterator[Check]:
    configure_logs("ERROR")
    try:
        settings = load_settings()
    except ConfigurationError as error:
        yield fail(
            "settings", str(error), "correct the environment; config/aegis.env.example explains each variable"
        )
        return
    yield ok("settings", f"environment {settings.environment}")
    try:
        for line in unread_variables(settings):
            yield warn("settings", line, "correct its name, or take it away")
        if (plan := chaos_plan(settings)) is not None:
            yield warn(
                "chaos", f"{settings.chaos} breaks {len(plan.injections)} things on purpose", _CHAOS_ADVICE
            )
        # Building the parts opens no connection; it checks that the settings and the gateways fit together.
        parts = build_worker(settings, hints=NoHints())
    except ConfigurationError as error:
        yield fail(
            "configuration",
            "; ".join(str(error).splitlines()),
            "correct the file that it names, or the variables that gateways.toml names",
        )
        return
    try:
        yield from _database_checks(parts)
        yield from _redis_checks(parts)
        yield from guarded("vault", _BROKEN_CHECK, lambda: checks_vault.vault(parts.vault, parts.redis))
        yield from checks_vault.takers(parts.vault is not None, list(parts.gateways.values()))
        yield from checks_gateways.installed(list(parts.gateways.values()))
        yield from checks_gateways.answers(list(parts.gateways.values()))
        yield from guarded("watchers", _BROKEN_CHECK, lambda: checks_watchers.watchers(settings.observation))
        yield from guarded("hooks", _BROKEN_CHECK, lambda: checks_hooks.hooks(parts.settings, parts.redis))
    finally:
        parts.close()


def _database_checks(parts: Worker) -> Iterator[Check]:
    try:
        with parts.database.read() as connection:
            works = fit(connection).works
    except DatabaseUnusable as error:
        yield fail("PostgreSQL", str(error), _UNUSABLE_ADVICE)
        yield from guarded("rights", _BROKEN_CHECK, partial(_look, parts, checks_database.rights))
        return
    except DatabaseUnavailable as error:
        yield fail("PostgreSQL", str(error), _DATABASE_ADVICE)
        return
    of_any: dict[str, Callable[[Connection], Iterable[Check]]] = {
        "PostgreSQL": partial(checks_database.server, settings=parts.settings),
        "schema": checks_database.schema,
        "clock, PostgreSQL": checks_database.clock,
        "PostgreSQL's log": checks_database.log_of_requests,
    }
    of_ours: dict[str, Callable[[Connection], Iterable[Check]]] = {
        "rights": checks_database.rights,
        "due jobs": checks_database.due_jobs,
        "reviews": checks_database.open_jobs,
        "disputes": checks_disputes.disputes,
        "people": partial(checks_people.people, two_person_above=parts.settings.console.two_person_above),
        "outbox": checks_database.outbox,
        "webhooks": checks_database.webhooks,
        "gateways' webhooks": checks_unverified.unverified,
        "gateways' events": checks_told.told,
        "sealing keys": partial(checks_sealing.key_ring, ring=KeyRing(parts.settings.sealing_keys)),
    }
    for name, look in (of_any | (of_ours if works else {})).items():
        yield from guarded(name, _BROKEN_CHECK, partial(_look, parts, look))
    if works:
        yield from guarded("beat", _BROKEN_CHECK, lambda: checks_beat.beat(parts.database, parts.redis))
        yield from guarded("breakers", _BROKEN_CHECK, lambda: _breaker_checks(parts))
        yield from guarded(
            "routing version",
            _BROKEN_CHECK,
            lambda: checks_gateways.routing_version(parts.pipeline.routing()),
        )
        yield from guarded("rules", _BROKEN_CHECK, lambda: _rules_checks(parts))


def _look(parts: Worker, look: Callable[[Connection], Iterable[Check]]) -> list[Check]:
    # One connection for each check, because a failed statement would abort the transaction of the next check.
    with parts.database.read() as connection:
        return list(look(connection))


def _breaker_checks(parts: Worker) -> Iterable[Check]:
    return checks_gateways.breakers(report_gateways(parts.database, parts.gateways, parts.monitor))


def _rules_checks(parts: Worker) -> Iterable[Check]:
    book = RulesBook(parts.database, configured_rules(parts.settings))
    return checks_rules.rules_version(book.current())


def _redis_checks(parts: Worker) -> Iterator[Check]:
    try:
        parts.redis.ping()
    except RedisError as error:
        if not is_refusal(error):  # a refusal is an answer, and the rights are checked next
            yield fail("Redis", f"{type(error).__name__}: {error}", _REDIS_ADVICE)
            return
    looks: dict[str, Callable[[], Iterable[Check]]] = {
        "Redis rights": lambda: checks_redis.rights(parts.redis),
        "Redis": lambda: checks_redis.server(parts.redis),
        "clock, Redis": lambda: checks_redis.clock(parts.redis),
        "queues": lambda: checks_redis.queues(parts.redis),
        "workers": lambda: checks_redis.workers(),
    }
    for name, look in looks.items():
        yield from guarded(name, _BROKEN_CHECK, partial(checks_redis.as_far_as_allowed, look))
