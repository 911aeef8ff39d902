"""Faults on purpose: named places at which a process can be made to die."""
