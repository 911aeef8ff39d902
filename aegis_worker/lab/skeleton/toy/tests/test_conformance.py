"""Every scenario of AegisPay's conformance suite, at the emulator of this package."""

from aegispay_toy.adapter import ToyAdapter

from aegis_worker.lab.conformance.scenarios import *  # noqa: F403
from aegis_worker.lab.conformance.subject import Subject

# What this gateway does not have, each with its reason. What its adapter says that it lacks is skipped by itself.
SKIPS = {"three_d_secure_without_the_payer": "waits for a payer who is not there"}
SUBJECTS = {"toy": Subject("toy", ToyAdapter, "key_emulator", "Toy-Signature", skips=SKIPS)}
