"""DuckDB: a plan over an inventory as SQL, and a plan that was saved."""
