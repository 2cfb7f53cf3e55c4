"""The command line: one module for each group of commands."""


def main() -> None:
    """Run the keyshift command line."""
    from handlers.cli.app import keyshift

    keyshift()
