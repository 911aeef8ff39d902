"""Answers and events that are not ours, and secrets, at each gateway that ships."""

from support.conformance import SUBJECTS

from aegis_worker.lab.conformance.scenarios.whose_answer import *  # noqa: F403

__all__ = ["SUBJECTS"]
