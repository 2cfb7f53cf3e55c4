"""Proofs over all keys that a rules file can meet."""
