"""The faults of an instance: each is explained, and what there is not is refused with what there is."""

from __future__ import annotations

import pytest

from aegis_worker.emulator.faults import MEANS, FaultSwitch


def test_every_fault_says_what_it_does() -> None:
    assert list(MEANS) == list(FaultSwitch.usual)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"speed": 1}, "unknown fault: speed; there are latency_ms"),
        ({"latency_ms": -1}, "latency_ms: expected 0 to 120000"),
        ({"latency_ms": "1"}, "latency_ms: expected int"),
        ({"fail_share": 2}, "fail_share: expected 0 to 1"),
        ({"fail_script": "dorp"}, "no script named 'dorp'"),
        ({"movement_script": "3ds"}, "'3ds' cannot act on"),
    ],
)
def test_a_fault_that_there_is_not_is_refused(wanted: dict[str, object], said: str) -> None:
    switch = FaultSwitch()
    with pytest.raises(ValueError, match=said):
        switch.set(wanted)
    assert switch.as_dict() == FaultSwitch.usual
