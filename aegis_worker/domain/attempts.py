"""An attempt: one call to one gateway, how it stands, and what is stored of what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import astuple, replace

from .marks import joined
from .outcomes import Operation
from .retries import NotSentKind
from .wishes import Wish, wishes_from, wishes_to_json


class AttemptStatus(StrEnum):
    """How an attempt stands: what is known of the call, not of the payment."""

    # Set by the worker in the commit before the call (design D3), and again in the commit before the same call is
    # repeated under its key. The answer leaves it for one of the others. Where the worker died during the call, it stays
    # until the next worker has looked up what became of the call, or a person has decided.
    SENT = "SENT"
    # Set by an answer or a look-up, by a person who decides that the payment was charged, and by a `sync` that finds a
    # charge which was given up. Only a person leaves it, for DECLINED: one who decides that a charge whose payment never
    # moved did not happen.
    APPROVED = "APPROVED"
    # Set by an answer or a look-up, and by a person who decides that nothing was charged. A `sync` leaves it for APPROVED
    # where the gateway shows a charge all the same.
    DECLINED = "DECLINED"
    # Set by an answer or a look-up: the payer has to act first. The look-ups of the verify ladder leave it for whatever
    # they find, and so does a person.
    ACTION_REQUIRED = "ACTION_REQUIRED"
    # Set by an answer or a look-up: the gateway decides later. Left as ACTION_REQUIRED is.
    PENDING = "PENDING"
    # Set where the call never left this process or was turned away unread (429), and where look-ups over the absence
    # window found nothing. A charge is not sent again: the next hop is an attempt of its own; a `sync` leaves it for
    # APPROVED where the charge came about after all. A void or refund is asked about and then sent, so it becomes SENT.
    NOT_SENT = "NOT_SENT"
    # Set where bytes may have left and no usable answer came, and where an answer can't be this call's. A look-up leaves
    # it for what it finds, a repeat under the same key for SENT, and a person for APPROVED or DECLINED.
    UNKNOWN = "UNKNOWN"

    @property
    def is_in_doubt(self) -> bool:
        """Whether the call may or may not have happened."""
        return self in _IN_DOUBT

    @property
    def is_open(self) -> bool:
        """Whether its end is still to come: it is in doubt, or the gateway or the payer has yet to decide."""
        return self in _OPEN


_IN_DOUBT = frozenset({AttemptStatus.SENT, AttemptStatus.UNKNOWN})
_OPEN = _IN_DOUBT | {AttemptStatus.PENDING, AttemptStatus.ACTION_REQUIRED}


class StoredOutcome(Struct, frozen=True):
    """What is stored of how a call ended; a field is None where nothing is said of it. Empty until the first answer.

    - in doubt, pending, or not sent: `reason` in words. `stored`: the gateway may keep its error under the idempotency key,
      so that a repeat would only repeat the error. Of what was not sent also the `kind` and `retry_after_s`.
    - approved: whether it was `captured`, and the card network's own id of it. A charge that a `sync` found too many is a
      `duplicate`; `before` is the status that it had, `given_back` whether a person gave it back at the gateway.
    - the payer has to act: the type of the `action`; the rest of it lets whoever has it act as the payer. It stays when the
      step goes on: the payer has had it, and may act on it as long as the gateway lets anybody.
    - declined: `code`, `category`, `advised_action`, `gateway`, `gateway_code`, `message`, as `domain.declines` has them.
    - approved, and another charge may stand beside it under the same reference: `twin`, why, in words, until a look-up has
      shown whether it does or a person is asked.
    - given up as refused or absent, and told of since by its gateway or a worker that lost its fence: `told`, how often.
    - hooks were asked about it: `wishes`, what they asked for and what came of that; kept by later answers, too.
    - a person decided: `decided_by`, and how far gateways confirmed it, `checked`.
    - `injected`: what was injected into its calls on purpose, in words. It stays, whatever came of the attempt since.

    `unread`: what stands there besides, such as nulls and what another version wrote; it is kept and written back.
    """

    reason: str | None = None
    stored: bool | None = None
    kind: NotSentKind | None = None
    retry_after_s: float | None = None
    captured: bool | None = None
    network_transaction_id: str | None = None
    duplicate: bool | None = None
    before: AttemptStatus | None = None
    given_back: bool | None = None
    action: str | None = None
    code: str | None = None
    category: str | None = None
    advised_action: str | None = None
    gateway: str | None = None
    gateway_code: str | None = None
    message: str | None = None
    decided_by: str | None = None
    checked: str | None = None
    injected: str | None = None
    twin: str | None = None
    told: int | None = None
    wishes: tuple[Wish, ...] = ()
    unread: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> StoredOutcome:
        """What stands in `attempts.outcome`, of whatever version wrote it."""
        if not stored:
            return NOTHING_STORED
        read: dict[str, Any] = {}
        unread: list[tuple[str, Any]] = []
        for name, value in stored.items():
            if isinstance(value, _TYPES.get(name, ())):
                read[name] = value
            elif isinstance(value, str) and value in _WORDS.get(name, ()):
                read[name] = _WORDS[name][value]
            elif name == "wishes" and (wishes := _wishes(value)):
                read[name] = wishes
            else:
                unread.append((name, value))
        return cls(**read, unread=tuple(unread))

    @classmethod
    def of_error(
        cls, error: Mapping[str, str | None], *, decided_by: str | None = None, checked: str | None = None
    ) -> StoredOutcome:
        """What is stored of a refusal, described by `domain.declines.describe_error`; its nulls are stored, too."""
        by = {} if decided_by is None else {"decided_by": decided_by, "checked": checked}
        return cls.from_json({**error, **by})

    def marked(self, earlier: StoredOutcome, injected: str | None = None) -> StoredOutcome:
        """The same, with what was injected before, of which `earlier` tells, and now; and with what hooks asked for."""
        marks, wishes = joined(earlier.injected, injected), self.wishes or earlier.wishes
        return replace(self, injected=marks, wishes=wishes)

    @property
    def decline_code(self) -> str:
        """The `code` of a decline, which has one."""
        if self.code is None:
            raise AssertionError("unreachable: a decline is stored with its code")
        return self.code

    def to_json(self) -> dict[str, Any]:
        """What is to stand in `attempts.outcome`: of what was read and left as it is, the same JSON."""
        told = dict(self.unread)
        # All at once, because asking for each of twenty fields costs more than the rest of this.
        for name, value in zip(_NAMES, astuple(self), strict=False):
            if value is not None:
                told[name] = value
        if self.wishes:
            told["wishes"] = wishes_to_json(self.wishes)
        return told


def _wishes(kept: Any) -> tuple[Wish, ...]:
    try:
        return wishes_from(kept)
    except ValueError:
        return ()


_TYPES: dict[str, type | tuple[type, ...]] = {
    "reason": str,
    "stored": bool,
    "retry_after_s": (int, float),
    "captured": bool,
    "network_transaction_id": str,
    "duplicate": bool,
    "given_back": bool,
    "action": str,
    "code": str,
    "category": str,
    "advised_action": str,
    "gateway": str,
    "gateway_code": str,
    "message": str,
    "decided_by": str,
    "checked": str,
    "injected": str,
    "twin": str,
    "told": int,
}
_WORDS: dict[str, dict[str, StrEnum]] = {
    "kind": {word.value: word for word in NotSentKind},
    "before": {word.value: word for word in AttemptStatus},
}
# Those that are written as they are, in order; the last two are not.
_NAMES = StoredOutcome.__struct_fields__[:-2]

NOTHING_STORED = StoredOutcome()


class Attempt(Struct, frozen=True):
    """One call to one gateway, as its row tells it. Moments in seconds of this process's clock (`clock.clock_s`).

    `number`: which hop of the payment it belongs to; a hop's calls share it. `sends` and `checks` count how often it was
    sent and asked about, `not_found_count` how often a look-up since its last send found nothing.
    `sent_at_s`: when it was written, before its first send, or a little earlier. `first_not_found_at_s`: when a look-up
    since its last send first found nothing, or a little later. `candidates`: the gateways that its hop was decided among,
    best first; empty where it was not routed. `answered_at_s`: of its last answer, a look-up's too; None without any.
    `account`: the one that its gateway's table named when it was written; None where it named none.
    """

    operation: Operation
    number: int
    gateway: str
    gateway_key: str
    request_hash: str
    status: AttemptStatus
    gateway_ref: str | None
    outcome: StoredOutcome
    lease_epoch: int
    sends: int
    checks: int
    not_found_count: int
    sent_at_s: float
    first_not_found_at_s: float | None
    candidates: tuple[str, ...] = ()
    answered_at_s: float | None = None
    account: str | None = None

    def sent_ago_s(self, now_s: float) -> float:
        """For how long, at least, nothing of it has been on its way to its gateway.

        When it was sent again is not written down; but whatever was heard of it since came later than that.
        """
        if self.sends == 1:
            return now_s - self.sent_at_s
        heard_at_s = (
            self.first_not_found_at_s if self.first_not_found_at_s is not None else self.answered_at_s
        )
        return 0.0 if heard_at_s is None else now_s - heard_at_s
