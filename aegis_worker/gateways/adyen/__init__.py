"""The adapter of Adyen: Checkout's payments, details, captures, cancels and refunds, and its signed standard webhooks."""
