"""Tells refusals of decisions in the options of `aegis resolve`, in place of the API's fields, and adds the next step."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from aegis_worker.errors import AegisError, InvalidState, NotFound, Refused, VersionConflict
from aegis_worker.review.case import KINDS

_OPTIONS = frozenset({*KINDS, "reason", "gateway", "gateway_ref", "attempt", "evidence", "force"})
_NAMED = re.compile(r"`([a-z_]+)`")


def in_options(text: str) -> str:
    """Turn "give `gateway_ref`" into "give --gateway-ref"."""
    return _NAMED.sub(lambda found: _option(found[1]) if found[1] in _OPTIONS else found[0], text)


@contextmanager
def refusals_in_options(payment_id: str) -> Iterator[None]:
    """Reword any refusal raised in the block: options in place of fields, and the next step."""
    try:
        yield
    except (Refused, VersionConflict) as error:
        error.args = (in_options(str(error)) + _next_step(error, payment_id),)
        raise


def _next_step(error: AegisError, payment_id: str) -> str:
    if isinstance(error, InvalidState):
        allowed = [_option(kind) for kind in error.more["allowed"]]
        if allowed:
            return f"; it takes {', '.join(allowed)}"
        return f"; `aegis explain {payment_id}` says what happens next"
    if isinstance(error, NotFound):
        return "; `aegis reviews` lists what waits for a decision"
    if isinstance(error, VersionConflict):
        return f"; look at it again (`aegis status {payment_id} --json`) and decide with its new --version"
    return ""


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
