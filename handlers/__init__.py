"""The driving side: Lambda functions, the worker and commands."""
