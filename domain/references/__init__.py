"""What holds URIs of moved objects: found, rewritten, undone, resolved."""
