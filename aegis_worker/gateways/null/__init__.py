"""The adapter of a gateway inside this process, for measuring."""
