"""Creates the demo's resources, and gives producers access to the bucket."""
