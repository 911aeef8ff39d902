"""Which gateways may take a payment, and in which order."""
