"""The same ledger and scripts behind Braintree's wire format: transactions as XML, signed notifications as forms.

Written after developer.paypal.com/braintree/docs; the official SDK referees it in tests.
"""
