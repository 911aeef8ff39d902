"""What of Adyen's calls and answers is kept for people to read; see `kit.allow_list`.

Not stored payment methods and shoppers: whoever has a key can charge with them. Nor actions: whoever has one acts as the
payer. Source of the fields: docs.adyen.com/api-explorer/Checkout/71/overview.
"""

from __future__ import annotations

from ..kit.allow_list import AllowList, below

_MONEY = below("amount", ("currency", "value"))
_CHANGE = {"merchantAccount", "reference", "paymentReference", *_MONEY}

ADYEN = AllowList(
    headers=frozenset({"content-type", "idempotency-key", "pspreference", "retry-after", "transient-error"}),
    sent=frozenset(
        {
            *_CHANGE,
            "additionalData.manualCapture",
            "captureDelayHours",
            "channel",
            "metadata.merchant_payment_id",
            "paymentMethod.networkPaymentReference",
            "paymentMethod.subtype",
            "paymentMethod.type",
            "recurringProcessingModel",
            "shopperInteraction",
        }
    ),
    received=frozenset(
        {
            *_CHANGE,
            "action.subtype",
            "action.type",
            *below(
                "additionalData",
                (
                    "acquirerCode",
                    "authCode",
                    "avsResult",
                    "cvcResult",
                    "merchantAdviceCode",
                    "merchantReference",
                    "networkTxReference",
                ),
            ),
            *below("additionalData", ("liabilityShift", "refusalReasonRaw", "threeDSVersion")),
            "errorCode",
            "errorType",
            "merchantReference",
            "paymentPspReference",
            "pspReference",
            "refusalReasonCode",
            "resultCode",
            "status",
        }
    ),
)
