"""One run of an experiment: a steady state, then faults, then healing; in the end everything must come to rest."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace
from sqlalchemy import text

from aegis_worker.audit.violations import Violation
from aegis_worker.chaos.loading import VARIABLE
from aegis_worker.chaos.plan import Plan
from aegis_worker.chaos.writing import plan_toml
from aegis_worker.domain.transitions import LEADS_TO, TERMINAL
from aegis_worker.errors import ConfigurationError, DatabaseUnavailable
from aegis_worker.lab.crash.inject import Injector
from aegis_worker.lab.crash.load import Answered
from aegis_worker.lab.crash.points import states
from aegis_worker.lab.crash.schedule import Fault
from aegis_worker.lab.crash.stage import Stage, last_lines
from aegis_worker.lab.demo.roles import PLAIN

from .experiment import Experiment, Strike
from .facts import Facts, Injected, Paid, Struck, opened
from .posting import Posting
from .reading import at_places
from .watching import Watcher, injections_in

# A worker is there within this time. If it takes longer, it is started again with twice as much.
_READY_WITHIN_S, _MOST_READY_S = 8.0, 64.0
_TICK_S = 0.25
_MOST_PAYMENTS = 200_000
_LOG_LINES = 12
_TRIES = 3
T = TypeVar("T")

_PAID = """
SELECT p.id, p.state, extract(epoch FROM p.created_at)::float8 AS began,
    (SELECT extract(epoch FROM min(e.at))::float8 FROM payment_events e
     WHERE e.payment_id = p.id AND e.type = ANY (%(ends)s)) AS ended,
    EXISTS (SELECT 1 FROM jobs j WHERE j.payment_id = p.id AND j.in_review) AS in_review
FROM payments p ORDER BY p.id LIMIT %(limit)s
"""
_MARKED = "SELECT count(*) FROM attempts WHERE outcome ? 'injected'"
_ENDS = [type_.value for type_, state in LEADS_TO.items() if state in TERMINAL]


class Run:
    """A run under way, as a live view shows it. Times in seconds since the load began; negative before."""

    def __init__(self, stage: Stage, experiment: Experiment, seed: int) -> None:
        self.experiment, self.seed = experiment, seed
        self.phase = "starting"
        self._posting = Posting(stage, experiment.traffic, seed, lambda: self.elapsed_s)
        self.struck: list[Struck] = []
        self.watcher: Watcher | None = None
        self._stage = stage
        self._began_s = math.inf
        self._env: Mapping[str, str] = {}

    @property
    def elapsed_s(self) -> float:
        """Since the load began."""
        return time.monotonic() - self._began_s

    @property
    def accepted(self) -> int:
        """Payments that were accepted so far."""
        return sum(
            future.done() and future.result().payment_id is not None for future in self._posting.posted
        )

    def carry_out(self, tell: Callable[[Run], None]) -> Facts:
        """Carry out the run; `tell` is called several times a second. Raises ConfigurationError, StackFailed or Stopped."""
        stage, phases = self._stage, self.experiment.phases
        if without := [issuer.name for issuer in stage.issuers if not issuer.has_tokens]:
            raise ConfigurationError(
                f"{', '.join(without)}: no tokens for plain cards are issued there, so leave it out of --gateways"
            )
        began_at = self._prepare()
        while self.elapsed_s < 0:
            tell(self)
            stage.pause(_TICK_S)
        ended: list[Violation] = []
        with Watcher(stage.running.api_url, self._began_s) as self.watcher:
            with self._posting.under_way():
                self._pass_through(tell, ended)
            self.phase = "coming to rest"
            tell(self)
            answers = stage.results(self._posting.posted)
            # Where a gateway can't be asked, a doubt goes to a person after the last recheck, so wait twice as long.
            came_to_rest = stage.come_to_rest() or stage.come_to_rest()
        rested_after_s = max(0.0, self.elapsed_s - phases.whole_s)
        payments, violations = self._patiently(lambda: stage.judge(answers))
        paid = self._patiently(lambda: self._paid(answers, began_at))
        return Facts(
            phases=phases,
            paid=paid,
            injected=self._injected(began_at),
            samples=self.watcher.samples,
            struck=self.struck,
            marked_attempts=self._patiently(self._marked),
            violations=[*ended, *violations],
            came_to_rest=came_to_rest,
            rested_after_s=round(rested_after_s, 1),
            openings=opened(self.watcher.samples),
            reviews=sum(one.in_review for one in paid),
            by_state=states(payments),
        )

    def _patiently(self, read: Callable[[], T]) -> T:
        """What `read` returns, tried a few times: a PostgreSQL that was killed has lost its statistics and plans badly."""
        for _ in range(_TRIES):
            try:
                return read()
            except DatabaseUnavailable:
                self._stage.books.database.run(lambda connection: connection.execute(text("ANALYZE")))
        return read()

    def _prepare(self) -> float:
        """Have the worker take up the plan; returns when the load begins, in seconds since 1970."""
        steady_s, within_s = self.experiment.phases.steady_s, _READY_WITHIN_S
        if not self.experiment.injections:
            self._began_s = time.monotonic()
            return time.time()
        names = list(self._stage.gateways)
        injections = tuple(
            replace(one, gateways=at_places(one.gateways, names)) for one in self.experiment.bounded
        )
        path = self._stage.stack.folder.path / "chaos.toml"
        self._env = {VARIABLE: str(path)}
        while True:
            begins_s, begins_at = time.monotonic() + within_s, time.time() + within_s
            path.write_text(plan_toml(Plan(self.seed, injections, begins_at + steady_s)))
            self._stage.stack.launched.restart(["worker"], self._stage.stopping, self._env)
            if time.monotonic() < begins_s or within_s > _MOST_READY_S:
                self._began_s = begins_s
                return begins_at
            within_s *= 2

    def _pass_through(self, tell: Callable[[Run], None], ended: list[Violation]) -> None:
        """The three phases, with the strikes of the second as they are due."""
        phases = self.experiment.phases
        # Don't wait until the program answers, because other faults are due in the meantime.
        injector = Injector(self._stage, self.seed, self._env, wait=False)
        due = sorted(_steps(self.experiment.strikes, phases.steady_s), key=lambda step: step[0])
        down: set[str] = set()
        try:
            while (now_s := self.elapsed_s) < phases.whole_s or due:
                while due and due[0][0] <= now_s:
                    down = self._strike(injector, *due.pop(0), down)
                if not any(strike.at_s <= now_s < strike.until_s + 1 for strike in self.struck):
                    ended += self._ended(set(self._stage.stack.launched.ended()) - down, now_s)
                self.phase = _phase(self.experiment, now_s)
                tell(self)
                self._stage.pause(_TICK_S)
        finally:
            injector.close()

    def _strike(
        self, injector: Injector, at_s: float, is_begin: bool, strike: Strike, down: set[str]
    ) -> set[str]:
        """Returns the programs that are down because of strikes."""
        fault = Fault(at_s, strike.kind, strike.lasts_s)
        if is_begin:
            self.struck.append(Struck(self.elapsed_s, self.elapsed_s + strike.lasts_s, strike.kind))
            injector.begin(fault)
            return down | set(self._stage.stack.launched.ended())
        injector.end(fault)
        return down & set(self._stage.stack.launched.ended())

    def _ended(self, names: set[str], at_s: float) -> list[Violation]:
        """Start again the programs that ended by themselves, and return them: none should."""
        launched = self._stage.stack.launched
        found = []
        for name in sorted(names):
            evidence: dict[str, Any] = {
                "at_s": round(at_s, 1),
                "log": last_lines(launched.log(name), _LOG_LINES),
            }
            found.append(Violation("I2", "", f"{name} ended by itself", evidence))
        if names:
            launched.restart(sorted(names), self._stage.stopping, self._env, wait=False)
        return found

    def _paid(self, answers: Sequence[Answered], began_at: float) -> list[Paid]:
        plain = {one.payment_id for one in answers if one.order.role == PLAIN}
        with self._stage.books.database.read() as connection:
            rows = connection.exec_driver_sql(_PAID, {"ends": _ENDS, "limit": _MOST_PAYMENTS}).all()
        return [
            Paid(
                state=row.state,
                plain=row.id in plain,
                began_s=row.began - began_at,
                ended_s=None if row.ended is None else row.ended - began_at,
                in_review=row.in_review,
            )
            for row in rows
        ]

    def _injected(self, began_at: float) -> list[Injected]:
        return injections_in(self._stage.stack.launched.log("worker"), began_at)

    def _marked(self) -> int:
        with self._stage.books.database.read() as connection:
            return int(connection.exec_driver_sql(_MARKED).scalar_one())


def _steps(strikes: Sequence[Strike], after_s: float) -> Iterator[tuple[float, bool, Strike]]:
    for strike in strikes:
        yield after_s + strike.at_s, True, strike
        yield after_s + strike.at_s + strike.lasts_s, False, strike


def _phase(experiment: Experiment, elapsed_s: float) -> str:
    if elapsed_s < experiment.phases.steady_s:
        return "steady state"
    return "faults" if elapsed_s < experiment.phases.faults_end_s else "healed"
