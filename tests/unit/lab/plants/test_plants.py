"""Faults that are planted: each is found where it is to be planted, and gone afterwards."""

from __future__ import annotations

from importlib import import_module

import pytest

from aegis_worker.gateway_events import disputes, follow
from aegis_worker.lab.plants import PLANTS, planted
from aegis_worker.lab.plants.patching import name_in
from aegis_worker.persistence import claims, job_store
from aegis_worker.persistence import record as recording
from aegis_worker.pipeline import advance, effects, recheck
from aegis_worker.pipeline.operations import absence, answers, ordered
from aegis_worker.pipeline.operations.charge import close
from aegis_worker.pipeline.operations.hold import Hold
from aegis_worker.pipeline.operations.refund import Refund

settle = import_module("aegis_worker.pipeline.operations.charge.settle")
_PLACES = (
    follow, claims, job_store, recording, advance, effects, recheck, absence, answers, settle, Hold, Refund, disputes,
)  # fmt: skip


def _as_it_is() -> list[dict[str, object]]:
    tables = [dict(settle._SETTLE), dict(ordered._SETTLE), dict(close._SETTLE)]
    return [dict(vars(place)) for place in _PLACES] + [
        {str(key): it for key, it in t.items()} for t in tables
    ]


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_fault_changes_the_product_and_leaves_it_as_it_was(name: str) -> None:
    before = _as_it_is()
    with planted((name,), in_postgres=True, in_model=True):
        assert _as_it_is() != before
    assert _as_it_is() == before


@pytest.mark.parametrize("name", PLANTS)
def test_a_fault_says_in_one_sentence_what_is_wrong(name: str) -> None:
    what = PLANTS[name].what
    assert what.endswith(".")
    assert what.count(". ") == 0


def test_nothing_is_planted_in_the_void() -> None:
    with pytest.raises(KeyError), name_in(absence, "no_such_guard", None):
        pass  # never reached
