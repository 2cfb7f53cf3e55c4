"""What doctor looks at before anything starts."""
