"""PayPal: Orders v2, Payments v2 and Customer Disputes v1."""
