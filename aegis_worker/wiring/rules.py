"""The rules that screen payments, with their counters in Redis."""

from __future__ import annotations

from redis import Redis

from aegis_worker.persistence.database import Database
from aegis_worker.rules.book import RulesBook
from aegis_worker.rules.config import load_rules
from aegis_worker.rules.counters import SharedCounters
from aegis_worker.rules.rule import RulesConfig
from aegis_worker.rules.screen import Screener
from aegis_worker.rules.velocity import Disguise
from aegis_worker.settings import Settings


def configured_rules(settings: Settings) -> RulesConfig:
    """The rules in rules.toml. Raises ConfigurationError, with file and line."""
    return load_rules(settings.config_dir / "rules.toml")


def built_rules(settings: Settings, database: Database, redis: Redis) -> Screener:
    """The rules of one worker process. Raises ConfigurationError."""
    book = RulesBook(database, configured_rules(settings))
    return Screener(book.config, SharedCounters(redis), Disguise(settings.secret))
