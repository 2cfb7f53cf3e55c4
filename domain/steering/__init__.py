"""What an operator and the circuit breaker do while a migration runs."""
