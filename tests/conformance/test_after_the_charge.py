"""Captures, voids and refunds, at each gateway that ships."""

from support.conformance import SUBJECTS

from aegis_worker.lab.conformance.scenarios.after_the_charge import *  # noqa: F403

__all__ = ["SUBJECTS"]
