"""What operators see and decide, over all merchants."""
