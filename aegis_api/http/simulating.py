"""What the routes share that try a configuration on past payments."""

from __future__ import annotations

from .fields import Whole
from .query_fields import PastMoment

# A simulation holds a thread, so it stops after this time, or up to one page of payments later.
SIMULATION_S = 10.0
# For the same reason; `aegis routing simulate` and `aegis rules simulate` take more payments.
_MOST_SIMULATED = 20_000
_SIMULATED = 5000


def since() -> PastMoment:
    """From when on payments are taken."""
    return PastMoment(
        metadata={"description": "Take payments accepted since this time. The default is 7 days ago."}
    )


def most_payments(which: str) -> Whole:
    """How many payments are taken; `which` says which of them, and in which order they are replayed."""
    return Whole(
        1,
        _MOST_SIMULATED,
        load_default=_SIMULATED,
        metadata={
            "description": f"How many payments to take at most{which}",
            "default": _SIMULATED,
        },
    )
