"""Razorpay: Orders, Payments, Refunds and Disputes of its API v1, paid in Checkout."""
