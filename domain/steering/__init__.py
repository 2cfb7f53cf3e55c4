"""What an operator and the circuit breaker control while a migration runs."""
