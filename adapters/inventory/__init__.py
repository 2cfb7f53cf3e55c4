"""S3 Inventory: its files and their rows."""
