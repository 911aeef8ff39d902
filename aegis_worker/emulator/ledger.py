"""The gateway's books, in SQLite, and what time it is there."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .rows import Document
from .transaction import Transaction

_SCHEMA = Path(__file__).with_name("schema.sql")

# What ledgers lack that an older version began, by table and column.
_ADDED = {
    ("payments", "statement_descriptor"): "TEXT NOT NULL DEFAULT ''",
    ("payments", "client_secret"): "TEXT NOT NULL DEFAULT ''",
    ("payments", "given_script"): "TEXT NOT NULL DEFAULT ''",
    ("payments", "webhook_script"): "TEXT NOT NULL DEFAULT ''",
    ("payments", "demands_3ds"): "INTEGER NOT NULL DEFAULT 0",
    ("webhooks", "script"): "TEXT NOT NULL DEFAULT ''",
    ("operations", "status"): "TEXT NOT NULL DEFAULT 'succeeded'",
    ("operations", "due_at"): "REAL",
    ("operations", "due_error"): "TEXT NOT NULL DEFAULT ''",
}
_CLOCK = "clock"
_MOST_AHEAD_S = 400 * 86_400
_OPERATIONS_DUE = "CREATE INDEX IF NOT EXISTS operations_due ON operations (due_at) WHERE due_at IS NOT NULL"


class Ledger:
    """One connection behind one lock: transactions are a few short statements, so waiting is cheap.

    WAL with synchronous=NORMAL: a commit is in the operating system's hands and outlives a SIGKILL of this
    process, which is what the fault tests do to it. Only a power cut could lose the last commits.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA.read_text())
        for (table, column), kind in _ADDED.items():
            if column not in {row[1] for row in self._db.execute(f"PRAGMA table_info({table})")}:
                self._db.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
        self._db.execute(_OPERATIONS_DUE)
        with self.transaction() as tx:
            kept = tx.document(_CLOCK, _CLOCK)
        self._ahead_s: float = kept.body["ahead_s"] if kept else 0.0

    def now(self) -> float:
        """What time it is for this instance, in seconds since 1970."""
        return time.time() + self._ahead_s

    def advance(self, seconds: float) -> None:
        """So much later it is from now on, also after a restart. Raises ValueError for what lies before."""
        if not 0 <= seconds <= _MOST_AHEAD_S:
            raise ValueError(f"advance_s: expected 0 to {_MOST_AHEAD_S}")
        with self.transaction() as tx:
            self._ahead_s += seconds
            tx.put_document(Document(_CLOCK, _CLOCK, None, {"ahead_s": self._ahead_s}))

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """All or nothing, one at a time."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(self._db)
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Wait for the running transaction, then close."""
        # The lock is never released, so that a request that comes now waits for the end of the process instead of failing.
        self._lock.acquire()
        self._db.close()
