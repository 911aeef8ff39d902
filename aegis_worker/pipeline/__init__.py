"""The way of a payment through its gateways: claim, plan, open, call, settle, record."""
