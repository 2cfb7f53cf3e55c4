"""References on the terminal and as JSON, with their figures."""

import json
from collections.abc import Mapping

import click

from domain.references.reports import ReferenceOutcome
from handlers.cli.output import say

_OPEN = (ReferenceOutcome.READY, ReferenceOutcome.WAITING, ReferenceOutcome.HOLDS, ReferenceOutcome.LOST)
"""Outcomes with exit code 1."""


def show_row(row: Mapping[str, str], *, as_json: bool) -> None:
    """Print one reference, and what becomes of it."""
    if as_json:
        click.echo(json.dumps(row))
        return
    why = f"  ({row['why']})" if row["why"] else ""
    say(f"{row['outcome']:12}  {row['holder']}  {row['path']}  {_uris_of(row)}{why}")


def sum_up(counts: Mapping[str, int], *, as_json: bool) -> int:
    """Print the figures; returns the exit code."""
    if as_json:
        click.echo(json.dumps({"counts": counts}))
    else:
        click.echo(", ".join(f"{number:,} {name}" for name, number in counts.items()) or "no references")
    return 1 if any(counts.get(outcome.value) for outcome in _OPEN) else 0


def _uris_of(row: Mapping[str, str]) -> str:
    """What was there, and what is there now or will be; a restored reference went from the new URI to the old one."""
    old = repr(row["uri"])
    if not row["new_uri"]:
        return old
    new = repr(row["new_uri"])
    return f"{new} -> {old}" if row["outcome"] == ReferenceOutcome.RESTORED else f"{old} -> {new}"
