"""The objects that cleanup and purge delete, or would delete, as they come."""

import json
from dataclasses import asdict, dataclass

import click

from handlers.cli.output import MOST_SHOWN, say
from handlers.operations.removal_run import removal_of


@dataclass(slots=True)
class RemovalsShown:
    """Prints each result; a terminal gets the first ones. ``left_out`` names fields that JSON does not have."""

    as_json: bool
    left_out: tuple[str, ...] = ()
    _count: int = 0

    def show(self, line: str) -> None:
        """Print the result of a kept line."""
        removal = removal_of(line)
        self._count += 1
        if self.as_json:
            row = {name: value for name, value in asdict(removal).items() if name not in self.left_out}
            click.echo(json.dumps(row))
        elif self._count <= MOST_SHOWN:
            say(f"{removal.verdict:9} {removal.source!r}" + (f"  ({removal.why})" if removal.why else ""))
        elif self._count == MOST_SHOWN + 1:
            click.echo("… more: --json shows all")
