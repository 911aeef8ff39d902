"""What tests share: real stores and processes, gateways that do as the test says, and words for what stands there."""
