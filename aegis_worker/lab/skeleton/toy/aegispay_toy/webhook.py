"""The gateway's webhooks: checks that they are genuine, and translates them."""

from collections.abc import Mapping, Sequence

from aegis_worker.gateways import interface as aegis


def event(
    secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now_s: float
) -> aegis.GatewayEvent:
    """The event, in AegisPay's words. Raises InvalidWebhook if it is forged, older than 5 minutes, or not an event."""
    aegis.check_timed_signature("Toy-Signature", secrets, headers, body, now_s, age_s=300)
    try:
        told = aegis.parsed(body)
        payment = aegis.child(told, "payment")
        return aegis.GatewayEvent(
            event_id=aegis.identifier(told, "id"),
            reference=aegis.identifier(told, "reference"),
            gateway_ref=aegis.identifier(payment, "id"),
            kind=aegis.identifier(told, "type"),
            amount=aegis.Money(aegis.minor_units(payment, "amount"), aegis.currency(payment)),
        )
    except aegis.Unreadable as problem:
        raise aegis.InvalidWebhook(f"not an event of Toy: {problem}") from problem
