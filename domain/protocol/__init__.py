"""The protocol of one object: its record, a claim, the copy, cleanup and rollback."""
