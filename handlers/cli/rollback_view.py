"""What a rollback would change, and what it changed, on the terminal and as JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import click

from handlers.cli.output import MOST_SHOWN, say, say_dry_run
from handlers.operations import rollback_plan as plan
from handlers.operations.rollback_run import RolledBack, difference_of


@dataclass(slots=True)
class DifferencesShown:
    """Prints each difference; a terminal gets the first ones."""

    as_json: bool
    _count: int = 0

    def show(self, line: str) -> None:
        """Print the difference of a kept line."""
        place, why = difference_of(line)
        self._count += 1
        if self.as_json:
            click.echo(json.dumps({"source": place, "why": why}))
        elif self._count <= MOST_SHOWN:
            say(f"{place!r}: {why}")
        elif self._count == MOST_SHOWN + 1:
            click.echo("… more: --json shows all")


def show_plan(counts: Mapping[str, int], capture: str, references: int | None, *, as_json: bool) -> None:
    """Print what a rollback would change."""
    rows = {
        "sources to restore": counts.get(plan.RESTORES, 0),
        "objects to fence": counts.get(plan.FENCES, 0),
        "objects in conflict": counts.get(plan.CONFLICTS, 0),
        "rolled back already": counts.get(plan.DONE, 0),
        "copies that stay until --purge": counts.get(plan.COPIES_KEPT, 0),
        "references to put back": references,
        "notifications": capture,
    }
    if as_json:
        click.echo(json.dumps({name.replace(" ", "_").replace("--", ""): value for name, value in rows.items()}))
    else:
        for name, value in rows.items():
            if value is not None:
                click.echo(f"{name}: {value}")
    say_dry_run("changed")


def show_rolled_back(done: RolledBack, *, is_whole: bool, as_json: bool) -> None:
    """Print the result; a run that was cancelled proves nothing about what it did not check."""
    capture = done.capture
    if as_json:
        counted = {"states": done.states, "references": done.references, "clean": done.clean and is_whole}
        noted = {"notifications_as_before": capture.is_as_before, "stays": capture.stays}
        click.echo(json.dumps(counted | noted))
        return
    for state, count in done.states.items():
        click.echo(f"{count:,} {state}")
    click.echo(f"{done.references:,} references put back")
    if not capture.is_as_before:
        why = "because other programs changed them"
        say(f"the bucket's notifications differ from before, {why}: {capture.configuration}")
    if capture.stays:
        say(capture.stays)
    if is_whole:
        click.echo("the original state is back" if done.clean else f"{done.differences:,} differences: see above")
