"""The settings and the rules file."""
