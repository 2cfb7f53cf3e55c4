"""What would move, and what it costs."""
