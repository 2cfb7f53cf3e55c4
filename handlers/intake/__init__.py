"""What comes in, decoded: messages, notifications, invocations, inventory tasks."""
