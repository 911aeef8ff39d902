"""What proves the product and is not the product: throw-away installations, the demo, the bench, the crash test."""
