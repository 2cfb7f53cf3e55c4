"""What every adapter of an AWS service needs: clients, errors, answers."""
