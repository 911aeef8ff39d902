"""Included in a worker: it dies as soon as it takes up a payment with the token `tok_poison`."""

from __future__ import annotations

import os
import signal

from aegis_worker.pipeline import advance
from aegis_worker.pipeline.operations import next_step
from aegis_worker.pipeline.work import Policy, Rest, Step, Work


def _deadly(work: Work, policy: Policy) -> Step:
    step = next_step(work, policy)
    if work.payment.payment_method.get("token") == "tok_poison" and not isinstance(step, Rest):
        os.kill(os.getpid(), signal.SIGKILL)
    return step


vars(advance)["next_step"] = _deadly
