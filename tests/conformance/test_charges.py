"""Charges, at each gateway that ships."""

from support.conformance import SUBJECTS

from aegis_worker.lab.conformance.scenarios.charges import *  # noqa: F403

__all__ = ["SUBJECTS"]
