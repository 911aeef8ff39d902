"""The seconds that all plots of a run share, and what is marked in each of them. Pure."""

from __future__ import annotations

from ..facts import Facts
from . import svg
from .svg import Frame

# Payments may end after the load; the axis is extended for them, up to this many seconds.
_MOST_AFTER_S = 60.0


def frame_of(facts: Facts, height: int) -> Frame:
    """From the start of the load to its end, or to the last payment's end."""
    last_s = max((one.ended_s for one in facts.paid if one.ended_s is not None), default=0.0)
    whole_s = facts.phases.whole_s
    return Frame(0.0, max(whole_s, min(last_s, whole_s + _MOST_AFTER_S)) + 1.0, height)


def phases_in(frame: Frame, facts: Facts) -> str:
    """When things were broken, when the load was over, and when processes were struck."""
    phases = facts.phases
    return "".join(
        [
            svg.band(frame, phases.steady_s, phases.faults_end_s, "band-faults", "things are broken"),
            svg.band(frame, phases.whole_s, frame.until_s, "band-after", "no more load"),
            *(
                svg.mark(frame, one.at_s, "mark-strike", f"{one.at_s:.1f} s: {one.kind}")
                for one in facts.struck
            ),
        ]
    )
