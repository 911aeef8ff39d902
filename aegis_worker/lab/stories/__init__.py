"""Stories: what happened to one payment, move by move, as people read it and as the real pipeline can live it again."""
