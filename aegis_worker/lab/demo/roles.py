"""What payments of a demo go through: the roles that they are cast in."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_worker.domain.entities import EntityStatus
from aegis_worker.domain.transitions import State

from .issuers import Issuer

PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Step:
    """What is ordered of a payment that is there: `captures`, `refunds` or `cancel`, as the API's path has it.

    `tenths` of the payment's amount; None: all that is left. `final`: the rest of a hold is released. `meanwhile`: the step
    before it may still be under way. `ends_as`: it has ended like this only, also where the gateway says another end first.
    """

    order: str
    tenths: int | None = None
    final: bool = False
    meanwhile: bool = False
    ends_as: EntityStatus = EntityStatus.SUCCEEDED


@dataclass(frozen=True, slots=True)
class Role:
    """What payments with these tokens go through; `{first}` in a token stands for the gateway that is tried first.

    `payer`: what the payer does who has to act, `pass` or `fail`. `fails_over`: all issuers have a token for it, because
    another gateway is tried as well. `may_end_as`: how else a payment may end, depending on when what the merchant does
    gets through.
    """

    name: str
    share: float
    tokens: tuple[str, ...]
    ends_as: State = State.SUCCESS
    capture_method: str = "automatic"
    steps: tuple[Step, ...] = ()
    payer: str = ""
    fails_over: bool = False
    may_end_as: tuple[State, ...] = ()

    @property
    def captures_often(self) -> bool:
        """Whether it captures more than once of a hold."""
        return [step.order for step in self.steps].count("captures") > 1

    @property
    def captures_parts(self) -> bool:
        """Whether it captures less than all of a hold."""
        return any(step.order == "captures" and step.tenths is not None for step in self.steps)

    @property
    def is_for_payers(self) -> bool:
        """Whether its payer is sent somewhere to act."""
        return all(token.startswith(("tok_3ds", "tok_sdk")) for token in self.tokens)

    def is_for(self, issuer: Issuer) -> bool:
        """Whether the gateway can go through it."""
        if self.captures_often and not issuer.captures_often:
            return False
        if self.captures_parts and not issuer.captures_parts:
            return False
        if self.is_for_payers and not issuer.authenticates:
            return False
        return issuer.releases or not (self.capture_method == "manual" and self.ends_as is State.CANCELLED)


# The demo and the crash test cast these, each with shares of its own.
DECLINED_FOR_GOOD = Role(
    "declined for good", 0.03, ("tok_hard_expired_card", "tok_hard_stolen_card"), State.FAILURE
)
DECLINED_EVERYWHERE = Role(
    "declined everywhere for now", 0.01, ("tok_soft_issuer_unavailable",), State.FAILURE, fails_over=True
)
DECLINED_BY_THE_FIRST = Role(
    "declined by the first gateway for now",
    0.04,
    ("tok_soft_try_again_at_{first}", "tok_soft_issuer_unavailable_at_{first}"),
    fails_over=True,
)
CHARGED_AND_DROPPED = Role("charged, connection dropped", 0.03, ("tok_drop",))
CHARGED_AND_500 = Role("charged, answered HTTP 500", 0.02, ("tok_500",))

ROLES = (
    DECLINED_FOR_GOOD,
    DECLINED_EVERYWHERE,
    DECLINED_BY_THE_FIRST,
    CHARGED_AND_DROPPED,
    CHARGED_AND_500,
    Role("3-D Secure", 0.03, ("tok_3ds_60",), payer="pass"),
    Role("3-D Secure, failed by the payer", 0.01, ("tok_3ds_fail_60",), State.FAILURE, payer="fail"),
    Role("pending at the gateway", 0.02, ("tok_pending",)),
    Role("held, captured whole", 0.01, ("tok_visa",), capture_method="manual", steps=(Step("captures"),)),
    Role(
        "held, captured in parts, refunded in part",
        0.02,
        ("tok_visa",),
        capture_method="manual",
        steps=(Step("captures", 5), Step("captures"), Step("refunds", 2)),
    ),
    Role(
        "held, captured in part, the rest released",
        0.02,
        ("tok_visa",),
        capture_method="manual",
        steps=(Step("captures", 6, final=True),),
    ),
    Role("held and released", 0.02, ("tok_visa",), State.CANCELLED, "manual", (Step("cancel"),)),
    Role("refunded", 0.02, ("tok_visa", "tok_drop_on_refund"), steps=(Step("refunds"),)),
    Role(
        "refunded while a refund is pending",
        0.02,
        ("tok_pending_2_on_refund",),
        steps=(Step("refunds", 3), Step("refunds", 2, meanwhile=True)),
    ),
    Role(
        "refunded, and the gateway took it back",
        0.01,
        ("tok_fails_late_2",),
        steps=(Step("refunds", 3, ends_as=EntityStatus.FAILED),),
    ),
)
ENDS_AS = {PLAIN: State.SUCCESS} | {role.name: role.ends_as for role in ROLES}
