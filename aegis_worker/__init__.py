"""AegisPay: payments accepted in milliseconds, charged on a worker, reconciled with what the gateway says."""

__version__ = "0.1.0"
