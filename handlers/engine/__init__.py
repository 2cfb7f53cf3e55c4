"""The engine that works messages off: batches, attempts, the worker, the outbox, limits."""
