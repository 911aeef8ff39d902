"""The calls to gateways that are in flight, and hooks that are being asked; their answers in the order they came in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from queue import Empty, SimpleQueue

from aegis_worker.domain.exchanges import Note
from aegis_worker.domain.marks import Marks
from aegis_worker.domain.screening import Screening
from aegis_worker.domain.wishes import Wish
from aegis_worker.gateways.base import PaymentGateway

from .calls import begin_call
from .hand import Hand
from .held import Held
from .suspects import is_suspect
from .work import Answer, Ask, Send, SendAgain

Wishes = tuple[Wish, ...]
# What ends a wait: an answer (None: the call was not made), what hooks and rules said, or what should not have happened.
Told = Answer | Screening | Wishes | BaseException | None

# Wait 3 ms for more answers before committing, because one commit serves many. With 20 calls or fewer in flight two rarely
# answer together, so don't wait.
_GATHER_S, _FEW = 0.003, 20


class Window:
    """At most `limit` calls side by side, and the `hand` that holds their jobs.

    Both may outlive the run that made them; see `tail.Tail`.
    """

    def __init__(self, limit: int, hand: Hand) -> None:
        self.hand = hand
        self._limit = limit
        self._numbers = count()
        self._calls: dict[int, Held] = {}
        self._earlier: set[int] = set()
        self._answered: SimpleQueue[tuple[int, Told]] = SimpleQueue()

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def free(self) -> int:
        """How many more calls fit in."""
        return self._limit - len(self._calls)

    @property
    def own(self) -> int:
        """How many of the calls in flight were sent by the run that has the window now."""
        return len(self._calls) - len(self._earlier)

    @property
    def job_ids(self) -> set[str]:
        """The jobs that are being called about."""
        return {held.work.job.id for held in self._calls.values()}

    def begin_run(self) -> None:
        """Another run has the window from now on."""
        self._earlier = set(self._calls)

    def send(
        self,
        held: Held,
        gateway: PaymentGateway,
        step: Send | SendAgain | Ask,
        send_until_s: float,
        note: Note | None,
        marks: Marks | None = None,
    ) -> None:
        """Have the call made; see `calls.begin_call`."""
        begin_call(gateway, step, send_until_s, self.hold(held), note, marks)

    def hold(self, held: Held) -> Callable[[Told], None]:
        """Give the job a place until the function that is returned is called, from any thread, with what is told."""
        number = next(self._numbers)
        self._calls[number] = held
        return partial(self._take, number)

    def _take(self, number: int, told: Told) -> None:
        """Called where the call ended, mostly on the engine's thread, or where hooks have answered."""
        self._answered.put((number, told))

    def answered(self, timeout_s: float) -> Iterator[tuple[Held, Answer | Screening | Wishes | None]]:
        """Everything that has answered, and, of many, what does in the next 3 ms; nothing when none has in `timeout_s`."""
        try:
            number, answer = self._answered.get(timeout=timeout_s)
            if len(self._calls) > _FEW:
                time.sleep(_GATHER_S)
            while True:
                self._earlier.discard(number)
                # A call that was disowned meanwhile is nobody's.
                if (held := self._calls.pop(number, None)) is not None:
                    if isinstance(answer, BaseException):
                        raise answer
                    yield held, answer
                number, answer = self._answered.get_nowait()
        except Empty:
            return

    def holds_suspect(self, poison_cap: int) -> bool:
        """Whether the one call in flight is for a job that is to be worked on alone."""
        calls = self._calls.values()
        return len(calls) == 1 and any(is_suspect(held.work.job, poison_cap) for held in calls)

    def disown(self, payment_ids: set[str]) -> int:
        """Forget the calls for payments whose jobs were just claimed again; returns how many.

        A worker that was frozen past its lease may take over from itself. The older claim is a zombie's, and must not be
        written in one statement with the newer one, whose fence would let it pass.
        """
        zombies = [number for number, held in self._calls.items() if held.work.payment.id in payment_ids]
        for zombie in zombies:
            del self._calls[zombie]
            self._earlier.discard(zombie)
        return len(zombies)
