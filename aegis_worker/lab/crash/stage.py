"""A throw-away installation with a merchant before it: what faults are tried on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from redis import Redis, RedisError

from aegis_worker.audit.violations import Violation
from aegis_worker.delivery.webhooks.endpoints import create_endpoint
from aegis_worker.domain.modes import Owner
from aegis_worker.errors import DatabaseUnavailable, OperatorError
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.hooks import Point
from aegis_worker.hooks.points import ABOUT
from aegis_worker.hooks.statistics import HookStatistics, read_statistics
from aegis_worker.ids import new_id
from aegis_worker.lab.demo.cast import Order, cast
from aegis_worker.lab.demo.issuers import Issuer, issuers_of
from aegis_worker.lab.demo.ledgers import Charge, read_ledger
from aegis_worker.lab.demo.sink import Sink
from aegis_worker.lab.embedded.stack import temporary_data_dir
from aegis_worker.lab.local.stack import LocalStack, Running
from aegis_worker.lab.local.stopping import Stopped
from aegis_worker.pipeline.stage import SCREENING
from aegis_worker.settings import Settings, load_settings
from aegis_worker.terminal.installation import configured_gateways, opened_database
from aegis_worker.wiring.hooks import built_hooks
from aegis_worker.wiring.rules import configured_rules

from .blame import Blame, blamed
from .books import Books
from .disputes import differing, theirs
from .judge import against_ledgers, against_sink, of_answers
from .load import ROLES, Answered, Load
from .rehearsal import environment, rehearsed
from .vaulted import with_cards

_POLL_S, _REDIS_S = 0.2, 5.0
# How many characters of a log's line are shown as evidence.
_LINE = 400
# Once everything works again; on top of it come two leases, what the last doubts and the slowest deliveries take.
_PATIENCE_S = 90.0


@dataclass(slots=True)
class Stage:
    """The installation and those around it. `gateways`: all emulated. `issuers`: those that were chosen by name, with
    tokens of their own; none: the sandboxes share theirs. `vault`: the card vault is on, and there are gateways that take
    its cards. `screens`: hooks or rules are asked about payments; `validating`: hooks that may refuse a request.
    `casts`: how often orders were made up. `reported`: violations that were told of already.
    """

    stack: LocalStack
    running: Running
    settings: Settings
    load: Load
    sink: Sink
    books: Books
    stopping: threading.Event
    gateways: Mapping[str, PaymentGateway]
    issuers: Sequence[Issuer] = ()
    vault: bool = False
    screens: bool = False
    validating: Sequence[str] = ()
    casts: int = 0
    reported: set[tuple[str, str, str]] = field(default_factory=set)

    def cast(self, payments: int, seed: str) -> list[Order]:
        """So many orders of the load. Each call begins with the next issuer, so that few payments suffice for all."""
        first, turn = next(iter(self.running.sandboxes)), self.casts
        self.casts += 1
        orders = cast(payments, seed, first_gateway=first, special=ROLES, issuers=self.issuers, turn=turn)
        return with_cards(orders) if self.vault else orders

    def pause(self, seconds: float) -> None:
        """Raises Stopped when somebody asks to stop meanwhile."""
        if self.stopping.wait(seconds):
            raise Stopped

    def wait_until(self, condition: Callable[[], object], within_s: float) -> bool:
        """Whether it came to hold. Raises Stopped."""
        deadline = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.pause(_POLL_S)
        return True

    def results(self, posted: Sequence[Future[Answered]]) -> list[Answered]:
        """What became of the posts. Raises Stopped."""
        while not all(future.done() for future in posted):
            self.pause(_POLL_S)
        return [future.result() for future in posted]

    def come_to_rest(self) -> bool:
        """Whether everything has ended, been delivered or gone to review, within what that may take. Raises Stopped."""
        patience_s = _PATIENCE_S + 2 * (self.settings.lease_s + self.settings.outbox_lease_s)
        return self.wait_until(self._at_rest, patience_s)

    def _disputes_differ(self) -> list[Violation]:
        """How disputes stand in the ledgers otherwise than here. What can't be read differs until it can."""
        try:
            return list(differing(self.books.disputes(), theirs(self.charges())))
        except (DatabaseUnavailable, OperatorError) as error:
            return [Violation("I3", "", "disputes can't be compared", {"because": str(error)})]

    def _at_rest(self) -> bool:
        """A dispute that has moved is told in the same commit, so what is under way is looked at again after disputes."""
        try:
            return not (self.books.under_way() or self._disputes_differ() or self.books.under_way())
        except DatabaseUnavailable:
            return False

    def charges(self) -> list[Charge]:
        """Everything in the ledgers of all gateways. Raises OperatorError."""
        places = self.running.sandboxes.items()
        return [charge for name, place in places for charge in read_ledger(name, place["url"])]

    def judge(
        self, answers: Sequence[Answered], after: str = ""
    ) -> tuple[list[Mapping[str, Any]], list[Violation]]:
        """The payments accepted after `after`, and everything that is wrong and was not told of before."""
        everything = self.books.payments()
        last_seqs = {payment["id"]: payment["version"] for payment in everything}
        found = [
            *against_ledgers(everything, self.charges()),
            *self._disputes_differ(),
            *against_sink(self.sink.arrivals(), last_seqs),
            *of_answers(answers, everything, hooks_validate=bool(self.validating)),
            *self.books.audit(after),
        ]
        mine = [payment for payment in everything if payment["id"] > after]
        return mine, [violation for violation in found if self._is_new(violation)]

    def blame(self, answers: Sequence[Answered]) -> list[Blame]:
        """The hooks and rules that stood in the way so far. Raises DatabaseUnavailable."""
        screened, seen, not_taken = self.books.screened()
        refused = [one.refusal for one in answers if one.payment_id is None and one.refused_by_hooks]
        return blamed(seen, screened, self._statistics(), not_taken, refused, len(answers), self.validating)

    def lets_nothing_through(self) -> bool:
        """Whether a hook or rule stops most payments, so that waiting for them to get somewhere is in vain."""
        return any(blame.stops for blame in self.blame([]))

    def _statistics(self) -> Mapping[str, HookStatistics]:
        """What the hooks' processes have counted, up to a few seconds ago; nothing where Redis can't be asked."""
        with Redis.from_url(self.running.redis_url, socket_timeout=_REDIS_S) as redis:
            try:
                return read_statistics(redis)
            except RedisError:
                return {}

    def _is_new(self, violation: Violation) -> bool:
        key = (violation.invariant, violation.payment_id, violation.summary)
        if key in self.reported:
            return False
        self.reported.add(key)
        return True


@contextmanager
def staged(
    environ: Mapping[str, str],
    stopping: threading.Event,
    say: Callable[[str], None],
    *,
    workers: int,
    own_times: bool,
    chosen: Sequence[str] = (),
    vault: bool = False,
) -> Iterator[Stage]:
    """Start it; stop and remove all of it in the end. `chosen`: the gateways' names; none: all sandboxes. `vault`: with the
    card vault.

    Raises ConfigurationError, StackFailed or Stopped.
    """
    merchant_id = new_id("crash")
    with temporary_data_dir() as folder:
        ours = environment(environ, own_times=own_times)
        stack = LocalStack(
            folder / "data",
            port=0,
            workers=workers,
            merchant_id=merchant_id,
            environ=ours,
            say=say,
            watched=False,
            choose=partial(rehearsed, chosen, own_times),
            vault=vault,
        )
        with stack, Sink() as sink:
            running = stack.start(stopping)
            settings = load_settings()
            gateways = configured_gateways()
            load = _load_of(running, gateways, stopping)
            try:
                with opened_database() as database:
                    sink.secret = create_endpoint(
                        database, settings, Owner(merchant_id, "test"), sink.url, []
                    ).secret
                    books = Books(database)
                    issuers = issuers_of(chosen, gateways)
                    screens, validating = _asked(settings)
                    takes = vault and any(gateway.config.raw_cards for gateway in gateways.values())
                    yield Stage(
                        stack,
                        running,
                        settings,
                        load,
                        sink,
                        books,
                        stopping,
                        gateways,
                        issuers,
                        takes,
                        screens,
                        validating,
                    )
            finally:
                load.close()


def _load_of(running: Running, gateways: Mapping[str, PaymentGateway], stopping: threading.Event) -> Load:
    """The load on an installation that runs, told what its gateways can't do with captures."""
    places = {name: place["url"] for name, place in running.sandboxes.items()}
    abilities = {name: one.capabilities for name, one in gateways.items()}
    releasing = [name for name, can in abilities.items() if not can.several_captures]
    whole = [name for name, can in abilities.items() if not can.partial_captures]
    return Load(running.api_url, running.api_key, places, releasing, whole, stopping)


def _asked(settings: Settings) -> tuple[bool, tuple[str, ...]]:
    """Whether anybody is asked about a payment before its first attempt, and the hooks that may refuse a request."""
    hooks = built_hooks(settings)
    try:
        validating = [name for point in Point if ABOUT[point].runs == "api" for name in hooks.names(point)]
        screens = bool(configured_rules(settings).on) or any(map(hooks.has, SCREENING))
        return screens, tuple(validating)
    finally:
        hooks.close()


def last_lines(log: Path, lines: int) -> list[str]:
    """The end of a log, shortened."""
    if not log.exists():
        return []
    return [line[-_LINE:] for line in log.read_text(errors="replace").splitlines()[-lines:]]
