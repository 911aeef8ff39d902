"""What is asked of the payer: challenges of 3-D Secure and redirects."""

from __future__ import annotations

from ..scripts import Effect, Script

_ASKED_ON = frozenset({"authenticate", "charge"})

PAYER = (
    Script(
        "3ds",
        "the payer must act: requires_action with a redirect_url, a page with two buttons; goes on when one is clicked, or"
        " after N s (2) as if it was passed",
        40,
        takes="payer_s",
        payer_must_act=True,
        payer_s=2,
        acts_on=_ASKED_ON,
    ),
    Script(
        "3ds_fail",
        "the same, but the check fails, whatever is clicked: `authentication_failed`",
        41,
        code="authentication_failed",
        takes="payer_s",
        payer_must_act=True,
        payer_s=2,
        acts_on=_ASKED_ON,
    ),
    Script(
        "3ds_declined",
        "the same; the payer passes, and the bank then declines with `do_not_honor`",
        30,
        code="do_not_honor",
        takes="payer_s",
        payer_must_act=True,
        payer_s=2,
        acts_on=_ASKED_ON,
    ),
    Script(
        "3ds_abandoned",
        "the same, but it goes on only when a button is clicked; after N s (60) it has failed with `authentication_failed`,"
        " and the payer who comes back later finds it so",
        31,
        code="authentication_failed",
        takes="payer_s",
        payer_must_act=True,
        payer_s=60,
        lapses=True,
        acts_on=_ASKED_ON,
    ),
    Script("3ds_frictionless", "approves; the payer's bank asked the payer nothing", 32),
    Script(
        "3ds_required",
        "declines with `authentication_required`: the bank wants a challenge, and the payer is not there",
        33,
        Effect.DECLINE,
        code="authentication_required",
    ),
    Script(
        "sdk",
        "the payer must act in the shop's frontend: requires_action with a client_secret; goes on with a confirm that"
        " carries the challenge's result, or fails with `authentication_failed` after N s (60)",
        45,
        code="authentication_failed",
        takes="payer_s",
        payer_must_act=True,
        payer_s=60,
        in_frontend=True,
        acts_on=_ASKED_ON,
        wires=frozenset({"sandbox", "adyen"}),
    ),
)
