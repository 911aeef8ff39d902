"""However often a charge or capture is repeated, and whatever is lost on the way, no order is captured twice."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.razorpay_answers import (
    CAPTURE,
    CHARGE,
    MADE_AT_S,
    adapter,
    answer,
    failed,
    listed,
    payment,
    refusal,
    released,
)

from aegis_worker.domain.outcomes import Approved, Declined, NotSent, Unknown
from aegis_worker.gateways.kit.flows import HttpAnswer, HttpCall, NoAnswer
from aegis_worker.gateways.requests import GatewayRequest

# What becomes of a call on its way: nothing, it never arrives, or its answer does not.
ON_ITS_WAY = st.sampled_from(["answered", "answered", "unsent", "lost", "unanswered"])
AN_ORDER = st.lists(
    st.sampled_from([payment(), payment("created"), failed(), released()]), min_size=0, max_size=4
)


class Razorpay:
    """An order with its payments, as Razorpay would have them."""

    def __init__(self, payments: list[dict[str, Any]]) -> None:
        self.payments = [
            {**one, "id": f"pay_{number}", "created_at": MADE_AT_S + number}
            for number, one in enumerate(payments)
        ]

    @property
    def taken(self) -> list[str]:
        return [one["id"] for one in self.payments if one["captured"]]

    def answers(self, call: HttpCall) -> HttpAnswer:
        if call.method == "GET":
            return listed(*self.payments)
        asked = next(one for one in self.payments if f"/{one['id']}/" in call.path)
        if asked["status"] != "authorized" or self.taken:
            return refusal("This payment has already been captured")
        asked |= {"status": "captured", "captured": True}
        return answer(asked)


def sent(server: Razorpay, request: GatewayRequest, ways: st.DataObject) -> Any:
    """What comes of the request when its calls go these ways."""
    flow = getattr(adapter(), request.operation.value)(request)
    try:
        call = next(flow)
        while True:
            way = ways.draw(ON_ITS_WAY)
            if way == "unsent":
                call = flow.throw(NoAnswer(NotSent("refused")))
            elif way == "lost":
                call = flow.throw(NoAnswer(Unknown("reset")))
            else:
                said = server.answers(call)
                call = flow.send(said) if way == "answered" else flow.throw(NoAnswer(Unknown("no answer")))
    except StopIteration as end:
        return end.value
    except NoAnswer as none:
        return none.outcome


@given(AN_ORDER, st.sampled_from([CHARGE, CAPTURE]), st.data())
def test_no_order_is_captured_twice(
    payments: list[dict[str, Any]], request: GatewayRequest, ways: st.DataObject
) -> None:
    server = Razorpay(payments)
    could_be_taken = any(one["status"] == "authorized" for one in server.payments)
    for _ in range(4):
        said = sent(server, request, ways)
        assert len(server.taken) <= 1
        if isinstance(said, Approved):
            assert server.taken
        if isinstance(said, Declined):
            assert not server.taken
            assert not could_be_taken
    assert could_be_taken or not server.taken
