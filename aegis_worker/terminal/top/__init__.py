"""What `aegis top` shows: one look at everything, the tables made of it, and the screen that is drawn again and again."""
