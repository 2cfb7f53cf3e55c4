"""Doctor's checks before a migration starts."""
