"""AegisPay's adapter of the payment gateway Toy, and an emulator of that gateway."""
