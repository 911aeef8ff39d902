"""The schema of why something was declined. Payments, captures and refunds show it alike."""

from __future__ import annotations

from aegis_worker.domain.declines import ADVICE, CATEGORIES, DECLINES

from .documented import Answer, one_of, table, text


class LastErrorSchema(Answer):
    """Why the payment was declined, as AegisPay classifies it and as the gateway said it."""

    code = one_of(
        *DECLINES,
        description=table(
            ("code", "category", "advised_action", "meaning"),
            *((code, told.category, told.advised_action, told.meaning) for code, told in DECLINES.items()),
        ),
    )
    category = one_of(*CATEGORIES, description=table(("category", "meaning"), *CATEGORIES.items()))
    advised_action = one_of(*ADVICE, description=table(("advised_action", "meaning"), *ADVICE.items()))
    gateway = text("The gateway that declined; null if no gateway was asked.", none=True)
    gateway_code = text("The gateway's own code.", none=True)
    message = text("The gateway's own message, or AegisPay's; for people, not for programs.")
