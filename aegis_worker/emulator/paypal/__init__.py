"""The same ledger and scripts behind PayPal's wire format: Orders v2, Payments v2, events signed with a certificate.

Written after developer.paypal.com/api/rest; tests hold it against PayPal's OpenAPI documents.
"""
