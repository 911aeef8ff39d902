"""The payment domain: pure, standard library only. No database, queue, clock or network."""
