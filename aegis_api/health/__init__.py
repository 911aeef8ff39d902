"""Whether this process is alive and ready for requests, and its metrics."""
