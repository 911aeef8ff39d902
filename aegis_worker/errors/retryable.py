"""Nothing was half-done: the same call may be made again."""

from __future__ import annotations

from .tree import Retryable


class VersionConflict(Retryable):
    """The payment moved since it was read: load it again and decide again."""

    code = "version_conflict"

    def __init__(self, payment_ids: list[str]) -> None:
        super().__init__(
            f"{len(payment_ids)} payment(s) moved since they were read: {', '.join(payment_ids[:5])}"
        )
        self.payment_ids = payment_ids


class DatabaseUnavailable(Retryable):
    """PostgreSQL can't be reached, is read-only, or the pool is exhausted; nothing was committed."""

    code = "database_unavailable"


class DatabaseUnusable(DatabaseUnavailable):
    """PostgreSQL answers, and its role, schema or address doesn't let us work; the message says what an operator changes.

    For whoever called nothing was done, and the same call may be made again once that is changed.
    """


class LockTimeout(DatabaseUnavailable):
    """Another transaction held a row or a table for longer than the lock timeout; nothing was committed."""


class IdempotencyInProgress(Retryable):
    """A request with the same key is still being accepted; ask again for its answer."""

    code = "idempotency_in_progress"


class VaultUnavailable(Retryable):
    """A store of the card vault can't be reached, or is one that the vault must not use; nothing was kept or sent."""

    code = "vault_unavailable"


class HookFailed(Retryable):
    """A hook that must be asked gave no answer, and its failure policy is closed; nothing was written.

    The message names the hook and says why, for the operator's log.
    """

    code = "hook_failed"


class TooBusy(Retryable):
    """So many requests of this kind are under way that one more could keep others waiting; nothing was done."""

    code = "too_busy"


class JobBusy(Retryable):
    """The payment's job is just changing hands."""

    code = "job_open"
