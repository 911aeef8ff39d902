"""Read models that are kept by events: what payments came to by hour, and facts to search them by."""
