"""Where a merchant's events are posted, and what became of each."""
