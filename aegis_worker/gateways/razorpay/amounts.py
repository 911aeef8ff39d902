"""Razorpay's own units. Pure.

Source: github.com/razorpay/markdown-docs, payments/international-payments.md, "Supported Currencies".
"""

from __future__ import annotations

from ..kit.amounts import Amounts

_TAKEN = """
AED ALL AMD AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BZD CAD CHF CLP CNY COP CRC CUP CVE CZK DJF DKK
DOP DZD EGP ETB EUR FJD GBP GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD ISK JMD JOD JPY KES KGS KHR KMF KRW
KWD KYD KZT LAK LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PEN PGK PHP
PKR PLN PYG QAR RON RSD RUB RWF SAR SCR SEK SGD SOS SVC SZL THB TND TRY TTD TWD TZS UAH UGX USD UYU UZS VND VUV XAF XCD
XOF XPF YER ZAR ZMW
"""
# "You should pass the last decimal number as 0 for three decimal currency payments."
_THREE_DECIMALS = ("BHD", "IQD", "JOD", "KWD", "OMR", "TND")

AMOUNTS = Amounts(steps=dict.fromkeys(_THREE_DECIMALS, 10), currencies=frozenset(_TAKEN.split()))
