"""Payment gateways: their health, pausing them, and the events that they post to us."""
