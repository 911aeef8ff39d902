"""Answers and webhooks that are lost or spoilt on the way, at each gateway that ships."""

from support.conformance import SUBJECTS

from aegis_worker.lab.conformance.scenarios.spoilt_on_the_way import *  # noqa: F403

__all__ = ["SUBJECTS"]
