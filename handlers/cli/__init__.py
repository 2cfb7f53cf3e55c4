"""The command line: one module for each group of commands."""

import sys


def main() -> None:
    """Run the keyshift command line."""
    from handlers.cli.app import run

    sys.exit(run())
