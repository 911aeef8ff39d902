"""A story as people read it: numbered plain sentences, each with its time. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from aegis_worker.lab.explore.hands import Hand
from aegis_worker.lab.explore.moves import Step
from aegis_worker.lab.explore.world import World
from aegis_worker.pipeline.held import Held
from aegis_worker.pipeline.work import Ask, Rest, Send, SendAgain


def told(begins: World, steps: Sequence[Step]) -> list[str]:
    """The sentences of a story that begins in this world."""
    return [
        f"{number:>3}. {at_s:>9.1f} s  {sentence}"
        for number, (at_s, sentence) in enumerate(_sentences(begins, steps), 1)
    ]


def _sentences(begins: World, steps: Sequence[Step]) -> Iterator[tuple[float, str]]:
    """Workers keep their names here: who claims after another one has died is another one."""
    now_s, world, names, begun = 0.0, begins, list[str](), 0
    for step in steps:
        move, after = step.move, step.world
        if move.kind == "claim":
            begun += 1
            names.append(f"worker {begun}")
            job = world.rows.value.job
            yield now_s, f"{names[-1]} claims the job ({'?' if job is None else job.operation})"
        elif move.kind in _OF_WORKERS:
            place = int(move.who.removeprefix("worker ")) - 1
            hand = world.hands[place][0].value
            is_gone = len(after.hands) < len(world.hands)
            then = None if is_gone else after.hands[place][0].value
            lasts = f" for {_long(move.s)}" if move.s else ""
            yield now_s, f"{names[place]} {_OF_WORKERS[move.kind](move.how, hand, then)}{lasts}"
            if is_gone:
                del names[place]
        else:
            yield (
                now_s,
                _OF_OTHERS.get(move.kind, "{who} {how}").format(
                    who=move.who, how=move.how, s=_long(move.s), kind=move.kind
                ),
            )
        now_s, world = now_s + move.s, after


def _long(s: float) -> str:
    return f"{s:,.0f} s" if s < 7200 else f"{s / 3600:,.1f} h"


def _decides(how: str, hand: Hand, then: Hand | None) -> str:
    because = f" ({how})" if how else ""
    if then is None:
        return f"lets go of the job{because}"
    return f"decides: {_of(then.holding)}{because}"


def _settles(how: str, hand: Hand, then: Hand | None) -> str:
    heard = "" if hand.answer is None else f"has heard {type(hand.answer.outcome).__name__}, and "
    if then is not None and then.holding.settled is not None:
        ended = then.holding.settled.answered
        heard = f"takes attempt {ended.number} for {ended.status.value}, and "
    return heard + _decides(how, hand, then)


def _of(held: Held) -> str:
    step = held.step
    if isinstance(step, Send):
        opened = step.opened
        return f"{opened.operation.value} at {opened.gateway}, attempt {opened.number} under {_key(opened.gateway_key)}"
    if isinstance(step, SendAgain):
        return f"send it again under {_key(step.request.idempotency_key)}"
    if isinstance(step, Ask):
        attempt = held.work.attempts[step.position]
        return (
            f"ask {attempt.gateway} what became of the {attempt.operation.value} of attempt {attempt.number}"
        )
    if isinstance(step, Rest):
        return _rest(held, step)
    return "nothing"


def _rest(held: Held, rest: Rest) -> str:
    reason = f": {rest.job.reason}" if rest.job.reason else ""
    if rest.job.status == "waiting":
        return f"wait {_long(rest.job.run_in_s)}{reason}"
    if rest.job.status == "review":
        return f"ask a person{reason}"
    state = held.work.payment.state if held.change is None else held.change.payment.state
    return f"the job has {rest.job.status}, the payment is {state}{reason}"


def _key(gateway_key: str) -> str:
    """The key without the payment's id, which is the same for all."""
    return f"key …{gateway_key[36:]}"


def _writes(how: str, hand: Hand, then: Hand | None) -> str:
    if how == "written":
        return "commits that"
    return f"wants to commit that: {how}"


def _calls(how: str, hand: Hand, then: Hand | None) -> str:
    gateway, step = hand.holding.work.subject.gateway, hand.step
    if isinstance(step, Ask):
        return f"asks {gateway}: {how.removeprefix(gateway).strip()}"
    late = ", though it was frozen since its last look at the clock" if hand.is_stale else ""
    return f"calls {gateway} under {_key(step.request.idempotency_key)}{late}: {how}"


_OF_WORKERS: Mapping[str, Callable[[str, Hand, Hand | None], str]] = {
    "decide": _decides,
    "settle": _settles,
    "write": _writes,
    "check": lambda how, hand, then: f"looks at the clock: {how}",
    "call": _calls,
    "crash": lambda how, hand, then: "dies",
    "freeze": lambda how, hand, then: "freezes",
    "wake": lambda how, hand, then: "wakes up",
    "sleep": lambda how, hand, then: "and its machine sleep",
}
_OF_OTHERS = {
    "time": "{s} pass",
    "late": "nobody claims anything for {s}",
    "lock": "a worker claims the job, does not get its lock, and hands it back",
    "ask": "the {who} has the payment asked about",
    "cancel": "the {who} cancels the payment",
    "recheck": "{who} is asked again about what was given up: {how}",
    "confirm": "the {who} hands over what the payer brought back (confirm {how})",
    "order": "the {who} orders: {how}",
    "sweep": "the sweep makes a job for what is not settled",
    "look": "the sweep looks after what is held",
    "disputes": "a payer's bank has {who} hold a dispute as {how}",
    "dispute event": "an event of {who} about the dispute has it asked how that stands {how}",
    "dispute unheard": "an event of {who} about the dispute never comes",
    "dispute answer": "the {who} is answered: {how}",
    "dispute noted": "the {who} writes that down {how}",
    "dispute asker": "the {who} {how}",
    "releases": "{who} releases what it holds before its end",
    "takes back": "{who} takes its word back: {how}",
    "event": "an event of {who} comes: {how}",
    "follow": "events that waited for the payment's job are followed",
}
