"""The adapter of Stripe: PaymentIntents, refunds, signed events."""
