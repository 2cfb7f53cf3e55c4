"""Lines of an augmented manifest with their references switched; every other byte of a line stays as it was."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from domain.errors import RefusedRequestError
from domain.protocol.attempt import MigrationPorts
from domain.protocol.record import Record
from domain.references.holders import Reference
from domain.references.item_rewriting import not_ready, reported
from domain.references.items import HeldUri, is_deeper
from domain.references.json_strings import JsonString, strings_of, with_strings
from domain.references.judging import Legacy, Stuck, copies_named, judge, judge_line
from domain.references.reports import ReferenceOutcome, Reported, Wait, Waiting
from domain.references.uris import UnusableUri, write_uri
from domain.rules.compiled import CompiledRules
from domain.rules.paths import matches
from domain.rules.references import AttributePath, ManifestReferences

LINES_AT_ONCE = 100
"""Number of lines whose records are read in one request."""
MAX_LINE_BYTES = 32 * 1024 * 1024
NO_JSON = "the line is not JSON, or nested too deep to be read"


@dataclass(frozen=True, slots=True)
class ManifestLine:
    """One line before and after, with the references that were or were not switched."""

    before: bytes
    after: bytes
    reports: tuple[Reported, ...]


def lines_of(blocks: Iterator[bytes], *, name: str) -> Iterator[bytes]:
    """The lines with their line ends, in bounded memory; together they are exactly the blocks."""
    pending = b""
    for block in blocks:
        *whole, pending = (pending + block).split(b"\n")
        yield from (line + b"\n" for line in whole)
        if len(pending) > MAX_LINE_BYTES:
            raise RefusedRequestError(
                f"{name} has a line of more than {MAX_LINE_BYTES} bytes: it is not an augmented manifest"
            )
    if pending:
        yield pending


def rewritten_lines(
    lines: Iterator[bytes],
    declared: Sequence[ManifestReferences],
    *,
    holder: str,
    rules: CompiledRules,
    ports: MigrationPorts,
) -> Iterator[ManifestLine]:
    """Each line, with every reference switched whose object is verified at its new key."""
    first = 1
    while block := list(islice(lines, LINES_AT_ONCE)):
        found = [_read_line(line, declared, holder, first + at, rules) for at, line in enumerate(block)]
        ids = [legacy.source.record_id for one in found for _, legacy in one.places]
        records = ports.manifest.read_records(list(dict.fromkeys(ids)))
        verdicts = {record_id: not_ready(records.get(record_id), ports.store) for record_id in dict.fromkeys(ids)}
        yield from (_switched(one, holder, rules, records, verdicts) for one in found)
        first += len(block)


def copies_in(
    lines: Iterator[bytes], declared: Sequence[ManifestReferences], *, holder: str, rules: CompiledRules
) -> Iterator[Reference]:
    """Every place of the new layout that a line names, or may name; a line that cannot be read may name any."""
    attributes = [attribute for entry in declared for attribute in entry.attributes]
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            strings = strings_of(line.decode())
        except ValueError:
            stuck = judge_line(line, attributes, NO_JSON, rules.target_bucket)
            yield from (Reference(holder, f"line {number}", "", place) for place in stuck.holds)
            continue
        for string in strings:
            held = _held(string, attributes)
            if held is not None:
                for place in copies_named(held, rules):
                    yield Reference(holder, f"line {number} {held.text}", string.value, place)


@dataclass(frozen=True, slots=True)
class _ReadLine:
    """The legacy references of a line by their positions in its text, and the reports of its other texts."""

    line: bytes
    number: int
    places: Sequence[tuple[int, Legacy]] = ()
    reports: Sequence[Reported] = ()


def _read_line(
    line: bytes, declared: Sequence[ManifestReferences], holder: str, number: int, rules: CompiledRules
) -> _ReadLine:
    if not line.strip():
        return _ReadLine(line, number)
    declared_here = [attribute for entry in declared for attribute in entry.attributes]
    try:
        strings = strings_of(line.decode())
    except ValueError:
        stuck = judge_line(line, declared_here, NO_JSON, rules.source_bucket)
        return _ReadLine(line, number, reports=[reported(stuck, holder, f"line {number}", "", rules=rules)])
    places: list[tuple[int, Legacy]] = []
    reports: list[Reported] = []
    for string in strings:
        held = _held(string, declared_here)
        if held is None:
            continue
        judged = judge(held, rules)
        if isinstance(judged, Legacy):
            places.append((string.start, judged))
        elif isinstance(judged, Stuck):
            reports.append(reported(judged, holder, f"line {number} {held.text}", string.value, rules=rules))
    return _ReadLine(line, number, places, reports)


def _held(one: JsonString, attributes: Sequence[AttributePath]) -> HeldUri | None:
    exact = next((attribute for attribute in attributes if matches(attribute.path, one.place)), None)
    if exact is not None:
        return HeldUri(one.place, None, one.value, exact)
    above = next((attribute for attribute in attributes if is_deeper(attribute.path, one.place)), None)
    return HeldUri(one.place, None, one.value, above, is_deeper=True) if above is not None else None


def _switched(
    read: _ReadLine,
    holder: str,
    rules: CompiledRules,
    records: Mapping[str, Record],
    verdicts: Mapping[str, Waiting | None],
) -> ManifestLine:
    line, reports = read.line, list(read.reports)
    changed: dict[int, str] = {}
    for start, legacy in read.places:
        reference = Reference(holder, f"line {read.number} {legacy.held.text}", legacy.held.uri, legacy.source)
        record, why = records.get(legacy.source.record_id), verdicts[legacy.source.record_id]
        if record is None or why is not None:
            why = why or Waiting(Wait.OBJECT_NOT_MIGRATED)
            reports.append(Reported.waiting(reference, why, also=legacy.also))
            continue
        written = write_uri(legacy.uri, record.target, region=rules.target.region)
        if isinstance(written, UnusableUri):
            reports.append(Reported(reference, ReferenceOutcome.HOLDS, written.reason, also=legacy.also))
            continue
        changed[start] = written
        reports.append(Reported(reference, ReferenceOutcome.READY, new_uri=written, also=legacy.also))
    after = with_strings(line.decode(), changed).encode() if changed else line
    return ManifestLine(line, after, tuple(reports))
