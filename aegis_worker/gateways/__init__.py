"""Payment gateways: the interface, the registry, the kit that adapters share and a folder for each."""
