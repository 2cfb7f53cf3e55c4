"""What works messages off: batches, attempts, the worker, the outbox, limits."""
