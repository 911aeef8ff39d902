"""What each operation does to a payment under a script. Pure but for the payment it is given and changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .challenges import new_secret
from .payments import ALLOWED_IN, Payment, Status
from .replies import Refusal
from .scripts import Effect, Script


@dataclass(frozen=True, slots=True)
class Done:
    """`status`: HTTP. `at`: when it shows, in seconds since 1970, later than now for a late commit.

    At `due_at` it fails with `due_error`, or, without one, is no longer pending.
    """

    status: int
    amount: int
    at: float
    error_code: str = ""
    due_at: float | None = None
    due_error: str = ""

    @property
    def ends_as(self) -> str:
        """How it stands for now."""
        if self.error_code:
            return "failed"
        return "pending" if self.status == 202 and self.due_at is not None else "succeeded"


def carry_out(
    operation: str,
    payment: Payment,
    script: Script,
    amount: int | None,
    now: float,
    is_new: bool,
    *,
    final: bool = True,
    passed: bool = True,
    charges: bool = True,
) -> Done:
    """Apply `operation` for `amount` minor units (None: all). Raises Refusal where the state forbids it.

    `final`, of a capture: what is left of the hold is released. Of a confirm: whether the payer `passed` the challenge, and
    whether it was a charge that waited for it.
    """
    if not is_new:
        _check_state(operation, payment)
    amount = _checked_amount(operation, payment, amount)
    if operation == "confirm":
        script = script if passed else _FAILED_CHALLENGE
        payment.client_secret = ""
    if script.effect is Effect.DECLINE:
        if operation in _DECLINE_ENDS_PAYMENT:
            payment.become(Status.FAILED, script.code)
        return Done(402, amount, now, script.code)
    if operation == "capture":
        payment.capture(amount, final)
        return _moved(script, amount, now)
    if operation == "confirm":
        return _confirm(payment, script, amount, now, charges)
    return _OPERATIONS[operation](payment, script, amount, now, is_new)


_DECLINE_ENDS_PAYMENT = frozenset({"create", "authenticate", "charge", "confirm"})
_FAILED_CHALLENGE = Script("failed", "", 0, Effect.DECLINE, code="authentication_failed")


def _check_state(operation: str, payment: Payment) -> None:
    if operation == "charge" and payment.status is Status.FAILED:
        raise Refusal(402, payment.error_code, "this payment was declined")
    if payment.status in (Status.CREATED, Status.AUTHENTICATED) and payment.due_at is not None:
        raise Refusal(409, "payment_busy", "a charge of this payment is under way")
    if payment.status not in ALLOWED_IN[operation]:
        raise Refusal(409, "invalid_state", f"cannot {operation} a payment that is {payment.status}")


def _checked_amount(operation: str, payment: Payment, amount: int | None) -> int:
    limits = {"capture": payment.authorized - payment.captured, "refund": payment.captured - payment.refunded}
    most = limits.get(operation, payment.amount)
    amount = most if amount is None else amount
    if not 0 < amount <= most:
        raise Refusal(422, "amount_too_large", f"{operation}: at most {most} minor units")
    if operation not in ("capture", "refund") and amount != most:
        raise Refusal(422, "amount_mismatch", f"{operation}: only the whole {most} minor units")
    return amount


def _create(payment: Payment, script: Script, amount: int, now: float, is_new: bool) -> Done:
    return Done(201, amount, now)


def _authenticate(payment: Payment, script: Script, amount: int, now: float, is_new: bool) -> Done:
    if payment.status is Status.CREATED:
        if script.payer_must_act:
            _ask_payer(payment, script, now, Status.AUTHENTICATED)
        else:
            payment.become(Status.AUTHENTICATED)
    return Done(201 if is_new else 200, amount, now)


def _charge(payment: Payment, script: Script, amount: int, now: float, is_new: bool) -> Done:
    if script.payer_must_act and payment.status is Status.CREATED:
        _ask_payer(payment, script, now, payment.charged_status)
        return Done(200, amount, now)
    if script.effect is Effect.PENDING:
        payment.become(Status.PENDING)
        ends_as = Status.FAILED if script.code else payment.charged_status
        payment.schedule(now + script.settle_s, ends_as, script.code)
        return Done(202, amount, now)
    if script.commit_after_s:
        payment.status = Status.UNBORN if is_new else payment.status
        payment.schedule(now + script.commit_after_s, payment.charged_status)
        return Done(200, amount, now + script.commit_after_s)
    payment.become(payment.charged_status)
    return Done(200, amount, now)


def _confirm(payment: Payment, script: Script, amount: int, now: float, charges: bool) -> Done:
    then = payment.charged_status if charges else Status.AUTHENTICATED
    if script.payer_must_act:
        _ask_payer(payment, script, now, then)
        return Done(200, amount, now)
    if not charges:
        payment.become(Status.AUTHENTICATED)
        return Done(200, amount, now)
    payment.due_at = None
    return _charge(payment, script, amount, now, is_new=False)


def _ask_payer(payment: Payment, script: Script, now: float, then: Status) -> None:
    payment.client_secret = new_secret() if script.in_frontend else ""
    payment.become(Status.REQUIRES_ACTION)
    payment.schedule(now + script.payer_s, Status.FAILED if script.code else then, script.code)


def _void(payment: Payment, script: Script, amount: int, now: float, is_new: bool) -> Done:
    payment.void()
    return Done(200, amount, now)


def _close(payment: Payment, script: Script, amount: int, now: float, is_new: bool) -> Done:
    payment.client_secret = ""
    payment.become(Status.VOIDED)
    return Done(200, amount, now)


def _refund(payment: Payment, script: Script, amount: int, now: float, is_new: bool) -> Done:
    payment.refund(amount)
    return _moved(script, amount, now)


def _moved(script: Script, amount: int, now: float) -> Done:
    """A capture or refund that was taken in: done, done later, or taken back later."""
    if script.effect is Effect.PENDING:
        return Done(202, amount, now, due_at=now + script.settle_s, due_error=script.code)
    if script.effect is Effect.TAKE_BACK:
        return Done(200, amount, now, due_at=now + script.settle_s, due_error=script.code)
    return Done(200, amount, now)


_OPERATIONS: dict[str, Callable[[Payment, Script, int, float, bool], Done]] = {
    "create": _create,
    "authenticate": _authenticate,
    "charge": _charge,
    "void": _void,
    "refund": _refund,
    "close": _close,
}
