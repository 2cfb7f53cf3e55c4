"""The one pass of ``keyshift report`` over the records in its own process: they are counted, printed and audited."""

import csv
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.protocol.ports import Manifest
from domain.protocol.record import Record
from domain.reporting.report import COLUMNS, row_of
from handlers.cli.audit import findings_of, progress, verdict_of
from handlers.cli.output import machine_output

if TYPE_CHECKING:
    from handlers.bootstrap.process import Process

Printed = Callable[[Iterable[Record]], Iterator[Record]]
"""Prints each record and hands it on."""
FINDINGS_SHOWN = 20
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Audited:
    """What a report says of the audit chain; ``is_good`` is ``None`` where it was not compared with the records."""

    said: str
    is_good: bool | None = None
    findings: Sequence[str] = ()


QUICK = Audited("not read (--quick)")
NO_BUCKET = Audited("off: there is no KEYSHIFT_AUDIT_BUCKET, so there is no proof of what was done")
_COMPARES = "keyshift audit verify compares the chain with the records"
NO_AUDIT = Audited(f"not read (--no-audit): {_COMPARES}")
BY_RUN = Audited(f"not read, because a run counted the records: {_COMPARES}, and so does keyshift report --audit")


def read_through(records: Iterable[Record]) -> None:
    """Read each record, with the progress on a terminal."""
    with progress() as say:
        say("reading the manifest's records")
        for _ in records:
            pass


def audit_records(process: "Process", manifest: Manifest, records: Iterable[Record]) -> Audited:
    """Read each record and the audit chain, and compare them."""
    from handlers.bootstrap.audit import audited_items, chain_verifier

    findings: list[str] = []
    with chain_verifier(process, expected={}, started=time.time()) as verifier:
        for finding in findings_of(verifier, manifest, audited_items(process), records=records):
            if len(findings) < FINDINGS_SHOWN:
                findings.append(f"{finding.fault.value}: {finding.text}")
        return Audited(verdict_of(verifier), verifier.figures.is_good, findings)


def print_csv(records: Iterable[Record]) -> Iterator[Record]:
    """Each record as a line of CSV, below a line of names."""
    writer = csv.writer(machine_output(), lineterminator="\n")
    writer.writerow(COLUMNS)
    for record in records:
        row = row_of(record)
        writer.writerow([guarded(row[name]) for name in COLUMNS])
        yield record


def print_json(records: Iterable[Record]) -> Iterator[Record]:
    """Each record as a line of JSON."""
    for record in records:
        sys.stdout.write(json.dumps(row_of(record)) + "\n")
        yield record


def guarded(value: object) -> str:
    """A cell of CSV; a spreadsheet must not run a producer's key as a formula."""
    if value is None:
        return ""
    if isinstance(value, list):
        value = "; ".join(map(str, value))
    text = str(value)
    return "'" + text if isinstance(value, str) and text.startswith(_FORMULA) else text
