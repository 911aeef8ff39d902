"""`aegis explore`: every interleaving of a payment's life with at most so many faults, by the product's own decisions."""
