"""Payments: accepted, looked at, listed; their history."""
