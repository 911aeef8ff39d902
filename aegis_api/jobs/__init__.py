"""Jobs: what became of what was accepted."""
