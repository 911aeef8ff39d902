"""Breaks what a worker depends on, on purpose and by a plan: gateways' calls, Redis, PostgreSQL, hints, the clock.

`AEGIS_CHAOS=FILE` turns it on for a process. A process without it has none of this in its way.
"""
