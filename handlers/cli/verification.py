"""The findings of a verification on the terminal, and its summary."""

import json
from dataclasses import dataclass

import click

from domain.lifecycle.verification import Finding, Summary
from domain.runs.run import RunState
from handlers.cli.findings_file import row_of
from handlers.cli.output import MOST_SHOWN, print_figures, say


@dataclass(slots=True)
class FindingsShown:
    """Prints findings with a difference, and with ``strict`` those with a remark; a terminal gets the first ones."""

    strict: bool
    as_json: bool
    _count: int = 0

    def add(self, finding: Finding) -> None:
        """Print the finding, if it is to be seen."""
        if not (finding.differences or (self.strict and finding.remarks)):
            return
        self._count += 1
        if self.as_json:
            click.echo(json.dumps(row_of(finding)))
        elif self._count <= MOST_SHOWN:
            what = ", ".join([*finding.differences, *finding.remarks])
            place = finding.source or finding.target
            detail = f"  ({finding.detail})" if finding.detail else ""
            say(f"{what}: {place.uri if place else '?'!r}{detail}")
        elif self._count == MOST_SHOWN + 1:
            click.echo("… more: --out FILE or --json shows all")


def say_summary(summary: Summary, enqueued: int, state: RunState, *, as_json: bool) -> None:
    """Print the figures and the verdict; a run that was cancelled proves nothing about what it did not look at."""
    if as_json:
        counted: dict[str, object] = {"objects": summary.objects, "by_inventories": summary.by_inventories}
        counted |= {"looked_at": summary.looked_at, "verified": summary.verified, "clean": summary.clean}
        more = {"differences": dict(summary.differences), "remarks": dict(summary.remarks), "requeued": enqueued}
        click.echo(json.dumps(counted | more | {"run": state.value.lower()}))
        return
    proven = [("proven by inventories", summary.by_inventories)] if summary.by_inventories else []
    counts = [("looked at", summary.looked_at), *proven, ("proven equal", summary.verified)]
    counts += sorted((*summary.differences.items(), *summary.remarks.items()))
    counts += [("enqueued again", enqueued)] if enqueued else []
    verdict = "no difference" if summary.clean else "differences"
    if state is not RunState.ENDED:
        verdict = f"{state.value.lower()} before its end"
    print_figures("verification", [*((name, f"{count:,}") for name, count in counts), ("verdict", verdict)])
