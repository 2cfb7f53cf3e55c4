"""``keyshift demo --portal``: the portal is used through its own functions while its bucket moves, and checked."""
