"""The adapter of a gateway in this process, for measuring."""
