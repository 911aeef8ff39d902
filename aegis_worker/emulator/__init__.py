"""A payment gateway to test against: a server of its own with a durable ledger and scripted behaviour.

It simulates somebody else's system and is the witness that AegisPay's claims are compared with, so it imports
nothing of AegisPay. `python -m aegis_worker.emulator --help` says how to start it, `--scripts` what
each test token does.
"""
