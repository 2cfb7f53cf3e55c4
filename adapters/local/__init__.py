"""This machine: its clock, and books in temporary SQLite files."""
