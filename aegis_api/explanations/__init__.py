"""Why a payment is in its state."""
