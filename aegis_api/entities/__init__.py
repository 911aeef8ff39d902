"""Reading what belongs to payments: captures, cancels, refunds and disputes are shown and listed in one way."""
