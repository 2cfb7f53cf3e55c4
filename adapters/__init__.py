"""Driven side: one module for each port and service."""
