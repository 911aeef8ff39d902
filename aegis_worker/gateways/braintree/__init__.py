"""Braintree: transactions and disputes over its XML gateway API."""
