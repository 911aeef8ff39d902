"""People: who may use the console, how they show who they are, and what two of them have to agree on."""
