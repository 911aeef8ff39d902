"""What payments came to over time, and the history of a customer."""
