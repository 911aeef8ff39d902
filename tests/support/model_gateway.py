"""A gateway in memory, with a ledger and a clock: expiring keys, lost replies, late arrivals, declines, 3-D Secure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from aegis_worker.domain.actions import Redirect
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Lookup,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Pending,
    Unknown,
)
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.gateways.capabilities import Capabilities
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery
from support.model_tables import Clock

# Look-ups lag and lost calls arrive within less than the absence window, as an adapter's window promises.
ABSENCE_WINDOW_S, LATE_S, LAG_S, KEY_LIFETIME_S, DECIDES_IN_S = 120.0, 45.0, 40.0, 600.0, 50.0

# The fates of a charge, in families so that each family is tried as often. A healed gateway approves. The vault's are of
# charges that carry one of its cards.
IN_DOUBT = ("lose the answer", "lose the call", "arrive late", "store a 500", "charge and store a 500")
REFUSED = ("decline softly", "decline for good", "rate limit", "refuse the connection")
OF_THE_VAULT = ("the vault is silent", "the vault has lost the code", "the vault has no key")
LATER = (
    "decide later: yes",
    "decide later: no",
    "send the payer away: yes",
    "send the payer away: no",
    "send the payer away: never",
    "approve",
)
# The fates of a call that closes the door behind a charge.
CLOSINGS = ("close", "close and lose the answer", "lose the closing")
SOFT, HARD = Declined("insufficient_funds", "51"), Declined("stolen_card", "43")


# The states of a charge in the ledger.
Standing = Approved | Declined | ActionRequired | Pending


@dataclass
class _Entry:
    """The charge under one key: what the gateway says now, when look-ups begin to show it, what it decides and when."""

    says: Standing
    reference: str
    at: float
    visible_from: float
    then: Standing | None = None


@dataclass
class ModelGateway:
    """`key_lifetime_s` 0: it has no idempotency keys. `moods`: the fates of its charges, one after another."""

    name: str
    clock: Clock
    steps: tuple[Operation, ...]
    key_lifetime_s: float
    moods: list[str]
    look_ups: str = "answer"
    entries: list[_Entry] = field(default_factory=list)
    closings: list[str] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    kept: dict[str, tuple[float, Outcome | _Entry]] = field(default_factory=dict)
    on_their_way: list[tuple[float, GatewayRequest]] = field(default_factory=list)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(self.steps, self.key_lifetime_s, ABSENCE_WINDOW_S)

    def charges(self) -> int:
        """The number of charges in the ledger."""
        self._catch_up()
        return sum(isinstance(entry.says, Approved) for entry in self.entries)

    def call(self, request: GatewayRequest) -> Outcome:
        """Make one call, in the gateway's present mood."""
        self._catch_up()
        if request.operation is Operation.CLOSE:
            return self._close(request)
        if request.operation is not Operation.PROCESS:
            return Approved(f"ref_{self.name}")
        mood = self.moods.pop(0) if self.moods else "approve"
        if mood == "refuse the connection":
            return NotSent("connection refused")
        if mood == "rate limit":
            return NotSent("429", retry_after_s=20)
        if mood == "the vault is silent":
            return NotSent("the card vault does not answer", kind=NotSentKind.VAULT)
        if mood in OF_THE_VAULT:
            return Declined("security_code_gone" if "code" in mood else "vault_misconfigured", "")
        if mood == "lose the call":
            return Unknown("reset before it arrived")
        if mood == "arrive late":
            self.on_their_way.append((self.clock.now + LATE_S, request))
            return Unknown("read timeout")
        answer = self._arrive(request, mood, self.clock.now)
        return Unknown("read timeout") if mood == "lose the answer" else answer

    def look_up(self, query: StatusQuery) -> Lookup:
        """The ledger, as look-ups show it."""
        self._catch_up()
        if self.look_ups == "down":
            return Unknown("look-ups are down")
        if query.operation is Operation.CLOSE:
            return (
                Approved(f"ref_{self.name}", captured=False) if query.reference in self.closed else NotFound()
            )
        if query.operation is not Operation.PROCESS:
            return Approved(f"ref_{self.name}")
        shown = [
            entry.says
            for entry in self.entries
            if entry.reference == query.reference and entry.visible_from <= self.clock.now
        ]
        furthest_first = (Approved, Pending, ActionRequired, Declined)
        return min(shown, key=lambda says: furthest_first.index(type(says)), default=NotFound())

    def heal(self) -> None:
        """End all faults."""
        self.look_ups = "answer"
        self.moods.clear()
        self.closings.clear()

    def _close(self, request: GatewayRequest) -> Outcome:
        """Nothing of the payment is charged here from now on, unless something was."""
        fate = self.closings.pop(0) if self.closings else "close"
        if fate == "lose the closing":
            return Unknown("reset before it arrived")
        if any(isinstance(entry.says, Approved | Pending) for entry in self.entries):
            return Declined("invalid_request", "already_paid")
        self.closed.add(request.idempotency_key)
        for entry in self.entries:
            if isinstance(entry.says, ActionRequired):
                entry.says, entry.then = Declined("generic_decline", "closed"), None
        return (
            Unknown("read timeout") if fate == "close and lose the answer" else Approved(f"ref_{self.name}")
        )

    def _arrive(self, request: GatewayRequest, mood: str, now: float) -> Outcome:
        key = request.idempotency_key
        if self.key_lifetime_s and key in self.kept:
            at, answer = self.kept[key]
            if now - at < self.key_lifetime_s:
                return answer.says if isinstance(answer, _Entry) else answer
        if self.closed:
            return Declined("invalid_request", "closed")
        if mood == "store a 500":
            answer = Unknown("HTTP 500", stored=True)
            self.kept[key] = (now, answer)
            return answer
        yes = Approved(f"ch_{self.name}_{len(self.entries)}", captured=request.capture)
        says, then = _DECIDES[mood](yes) if mood in _DECIDES else (yes, None)
        lag_s = LAG_S if self.look_ups == "lag" else 0.0
        entry = _Entry(says, key, now, now + lag_s, then)
        self.entries.append(entry)
        if mood == "charge and store a 500":
            answer = Unknown("HTTP 500", stored=True)
            self.kept[key] = (now, answer)
            return answer
        self.kept[key] = (now, entry)
        return says

    def _catch_up(self) -> None:
        """Let calls arrive and decisions be taken that are due by now."""
        arrived = [late for late in self.on_their_way if late[0] <= self.clock.now]
        self.on_their_way = [late for late in self.on_their_way if late[0] > self.clock.now]
        for at, request in arrived:
            self._arrive(request, "approve", at)
        for entry in self.entries:
            if entry.then is not None and self.clock.now >= entry.at + DECIDES_IN_S:
                entry.says, entry.then = entry.then, None


_DECIDES: dict[str, Callable[[Standing], tuple[Standing, Standing | None]]] = {
    "decline softly": lambda yes: (SOFT, None),
    "decline for good": lambda yes: (HARD, None),
    "decide later: yes": lambda yes: (Pending("ref"), yes),
    "decide later: no": lambda yes: (Pending("ref"), SOFT),
    "send the payer away: yes": lambda yes: (ActionRequired("ref", Redirect("https://bank.example")), yes),
    "send the payer away: never": lambda yes: (ActionRequired("ref", Redirect("https://bank.example")), None),
    "send the payer away: no": lambda yes: (ActionRequired("ref", Redirect("https://bank.example")), HARD),
}
