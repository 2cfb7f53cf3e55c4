"""A stage's work, cut into slices: what is done of it, by whom, and what is left."""
