"""What a merchant orders of a payment that is there: captures and refunds."""
