"""What tests share: real stores and processes, gateways that do what the test says, and readers of what was stored."""
