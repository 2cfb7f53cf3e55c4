"""Tries the facts of docs/design/aws-facts.md on a server, with resources of its own."""
