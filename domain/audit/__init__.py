"""Audit events and their chain: written, read, verified."""
