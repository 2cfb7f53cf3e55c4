"""Decodes input: messages, notifications, invocations, inventory tasks."""
