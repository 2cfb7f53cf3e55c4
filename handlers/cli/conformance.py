"""``keyshift doctor --conformance``: what a server answers, beside what the protocol expects."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from domain.errors import InputError
from domain.lifecycle.conformance import MOST_PREFIX, Conformance, Observed, Outcome, faults_of
from handlers.cli.output import say, write_text

PREFIX = "keyshift-conformance"
WAIT_SECONDS = 420.0
_NAME = re.compile(rf"[a-z0-9][a-z0-9-]{{1,{MOST_PREFIX - 2}}}[a-z0-9]")
_SHOWN = ("as expected", "different", "not offered", "could not run", "not tried")


@dataclass(frozen=True, slots=True)
class ConformanceOptions:
    """The options of ``doctor`` that only count with ``--conformance``; ``None``: not given."""

    bucket_prefix: str | None
    kms_key: str | None
    wait: float | None
    write: Path | None

    @property
    def prefix(self) -> str:
        """How every name begins; raises InputError for a text that bucket names cannot begin with."""
        prefix = self.bucket_prefix if self.bucket_prefix is not None else PREFIX
        if not _NAME.fullmatch(prefix):
            told = f"3 to {MOST_PREFIX} characters of a-z, 0-9 and hyphens, with no hyphen at either end"
            raise InputError(f"--bucket-prefix {prefix!r} is not a valid beginning of bucket names: give {told}")
        return prefix

    def refuse_alone(self) -> None:
        """Raise InputError where one is given without ``--conformance``."""
        given = {"--bucket-prefix": self.bucket_prefix, "--kms-key": self.kms_key, "--wait": self.wait}
        names = [name for name, value in {**given, "--write": self.write}.items() if value is not None]
        if names:
            raise InputError(f"{', '.join(names)} only counts with --conformance: give that too, or leave it out")


def run_conformance(
    context: click.Context, run: Conformance, *, server: str, prefix: str, write: Path | None, as_json: bool
) -> None:
    """Try every fact and show it as soon as it is known; exit code 1 where something needed does not hold."""
    date = datetime.now(UTC).date().isoformat()
    _refuse_unwritable(write)
    say(
        f"{len(run.facts)} facts on {server}: this makes buckets, a table, queues, a bus and rules named {prefix}-…, "
        "sends some hundred requests and removes everything again. It costs less than 0.01 dollars.",
        err=True,
    )
    observed: list[Observed] = []
    try:
        with run:
            try:
                for one in run.observe():
                    observed.append(one)
                    say(json.dumps(_as_dict(one)) if as_json else _line(one))
            except KeyboardInterrupt:
                say("interrupted: removing what was made; wait for it", err=True)
                raise
    finally:
        for left in run.left:
            say(f"not removed: {left}", err=True)
    faults = faults_of(observed)
    is_fit = not faults and not run.left
    if as_json:
        counts = Counter(one.outcome.value for one in observed)
        ended = {"server": server, "date": date, "fit": not faults, "left": list(run.left), "counts": counts}
        say(json.dumps(ended))
    else:
        say(_summary(observed, faults, server=server, date=date))
    if write is not None:
        write_text(write, markdown_of(observed, server=server, date=date), option="--write")
    context.exit(0 if is_fit else 1)


def _refuse_unwritable(path: Path | None) -> None:
    """Before anything is made; a table that is there stays until the run has ended."""
    try:
        if path is not None:
            with path.open("a", encoding="utf-8"):
                pass
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}; give another --write") from error


def _line(one: Observed) -> str:
    text = f"{one.outcome.value:13}  §{one.fact.section:3}  {one.fact.name}: {one.seen}"
    if one.outcome is Outcome.DIFFERENT:
        text += f"; expected {one.fact.expected}"
    return f"{text} (keyshift needs it)" if one.is_fault else text


def _as_dict(one: Observed) -> dict[str, object]:
    fact = one.fact
    return {
        "section": fact.section,
        "fact": fact.name,
        "expected": fact.expected,
        "needed": fact.is_vital,
        "outcome": one.outcome.value,
        "seen": one.seen,
    }


def _summary(observed: Sequence[Observed], faults: Sequence[Observed], *, server: str, date: str) -> str:
    counts = Counter(one.outcome.value for one in observed)
    shares = ", ".join(f"{counts[name]} {name}" for name in _SHOWN if counts[name])
    if not faults:
        return f"{date}, {server}: {shares}. Every fact that keyshift needs holds where the server has the service."
    return (
        f"{date}, {server}: {shares}. {len(faults)} facts that keyshift needs do not hold, or could not be tried. "
        "Do not migrate there before each of them is explained"
    )


def markdown_of(observed: Sequence[Observed], *, server: str, date: str) -> str:
    """The dated table."""
    rows = [
        f"| §{one.fact.section} | {_cell(one.fact.name)} | {_cell(one.fact.expected)} | {_cell(one.seen)} "
        f"| {one.outcome.value} | {'yes' if one.fact.is_vital else ''} |"
        for one in observed
    ]
    head = [
        f"# What {server} answered on {date}",
        "",
        "Made by `keyshift doctor --conformance`. The sections are those of docs/design/aws-facts.md.",
        "",
        "| Section | Fact | Expected | Seen | Outcome | keyshift needs it |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *rows, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
