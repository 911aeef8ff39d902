"""Payment gateways: the interface, the registry, the kit that adapters share, and one folder for each gateway."""
