"""Tasks that read the jobs table and work on what is due."""

from __future__ import annotations

from dataclasses import asdict

from aegis_worker.celery import app
from aegis_worker.pipeline.run import run
from aegis_worker.wiring import process


@app.task(name="payments.run")
def run_payments() -> dict[str, int]:
    """Work on due payments: charge them."""
    return _run("payments")


@app.task(name="payments.verify")
def verify_payments() -> dict[str, int]:
    """Ask the gateways about payments that are in doubt, pending or waiting for the payer."""
    return _run("verify")


def _run(queue: str) -> dict[str, int]:
    parts = process.worker()
    parts.hints.clear(queue)
    return asdict(run(parts.pipeline, queue))
