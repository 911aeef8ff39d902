"""Sealing: what is kept encrypted and bound to its place, under keys that can be exchanged."""
