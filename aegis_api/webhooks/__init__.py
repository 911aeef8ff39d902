"""Webhooks: the endpoints to which a merchant's events are posted, and the fate of each delivery."""
