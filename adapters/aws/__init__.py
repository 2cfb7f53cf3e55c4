"""Shared by the adapters of AWS services: clients, errors, answers."""
