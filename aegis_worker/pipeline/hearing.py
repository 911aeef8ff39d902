"""What the window hears, taken up: answers of gateways, what hooks and rules said of payments, what hooks ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aegis_worker.clock import clock_s
from aegis_worker.crash_points import crash_point
from aegis_worker.domain.screening import Screening

from . import watching
from .advance import advance
from .held import Advanced, Answered, Event, Held, HooksAnswered, Screened
from .parts import PipelineParts
from .routes import routed_once_screened
from .window import Wishes
from .work import Answer, Route


def taken_up(
    parts: PipelineParts, told: Sequence[tuple[Held, Answer | Screening | Wishes | None]]
) -> list[Advanced]:
    """What becomes of the jobs, and what is to be done next. Payments that were screened are routed together."""
    screened: list[tuple[Held, Screening]] = []
    for held, said in told:
        if isinstance(said, Answer):
            watching.heard(held, said)
        elif isinstance(said, Screening):
            screened.append((held, said))
    routes = _routes(parts, screened) if screened else {}
    now_s = clock_s()
    return [advance(held, _event(parts, held, said, routes, now_s), parts.policy) for held, said in told]


def _event(
    parts: PipelineParts,
    held: Held,
    said: Answer | Screening | Wishes | None,
    routes: Mapping[int, Route],
    now_s: float,
) -> Event:
    draw = parts.rng.random()
    if said is None or isinstance(said, Answer):
        return Answered(said, now_s, draw)
    if isinstance(said, Screening):
        return Screened(said, routes[id(held)], now_s, draw)
    return HooksAnswered(said, now_s, draw)


def _routes(parts: PipelineParts, screened: Sequence[tuple[Held, Screening]]) -> Mapping[int, Route]:
    crash_point("screening.answered")
    payments = [held.work.screened(said).payment for held, said in screened]
    routes = routed_once_screened(parts, parts.routing(), payments)
    return {id(held): route for (held, _), route in zip(screened, routes, strict=True)}
