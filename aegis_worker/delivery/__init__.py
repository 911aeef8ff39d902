"""From the outbox to its sinks: delivered at least once, in order per payment, deduped by consumers on the event id."""
