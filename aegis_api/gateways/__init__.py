"""Payment gateways: how they do, pausing them, and the events that they post to us."""
