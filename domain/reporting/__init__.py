"""How far a migration is, and what it has cost."""
