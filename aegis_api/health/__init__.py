"""Whether this process lives and may be sent requests, and its metrics."""
