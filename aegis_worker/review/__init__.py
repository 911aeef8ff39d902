"""What only a person can decide: payments in review and payments that the audit froze."""
