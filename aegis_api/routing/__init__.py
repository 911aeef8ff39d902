"""Which gateway a payment goes to: what holds, changing it, trying a change on past payments."""
