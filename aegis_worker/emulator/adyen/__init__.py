"""The same ledger and scripts behind Adyen's wire format: Checkout v71, notifications signed item by item.

Written after docs.adyen.com/api-explorer/Checkout/71; tests hold it against Adyen's OpenAPI documents.
"""
