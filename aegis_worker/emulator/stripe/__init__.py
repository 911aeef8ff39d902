"""The same ledger and scripts behind Stripe's wire format: PaymentIntents, refunds, payment methods, signed events.

Written after docs.stripe.com/api; what its objects show is held against an official object of each type in tests.
"""
