"""Which hooks and rules stood in the way of a rehearsal: who failed, and who let hardly a payment through. Pure.

A crash that is tried on purpose may take a hook with it, and a frozen process lets it run out of time. So a few time-outs
are told and no more; a hook that raises, that fails again and again, or a rule that stops most payments is what broke.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from aegis_worker.domain.screening import Action
from aegis_worker.hooks.counts import RAN, End
from aegis_worker.hooks.statistics import HookStatistics

VALIDATING = "hooks that validate"
# Up to so many time-outs and ended processes, or up to this share of what a hook was asked, may be the rehearsal's doing.
_FEW, _SHARE = 3, 0.1
# Of fewer payments nothing is said of who stops most of them.
_ENOUGH, _MOST = 5, 0.5
STOPS = frozenset({Action.BLOCK, Action.REVIEW})
"""What is not sent."""
_RAISED = ("raised", "answered")
_IN_WORDS = {
    End.FAILED: "raised, or answered what is no answer",
    End.TIMED_OUT: "timed out",
    End.CRASHED: "its process ended while it ran",
    End.REFUSED: "its breaker was open",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """So many answers of one source alike. `source`: `hook …` or `rule …`; `action`: what it led to; `failed`: why it gave
    no answer; `example`: one of the payments.
    """

    source: str
    action: str
    failed: str | None
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class NotTaken:
    """What a hook that listens has not taken: so many events, and its last error."""

    hook: str
    events: int
    error: str | None


@dataclass(slots=True)
class Blame:
    """One hook or rule. `failed` of the `asked` times, by `why`; `stopped` of the `payments`; `untold`: events that it
    did not take. `broke`: it, and no crash, is what is wrong.
    """

    source: str
    asked: int = 0
    failed: int = 0
    stopped: int = 0
    payments: int = 0
    untold: int = 0
    broke: bool = False
    why: Counter[str] = field(default_factory=Counter)
    example: str | None = None

    @property
    def stops(self) -> bool:
        """Whether it lets hardly a payment through."""
        return self.payments >= _ENOUGH and self.stopped >= self.payments * _MOST

    def in_words(self) -> str:
        """What it did, in one line."""
        parts = [
            f"failed {self.failed} of {self.asked} times ({_most_common(self.why)})" if self.failed else "",
            f"stopped {self.stopped} of {self.payments} payments" if self.stopped else "",
            f"did not take {self.untold} events" if self.untold else "",
        ]
        return "; ".join(filter(None, parts))


def blamed(
    seen: Iterable[Seen],
    screened: int,
    statistics: Mapping[str, HookStatistics],
    not_taken: Iterable[NotTaken],
    refused: Sequence[str],
    posted: int,
    validating: Sequence[str],
) -> list[Blame]:
    """Every hook and rule that failed or stopped payments, those that broke first.

    `screened`: so many payments were asked about; `refused`: why requests were refused at intake, of `posted` in all;
    `validating`: the hooks that may have done that.
    """
    found: dict[str, Blame] = {}
    for one in seen:
        _add(found.setdefault(one.source, Blame(one.source, payments=screened)), one)
    for hook, counted in statistics.items():
        _add_statistics(found.setdefault(f"hook {hook}", Blame(f"hook {hook}", payments=screened)), counted)
    for left in not_taken:
        blame = found.setdefault(f"hook {left.hook}", Blame(f"hook {left.hook}"))
        blame.untold += left.events
        if not blame.failed:
            blame.failed, blame.asked = left.events, max(blame.asked, left.events)
            blame.why[left.error or "no error"] += left.events
    if refused and validating:
        name = f"hook {validating[0]}" if len(validating) == 1 else f"{VALIDATING}: {', '.join(validating)}"
        blame = found.setdefault(name, Blame(name))
        blame.stopped, blame.payments = len(refused), posted
        blame.why.update(refused)
    for blame in found.values():
        blame.broke = _is_broken(blame)
    told = [blame for blame in found.values() if blame.failed or blame.stopped or blame.untold]
    return sorted(told, key=lambda one: (not one.broke, -one.failed - one.stopped, one.source))


def _add(blame: Blame, seen: Seen) -> None:
    blame.asked += seen.count
    if seen.failed is not None:
        blame.failed += seen.count
        blame.why[seen.failed] += seen.count
    if seen.action in STOPS:
        blame.stopped += seen.count
        blame.example = blame.example or seen.example


def _add_statistics(blame: Blame, counted: HookStatistics) -> None:
    """What all processes counted, where that is more than what stands with payments."""
    counts = counted.counts
    failed = {end: counts.get(end, 0) for end in _IN_WORDS if counts.get(end, 0)}
    asked = sum(counts.get(end, 0) for end in (*RAN, End.REFUSED))
    blame.asked = max(blame.asked, asked)
    if sum(failed.values()) > blame.failed:
        blame.failed = sum(failed.values())
        blame.why = Counter({_IN_WORDS[end]: count for end, count in failed.items()})


def _is_broken(blame: Blame) -> bool:
    if blame.stops:
        return True
    if not blame.source.startswith("hook"):
        return False  # a rule fails only where Redis can't be asked, and then does as it is set
    raised = any(why.startswith(_RAISED) for why in blame.why)
    return blame.failed > 0 and (raised or (blame.failed > _FEW and blame.failed >= blame.asked * _SHARE))


def _most_common(why: Counter[str]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in why.most_common(3))
