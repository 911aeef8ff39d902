"""Payment gateways: the interface, the registry and one module per gateway."""
