"""What the payer has to do."""

from __future__ import annotations

from datetime import datetime

import pytest

from aegis_worker.domain.actions import NextAction, Qr, Redirect, Sdk, texts_of
from aegis_worker.domain.outcomes import ActionRequired

ACTIONS: list[tuple[NextAction, str]] = [
    (Redirect("https://bank.example/3ds?secret=canary"), "redirect"),
    (Sdk("stripe", {"client_secret": "canary", "more": [{"n": 1}]}), "sdk"),
    (Qr("upi://pay?tr=canary", "https://gateway.example/qr/canary.png"), "qr"),
]


@pytest.mark.parametrize(("action", "type_"), ACTIONS)
def test_an_action_tells_its_type_and_hides_the_rest_where_it_may_be_logged(
    action: NextAction, type_: str
) -> None:
    assert (action.type, action.told["type"]) == (type_, type_)
    assert "canary" not in repr(ActionRequired("ref_1", action))
    assert "canary" in str(action.told)


def test_every_text_of_an_action_is_found_however_deep() -> None:
    assert {"client_secret", "canary", "n", "1"} <= set(texts_of(ACTIONS[1][0]))


def test_an_end_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        ActionRequired("ref_1", Redirect("https://bank.example"), datetime(2026, 11, 27))
