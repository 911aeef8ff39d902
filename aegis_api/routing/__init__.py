"""Which gateway a payment goes to: read the configuration, change it, and try a change on past payments."""
