"""The same ledger and scripts behind Razorpay's wire format: orders, payments that the payer makes in Checkout, refunds.

Written after razorpay.com/docs/api; tests hold it against Razorpay's SDK and its fixtures.
"""
