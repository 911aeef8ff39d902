"""Many payments in one request."""
