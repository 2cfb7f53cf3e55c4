"""Writes findings to a file: CSV, JSON Lines or Parquet, by its name."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from domain.errors import InputError
from domain.lifecycle.verification import Finding

COLUMNS = ("source", "target", "state", "verified", "differences", "remarks", "detail")
_ROWS = 5_000
Add = Callable[[Finding], None]


def row_of(finding: Finding) -> Mapping[str, object]:
    """The finding for machines."""
    return {
        "source": finding.source.uri if finding.source is not None else None,
        "target": finding.target.uri if finding.target is not None else None,
        "state": finding.state,
        "verified": finding.verified,
        "differences": [difference.value for difference in finding.differences],
        "remarks": [remark.value for remark in finding.remarks],
        "detail": finding.detail,
    }


@contextmanager
def findings_file(path: Path | None) -> Iterator[Add]:
    """A function that writes one finding; the file gets its name only when all of them are in it."""
    if path is None:
        yield lambda _: None
        return
    kinds = {".csv": _csv, ".json": _json, ".jsonl": _json, ".parquet": _parquet}
    if path.suffix not in kinds:
        raise InputError(f"{path}: the name must end in one of {', '.join(kinds)}")
    partial = path.with_name(path.name + ".partial")
    try:
        with kinds[path.suffix](partial) as add:
            yield add
        partial.replace(path)
    except BrokenPipeError:  # of standard output, where findings go too
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}; choose another place with --out") from error


@contextmanager
def _csv(path: Path) -> Iterator[Add]:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()

        def add(finding: Finding) -> None:
            row = row_of(finding).items()
            listed = {name: " ".join(value) if isinstance(value, list) else value for name, value in row}
            writer.writerow(listed)

        yield add


@contextmanager
def _json(path: Path) -> Iterator[Add]:
    with path.open("w", encoding="utf-8") as file:
        yield lambda finding: print(json.dumps(row_of(finding)), file=file)


@contextmanager
def _parquet(path: Path) -> Iterator[Add]:
    import pyarrow as pa
    import pyarrow.parquet

    texts = {name: pa.string() for name in ("source", "target", "state", "detail")}
    types = texts | {"verified": pa.bool_()} | dict.fromkeys(("differences", "remarks"), pa.list_(pa.string()))
    schema = pa.schema([(name, types[name]) for name in COLUMNS])
    rows: list[Mapping[str, object]] = []
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:

        def flush() -> None:
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            rows.clear()

        def add(finding: Finding) -> None:
            rows.append(row_of(finding))
            if len(rows) >= _ROWS:
                flush()

        yield add
        flush()
