"""Scenarios: which calls of a run follow which script, by number, token, amount or header, replayable by a seed."""
