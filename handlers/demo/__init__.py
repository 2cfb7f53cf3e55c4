"""``keyshift demo``: a live bucket moves to a new layout while its producers write, and every byte is checked."""
