"""A gateway in memory, scripted by the test: it has scripted answers, and a ledger of what it really did.

It is for tests that choose each answer of a gateway. All other tests use the sandbox gateway, over HTTP.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar, cast

import msgspec

from aegis_worker.domain.disputes import DisputeLookup
from aegis_worker.domain.exchanges import Note
from aegis_worker.domain.outcomes import (
    Approved,
    Lookup,
    Movement,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.payment import METHODS
from aegis_worker.errors import InvalidWebhook
from aegis_worker.gateways.base import GatewayEvent
from aegis_worker.gateways.capabilities import Capabilities
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.probing import Probed, Standing
from aegis_worker.gateways.requests import DisputeQuery, GatewayRequest, StatusQuery

# Takes every type of payment method, and needs nothing for it.
ANY_METHOD: Mapping[str, frozenset[str]] = dict.fromkeys(METHODS, frozenset())

Script = Callable[[GatewayRequest], Outcome]
_Answer = TypeVar("_Answer")


def answering(*answers: _Answer) -> Callable[[object], _Answer]:
    """A script, of calls or of look-ups: it gives these answers one after another, then the last one again and again."""
    left = list(answers)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


class ScriptedGateway:
    """Remembers the first effect of each idempotency key. `script(request)` may charge, and may answer anything.

    A test may put scripts of its own in the place of `initiating`, `authenticating`, `confirming`, `reverse`, `capturing`,
    `closing`, `look_up` and `disputed`.
    """

    def __init__(
        self,
        name: str,
        script: Script | None = None,
        *,
        steps: tuple[Operation, ...] = (Operation.PROCESS,),
        key_lifetime_s: float = 86_400,
        absence_window_s: float = 120,
        methods: Mapping[str, frozenset[str]] = ANY_METHOD,
        bare_tokens: str = ".+",
        payer: frozenset[str] = frozenset(),
        cards: bool = False,
        **config: Any,
    ) -> None:
        self.config = GatewayConfig(
            name=name, adapter="scripted", base_url="http://127.0.0.1", api_key="k", **config
        )
        self.capabilities = Capabilities(
            steps,
            key_lifetime_s,
            absence_window_s,
            confirms=True,
            methods=methods,
            bare_tokens=re.compile(bare_tokens) if bare_tokens else None,
            payer=payer,
            cards=cards,
        )
        self.charges: dict[str, str] = {}
        self.reversals: dict[str, str] = {}
        self.refunds: dict[str, int] = {}
        self.failed_late: dict[str, int] = {}
        self.shows_movements = False
        self.calls: list[GatewayRequest] = []
        self.look_ups: list[StatusQuery] = []
        self.look_up: Callable[[StatusQuery], Lookup] = self.by_ledger
        self.initiating: Script = self._initiated
        self.authenticating: Script = self._authenticated
        self.reverse: Script = self.reversed_once
        self.captures: dict[str, int] = {}
        self.capturing: Script = self.captured_once
        self.confirming: Script = self.charge
        self.disputed: Callable[[DisputeQuery], DisputeLookup] = lambda query: Unknown("no such dispute")
        self.closed: dict[str, str] = {}
        self.closing: Script = self.closed_once
        self.probed = Probed(Standing.TAKEN)
        self._script = script or self.charge
        self._lock = threading.Lock()

    def able(self, **changes: Any) -> None:
        """Change what the gateway can do with a charge."""
        self.capabilities = replace(self.capabilities, **changes)

    def charge(self, request: GatewayRequest) -> Outcome:
        """Charge once per key."""
        with self._lock:
            reference = self.charges.setdefault(request.idempotency_key, f"ch_{len(self.charges) + 1}")
        return Approved(reference, captured=request.capture)

    def captured_once(self, request: GatewayRequest) -> Outcome:
        """Capture once per key."""
        with self._lock:
            self.captures.setdefault(request.idempotency_key, request.amount.minor)
        return Approved(request.gateway_ref or "")

    def reversed_once(self, request: GatewayRequest) -> Outcome:
        """Void or refund once per key."""
        with self._lock:
            reference = self.reversals.setdefault(request.idempotency_key, request.gateway_ref or "")
            if request.operation is Operation.REFUND and request.idempotency_key not in self.failed_late:
                self.refunds.setdefault(request.idempotency_key, request.amount.minor)
        return Approved(reference)

    def fail_late(self, key: str) -> None:
        """Take back the refund under this key."""
        with self._lock:
            self.failed_late[key] = self.refunds.pop(key)

    def closed_once(self, request: GatewayRequest) -> Outcome:
        """Cancel once per key what was not charged."""
        with self._lock:
            self.closed.setdefault(request.idempotency_key, request.gateway_ref or "")
        return Approved(request.gateway_ref or "", captured=False)

    def by_ledger(self, query: StatusQuery) -> Lookup:
        """Answer truthfully, from the ledger."""
        if query.operation is Operation.CAPTURE:
            return Approved(query.gateway_ref or "") if query.reference in self.captures else NotFound()
        if query.operation is Operation.CLOSE:
            return Approved(query.gateway_ref or "") if query.reference in self.closed else NotFound()
        done = self.reversals if query.operation in (Operation.VOID, Operation.REFUND) else self.charges
        reference = done.get(query.reference)
        if reference and query.movements and self.shows_movements:
            return self._with_movements(query, reference)
        return Approved(reference) if reference else NotFound()

    def _with_movements(self, query: StatusQuery, reference: str) -> Approved:
        payment_id = query.reference.partition("-")[0]
        told = (
            (Operation.CAPTURE, "succeeded", self.captures),
            (Operation.REFUND, "succeeded", self.refunds),
            (Operation.REFUND, "failed", self.failed_late),
        )
        with self._lock:
            movements = tuple(
                Movement(operation, minor, status, key)  # type: ignore[arg-type]
                for operation, status, done in told
                for key, minor in done.items()
                if key.startswith(payment_id)
            )
        captured, refunded = (
            sum(one.minor for one in movements if one.operation is operation and one.status == "succeeded")
            for operation in (Operation.CAPTURE, Operation.REFUND)
        )
        return Approved(reference, captured > 0, captured, refunded, movements)

    def charges_of(self, payment_id: str) -> int:
        """How often this gateway charged the payment."""
        return sum(key.startswith(payment_id) for key in self.charges)

    def send(
        self,
        request: GatewayRequest,
        done: Callable[[Outcome], None],
        may_leave: Callable[[], bool] | None = None,
        note: Note | None = None,
    ) -> None:
        """Follow the script of the request's operation, on a thread of its own, because scripts may wait."""
        operation: Script = getattr(self, request.operation.value)
        refuses = may_leave is not None and not may_leave()
        self._on_a_thread(lambda: NotSent("too late") if refuses else operation(request), done)

    def ask(self, query: StatusQuery, done: Callable[[Lookup], None], note: Note | None = None) -> None:
        """Follow the script of look-ups, on a thread of its own."""
        self._on_a_thread(lambda: self.get_status(query), done)

    def ask_dispute(
        self, query: DisputeQuery, done: Callable[[DisputeLookup], None], note: Note | None = None
    ) -> None:
        """Follow the script of disputes, on a thread of its own."""
        self._on_a_thread(lambda: self.disputed(query), done)

    def ask_dispute_and_wait(self, query: DisputeQuery, note: Note | None = None) -> DisputeLookup:
        return self.disputed(query)

    def _on_a_thread(self, script: Callable[[], _Answer], done: Callable[[_Answer], None]) -> None:
        def follow() -> None:
            try:
                answer = script()
            except BaseException as error:
                answer = cast("_Answer", _Raises(error))
            done(answer)

        threading.Thread(target=follow, daemon=True).start()

    def process(self, request: GatewayRequest) -> Outcome:
        self.calls.append(request)
        return self._script(request)

    def initiate(self, request: GatewayRequest) -> Outcome:
        return self.initiating(request)

    def authenticate(self, request: GatewayRequest) -> Outcome:
        return self.authenticating(request)

    def confirm(self, request: GatewayRequest) -> Outcome:
        self.calls.append(request)
        return self.confirming(request)

    def void(self, request: GatewayRequest) -> Outcome:
        self.calls.append(request)
        return self.reverse(request)

    refund = void

    def capture(self, request: GatewayRequest) -> Outcome:
        self.calls.append(request)
        return self.capturing(request)

    def close(self, request: GatewayRequest) -> Outcome:
        self.calls.append(request)
        return self.closing(request)

    def close_connections(self) -> None:
        """Do nothing, because nothing is open."""

    def get_status(self, query: StatusQuery) -> Lookup:
        if query.operation not in self.capabilities.look_ups:
            return Unknown("a can't be asked about it", kind=UnknownKind.NO_LOOK_UP)
        self.look_ups.append(query)
        return self.look_up(query)

    find_by_reference = get_status

    def ask_and_wait(self, query: StatusQuery, note: Note | None = None) -> Lookup:
        return self.get_status(query)

    def probe(self) -> Probed:
        return self.probed

    def verify_webhook(
        self, headers: Mapping[str, str], body: bytes, received_at: datetime
    ) -> Sequence[GatewayEvent]:
        return self.parse_webhook(headers, body)

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Sequence[GatewayEvent]:
        """Believe every event. A body holds the fields of one in each line, as JSON."""
        try:
            return [msgspec.json.decode(line, type=GatewayEvent) for line in body.splitlines()]
        except msgspec.MsgspecError as problem:
            raise InvalidWebhook("no events") from problem

    def answer_challenge(self, query: Mapping[str, str]) -> str:
        if "challenge" not in query:
            raise InvalidWebhook("no challenge")
        return f"{self.config.name}|{query['challenge']}"

    def _initiated(self, request: GatewayRequest) -> Outcome:
        self.calls.append(request)
        return Approved(f"int_{request.idempotency_key}")

    def _authenticated(self, request: GatewayRequest) -> Outcome:
        self.calls.append(request)
        return Approved(request.gateway_ref or f"auth_{request.idempotency_key}")


class _Raises:
    """The end of a script that raised, such as a worker's death: raised again where somebody looks at the answer."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __getattr__(self, name: str) -> object:
        raise self._error
