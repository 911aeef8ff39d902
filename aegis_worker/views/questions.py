"""The JSON form of what gateways said when they were asked about a payment."""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.moments import rfc3339
from aegis_worker.domain.outcomes import NotFound, Unknown
from aegis_worker.review.answers import Said
from aegis_worker.review.questions import Asked


def asked_body(asked: Asked) -> dict[str, Any]:
    """What each gateway said of each call, and what that proves."""
    return {
        "object": "answers_of_gateways",
        "payment_id": asked.payment_id,
        "version": asked.version,
        "at": rfc3339(asked.at),
        "gateways_say": [
            {
                "gateway": said.call.gateway,
                "operation": said.call.operation,
                "attempt": said.call.number,
                "says": said.in_words,
                "proves": _proves(said),
            }
            for said in asked.says
        ],
        "settles": asked.job_id is not None,
        "job_id": asked.job_id,
    }


def _proves(said: Said) -> str:
    """`what_it_says`, `absence`, `too_early` (it may not show the call yet) or `nothing`."""
    if isinstance(said.outcome, Unknown):
        return "nothing"
    if isinstance(said.outcome, NotFound):
        return "absence" if said.sent_ago_s >= said.absent_after_s else "too_early"
    return "what_it_says"
