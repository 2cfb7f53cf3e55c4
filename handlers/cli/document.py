"""The command line's reference as Markdown, made of its own help: ``python -m handlers.cli.document``."""

import sys
from collections.abc import Iterator

import click

from handlers.cli.app import keyshift

HEAD = """# The command line

Made by `python -m handlers.cli.document`; `keyshift COMMAND --help` prints the same. Every option of a migration has a
variable, so that one environment serves all commands. Exit codes: 0 success,
1 the answer is no (something is missing, refuted, lost or failed), 2 wrong use or unreadable input, 130 interrupted.
Errors are one sentence on standard error, with the remedy.
"""
WIDTH = 100


def reference() -> str:
    """The whole document."""
    return "".join([HEAD, *_sections(keyshift, ("keyshift",))])


def _sections(command: click.Command, path: tuple[str, ...]) -> Iterator[str]:
    name = " ".join(path)
    if not isinstance(command, click.Group):
        context = click.Context(
            command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH, **keyshift.context_settings
        )
        yield f"\n## {name}\n\n```text\n{command.get_help(context)}\n```\n"
        return
    context = click.Context(command)
    for one in command.list_commands(context):
        found = command.get_command(context, one)
        if found is not None:
            yield from _sections(found, (*path, one))


if __name__ == "__main__":
    sys.stdout.write(reference())
