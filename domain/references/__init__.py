"""References to moved objects: find, rewrite, undo and resolve their URIs."""
