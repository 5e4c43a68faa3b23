"""Elements of our own: one file for each word that flows write in `type:`."""
