"""Cards by number, at each gateway that ships."""

from support.conformance import SUBJECTS

from aegis_worker.lab.conformance.scenarios.cards_by_number import *  # noqa: F403

__all__ = ["SUBJECTS"]
