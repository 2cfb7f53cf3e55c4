"""``keyshift demo``: a live bucket moves to a new layout while its owners go on writing, and every byte is checked."""
