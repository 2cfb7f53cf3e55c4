"""What the demo creates, and the bucket as its owners use it."""
