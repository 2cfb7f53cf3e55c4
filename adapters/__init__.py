"""Driven side: one package for each service."""
