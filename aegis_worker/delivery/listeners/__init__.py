"""Hooks as a sink: they are told of events in processes of their own, and none holds up another, the stream or webhooks."""
