"""Payments: accepting, reading and listing them, and their history."""
