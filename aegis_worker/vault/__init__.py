"""The card vault: the only place of AegisPay that holds card numbers, sealed, in stores of its own (design D8)."""
