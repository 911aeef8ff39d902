"""What rules ask of a payment: conditions, and how they are read from a document. Routing and fraud rules share it."""
