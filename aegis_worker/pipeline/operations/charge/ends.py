"""The end of a payment without a charge: when it comes before anything more is tried, and what it ends with. Pure."""

from __future__ import annotations

from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.changes import JobChange
from aegis_worker.domain.declines import describe_error
from aegis_worker.domain.outcomes import CHARGING_STEPS
from aegis_worker.domain.payment import Fact, failed
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.domain.wishes import standing
from aegis_worker.pipeline.work import Rest, Work

from .hops import is_for_the_vault
from .verdict import nobody_can_demand


def last_error(work: Work) -> dict[str, str | None]:
    """What the payment ends with when nothing more is tried: the latest refusal, in the words of `domain.declines`."""
    latest = latest_refusal(work) or work.latest
    if latest is None:
        left_out = "; ".join(f"{name} {why}" for name, why in work.route.decision.left_out.items())
        if work.route.decision.wait_s is not None:
            code, message = (
                "gateway_unavailable",
                f"every gateway for this payment is down or paused: {left_out}",
            )
        elif nobody_can_demand(work):
            code, message = (
                "three_ds_unavailable",
                f"no gateway can demand 3-D Secure for this payment: {left_out}",
            )
        else:
            code, message = "no_eligible_gateway", f"no configured gateway takes this payment: {left_out}"
        return describe_error(code, gateway=None, gateway_code=None, message=message)
    outcome = latest.outcome
    if latest.status == "DECLINED":
        return describe_error(
            outcome.decline_code,
            gateway=latest.gateway,
            gateway_code=outcome.gateway_code,
            message=outcome.message or "",
        )
    reason = outcome.reason or "it can't be reached"
    if is_for_the_vault(latest):
        return describe_error("vault_unavailable", gateway=None, gateway_code=None, message=reason)
    return describe_error("gateway_unavailable", gateway=latest.gateway, gateway_code=None, message=reason)


def give_up(work: Work) -> Rest:
    """The payment's end without a charge."""
    error = last_error(work)
    return Rest(JobChange("failed", reason=error["code"]), failed(error))


def given_up_by_hook(work: Work) -> Rest | None:
    """The end of a payment whose latest refusal an error hook wants to be the last."""
    latest = latest_refusal(work)
    wish = standing(latest.outcome.wishes) if latest is not None else None
    return give_up(work) if wish is not None and wish.ask == "cancel" else None


def called_off(work: Work) -> Rest | None:
    """The end of a payment that its merchant has cancelled, or whose customer was erased, and that no gateway has charged;
    None where neither is so.

    Once it was sent to be charged it can only fail.
    """
    if work.payment.is_erased and latest_refusal(work) is not None:
        return give_up(work)
    if work.payment.is_erased:
        message = "what was known of the customer was erased"
        error = describe_error("payer_erased", gateway=None, gateway_code=None, message=message)
        return Rest(JobChange("failed", reason="payer_erased"), failed(error))
    if not work.payment.cancelling:
        return None
    if work.payment.state is State.PROCESSING:
        return give_up(work)
    fact = Fact(EventType.CANCELLED, {"reason": "cancelled by the merchant"})
    return Rest(JobChange("failed", reason="cancelled"), [fact])


def latest_refusal(work: Work) -> Attempt | None:
    steps = [one for one in work.attempts if one.operation in CHARGING_STEPS]
    return next((one for one in reversed(steps) if one.status in ("DECLINED", "NOT_SENT")), None)
