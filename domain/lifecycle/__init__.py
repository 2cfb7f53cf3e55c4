"""The stages of a migration, the gates between them, and the verification."""
