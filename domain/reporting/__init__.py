"""The progress and the cost of a migration."""
