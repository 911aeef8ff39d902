"""Jobs: the progress and the end of each accepted operation."""
