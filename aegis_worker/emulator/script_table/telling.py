"""What becomes of the webhooks about a payment: the charge is approved each time."""

from __future__ import annotations

from ..scripts import Script, Telling

_WEEK_S = 604_800

TELLING = (
    Script("webhook_lost", "approves; its webhooks are never sent", 84, telling=Telling.LOST),
    Script(
        "webhook_late",
        "approves; its webhooks are sent N s (5) later",
        85,
        takes="telling_s",
        most=3600,
        telling=Telling.LATE,
        telling_s=5,
    ),
    Script("webhook_repeated", "approves; each webhook is sent three times", 86, telling=Telling.REPEATED),
    Script(
        "webhook_reordered",
        "approves; what it tells within N s (2) of its creation is sent after that, the newest first",
        87,
        takes="telling_s",
        telling=Telling.REORDERED,
        telling_s=2,
    ),
    Script(
        "webhook_forged",
        "approves; the amount in its webhooks was changed after they were signed",
        88,
        telling=Telling.FORGED,
    ),
    Script(
        "webhook_wrong_secret",
        "approves; its webhooks are signed with another secret",
        89,
        telling=Telling.WRONG_SECRET,
    ),
    Script("webhook_unsigned", "approves; its webhooks bear no signature", 90, telling=Telling.UNSIGNED),
    Script(
        "webhook_old",
        "approves; its webhooks were signed N s (3600) ago",
        91,
        takes="telling_s",
        most=_WEEK_S,
        telling=Telling.OLD,
        telling_s=3600,
        wires=frozenset({"sandbox", "stripe", "paypal", "braintree"}),
    ),
    Script(
        "webhook_other_account",
        "approves; its webhooks name another account",
        93,
        telling=Telling.OTHER_ACCOUNT,
        wires=frozenset({"stripe", "adyen", "razorpay"}),
    ),
    Script(
        "webhook_other_mode",
        "approves; its webhooks say that the money is real",
        94,
        telling=Telling.OTHER_MODE,
        wires=frozenset({"stripe", "adyen"}),
    ),
    Script(
        "webhook_unknown_kind",
        "approves; its webhooks are of a kind that nobody knows",
        95,
        telling=Telling.UNKNOWN_KIND,
    ),
    Script(
        "webhook_malformed",
        "approves; its webhooks are half a body, signed as it is where the signature is in the head",
        96,
        telling=Telling.MALFORMED,
    ),
)
