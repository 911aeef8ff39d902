"""Readable, time-ordered ids: a prefix and a UUIDv7 in hex (`pay_0199…`)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from uuid_utils import uuid7

(
    PAYMENT,
    JOB,
    ENDPOINT,
    DELIVERY,
    RECONCILIATION,
    API_KEY,
    REQUEST,
    INCIDENT,
    DECISION,
    EVENT_BODY,
    CAPTURE,
    REFUND,
    VOID,
    DISPUTE,
    CARD,
    USER,
    SESSION,
    APPROVAL,
) = (
    "pay",
    "job",
    "whe",
    "whd",
    "rec",
    "key",
    "req",
    "inc",
    "dec",
    "geb",
    "cap",
    "ref",
    "voi",
    "dsp",
    "card",
    "usr",
    "ses",
    "apr",
)

# By what is ordered of a payment, `domain.entities.EntityKind`.
PREFIX_OF: Mapping[str, str] = {"capture": CAPTURE, "void": VOID, "refund": REFUND}

_HEX_ID, _SEQ = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9]{1,6}")


def new_id(prefix: str) -> str:
    """A new id; ids made later sort after ids made earlier, to the millisecond."""
    return f"{prefix}_{uuid7().hex}"


def derived_id(prefix: str, at_ms: int, *of: str) -> str:
    """An id like those of `new_id`, made at `at_ms` since 1970 and otherwise derived: the same facts give the same id."""
    tail = hashlib.sha256("\n".join(of).encode()).hexdigest()
    return f"{prefix}_{at_ms:012x}7{tail[:3]}8{tail[3:18]}"


def first_id_at(prefix: str, moment: datetime) -> str:
    """The smallest id that could have been made at `moment`: a UUIDv7 begins with 48 bits of milliseconds (RFC 9562)."""
    return f"{prefix}_{max(0, int(moment.timestamp() * 1000)):012x}{'0' * 20}"


def made_at(id_: str) -> datetime:
    """When an id was made, to the millisecond, by the clock of the machine that made it."""
    return datetime.fromtimestamp(int(id_.partition("_")[2][:12], 16) / 1000, UTC)


def event_id(payment_id: str, seq: int) -> str:
    """The id on which consumers dedupe an event. Derived, so that every delivery of an event carries the same one."""
    return f"evt_{payment_id.removeprefix('pay_')}_{seq}"


def parse_event_id(value: str) -> tuple[str, int] | None:
    """The payment id and seq that `event_id` was given, or None for anything else."""
    hex_part, _, seq = value.removeprefix("evt_").partition("_")
    if not value.startswith("evt_") or not _HEX_ID.fullmatch(hex_part) or not _SEQ.fullmatch(seq):
        return None
    return f"pay_{hex_part}", int(seq)
