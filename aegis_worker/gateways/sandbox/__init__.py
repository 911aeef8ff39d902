"""The adapter of the sandbox gateway."""
