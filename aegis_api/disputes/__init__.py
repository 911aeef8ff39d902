"""Disputes, which come from gateways: they are read here, and answered at the gateway."""
