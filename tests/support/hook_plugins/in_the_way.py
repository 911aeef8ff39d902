"""Hooks that stand in every payment's way, each in its own manner: for rehearsals, which have to say which one it was."""

from __future__ import annotations

import os
import time

from aegis_worker.hooks import EventFacts, FraudAnswer, FraudCheck, Problem, Validating, hookimpl

_A_MINUTE_S = 60.0


class Raises:
    """A fraud check that knows no payment."""

    @staticmethod
    @hookimpl
    def fraud_check(context: FraudCheck) -> FraudAnswer | None:
        raise KeyError("region")


class Hangs:
    """A fraud check that waits for somebody who never answers."""

    @staticmethod
    @hookimpl
    def fraud_check(context: FraudCheck) -> FraudAnswer | None:
        time.sleep(_A_MINUTE_S)
        return None


class Dies:
    """A fraud check that takes its process with it."""

    @staticmethod
    @hookimpl
    def fraud_check(context: FraudCheck) -> FraudAnswer | None:
        os._exit(3)


class Refuses:
    """A validation that likes no request."""

    @staticmethod
    @hookimpl
    def validate_payment(context: Validating) -> list[Problem]:
        return [Problem("/amount", "unlucky", "Not this one.")]


class Deaf:
    """A listener that takes no event."""

    @staticmethod
    @hookimpl
    def listen(context: EventFacts) -> None:
        raise OSError("the desk is away")
