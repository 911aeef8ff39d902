"""Metrics: one table of all, one meter in each process, and sinks that take what it counted."""
