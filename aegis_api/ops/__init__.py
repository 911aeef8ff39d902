"""What operators see and decide, across all merchants."""
