"""``keyshift audit``: verify the audit chain, or show one object's history."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from domain.audit.chain import is_shard_id
from domain.audit.chains import ChainSet, Expected, ReadChain
from domain.audit.findings import Finding
from domain.audit.ports import AuditedItems
from domain.audit.reading import read_event
from domain.audit.verification import ChainVerifier
from domain.errors import InputError
from domain.keys import Location
from domain.protocol.ports import Manifest
from domain.protocol.record import Record
from handlers.cli.options import json_option, with_settings
from handlers.cli.output import console
from handlers.cli.output import say as tell
from handlers.cli.text import printable
from handlers.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

SHOWN = 50
_UNKEPT = "its bucket keeps no versions, so also compare a link that you noted elsewhere (--expect)"
SHOWN_ENDS = 8
SHA256_DIGITS = 64


@click.group()
def audit() -> None:
    """Check the audit chain, or read one object's history in it.

    \b
    Example:
      keyshift audit verify
      keyshift audit show old/model.tar.gz
    """


@audit.command(short_help="Find what was changed in the audit chain.")
@click.option(
    "--expect",
    multiple=True,
    help="SHARD/SEQUENCE:SHA256 of a segment as the handler's log has it, without SHARD/ where it has none; "
    "may be repeated.",
)
@json_option
@with_settings
@click.pass_context
def verify(context: click.Context, settings: Settings, *, expect: tuple[str, ...], as_json: bool) -> None:
    """Read every chain and compare it with itself, its head, the other chains, and every record of the manifest.

    It finds what was removed, altered, inserted or reordered, with its segment, line and record. Of each segment the
    oldest version is read, and newer ones are reported. Exit code 1 when anything was found, or when an event is late
    and may still come through the stream. Writes only a temporary file.

    \b
    Example:
      keyshift audit verify --json
      keyshift audit verify --expect 812:5f1d...
    """
    from handlers.bootstrap import wire_command
    from handlers.bootstrap.audit import audited_items, chain_verifier
    from handlers.bootstrap.process import Process

    process, expected = Process(settings), _expected(expect)
    with chain_verifier(process, expected=expected, started=time.time()) as verifier:
        manifest = wire_command(process, function="audit-command").ports.manifest
        shown = 0
        for finding in findings_of(verifier, manifest, audited_items(process)):
            shown += 1
            if as_json:
                click.echo(json.dumps({"finding": asdict(finding)}))
            elif shown <= SHOWN:
                click.echo(line_of(finding))
    figures = verifier.figures
    if as_json:
        click.echo(json.dumps({"summary": {**asdict(figures), "good": figures.is_good}}))
    else:
        if shown > SHOWN:
            click.echo(f"... and {shown - SHOWN:,} more; --json prints all of them")
        click.echo(verdict_of(verifier))
    context.exit(0 if figures.is_good else 1)


def findings_of(
    verifier: ChainVerifier, manifest: Manifest, items: AuditedItems, *, records: Iterable[Record] | None = None
) -> Iterator[Finding]:
    """Every step of a verification, with its progress on a terminal; ``records`` are the manifest's."""
    with progress() as say:
        verifier.on_segment = lambda count: say(f"reading the chains: {count:,} segments")
        yield from verifier.read_chains()
        say("comparing the manifest's records")
        yield from verifier.compare_records(manifest.scan_records() if records is None else records)
        yield from verifier.compare_items(items.list_items())
        say("reading what was appended meanwhile")
        yield from verifier.settle(manifest, items, now=time.time())


def line_of(finding: Finding) -> str:
    """A finding for a person; its text may hold a producer's key."""
    late = "late, " if finding.is_late else ""
    return f"{late}{finding.fault.value}: {printable(finding.text)}"


def verdict_of(verifier: ChainVerifier) -> str:
    """One sentence."""
    figures = verifier.figures
    counted = f"{figures.segments:,} segments, {figures.events:,} events, {figures.records:,} records"
    if figures.findings:
        late = f" and {figures.late:,} late" if figures.late else ""
        return f"THE AUDIT IS BROKEN: {figures.findings:,} findings{late} in {counted}; docs/runbook.md#alarm-audit-gap"
    if figures.late:
        return (
            f"the audit is late: {figures.late:,} findings in {counted} that the stream may still repair; check its"
            " lag (docs/runbook.md#alarm-iterator-age), and verify again within a day"
        )
    young = f", {figures.pending:,} changes too young to be in it yet" if figures.pending else ""
    end = f"; {_ends(figures.ends)}" if figures.ends else ""
    unkept = f"; {_UNKEPT}" if figures.unkept else ""
    return f"the audit is whole: {counted}{young}{end}{unkept}"


@audit.command(short_help="Print every event of one object.")
@click.argument("key")
@json_option
@with_settings
@click.pass_context
def show(context: click.Context, settings: Settings, *, key: str, as_json: bool) -> None:
    """Print every event of one source object, of its references, and its record now; KEY is a source key or any URI.

    Reads every chain. Exit code 1 when it has no record.

    \b
    Example:
      keyshift audit show old/model.tar.gz
      keyshift audit show s3://manufacturing-line-1/old/model.tar.gz --json
    """
    from handlers.bootstrap import wire_command
    from handlers.bootstrap.audit import audit_chains
    from handlers.bootstrap.process import Process

    process = Process(settings)
    rules = process.rules
    source = _location(key, rules.source_bucket)
    chains = audit_chains(process)
    known = 0
    with progress() as say:
        for event in _events(source.record_id, chains, say):
            known += 1
            tell(json.dumps(event) if as_json else _line(event))
    record = wire_command(process, function="audit-command").ports.manifest.read_record(source.record_id)
    if record is None and not known:
        tell(f"there is no event and no record of {source.uri}", err=True)
    elif record is None:
        tell(f"{source.uri} has no record in the manifest now", err=True)
    elif not as_json:
        cause = f", {printable(record.why)}" if record.cause else ""
        tell(f"now: revision {record.revision}, {record.state.value}{cause}")
    context.exit(0 if record is not None else 1)


def _events(record_id: str, chains: ChainSet, say: "Callable[[str], None]") -> Iterator[dict[str, Any]]:
    for _ in chains.discover():
        pass  # ``audit verify`` reports what is not a chain
    for chain in chains.in_order():
        yield from _events_of(record_id, chain, say)


def _events_of(record_id: str, chain: ReadChain, say: "Callable[[str], None]") -> Iterator[dict[str, Any]]:
    from domain.audit.chain import unpacked

    for stored in chain.archive.read_segments():
        if stored.sequence is None:
            continue
        say(f"segment {stored.sequence:,} of {chain.name}")
        lines, _ = unpacked(stored.body)
        for number, line in enumerate(lines):
            # Parsing only what names the record makes a long chain five times quicker to read.
            if record_id.encode() not in line:
                continue
            event = read_event(line)
            if event is None and number:
                where = f"segment {stored.sequence}, line {number} of {chain.name}"
                click.echo(
                    f"{where} cannot be read: keyshift audit verify shows what is wrong with the chain", err=True
                )
            if event is not None and (
                event["event_id"].startswith(record_id) or record_id in event["detail"].get("record_ids", ())
            ):
                yield {"shard": chain.shard, "segment": stored.sequence, "line": number, **event}


def _line(event: dict[str, Any]) -> str:
    detail = event["detail"]
    moment = datetime.fromtimestamp(event["time"], UTC).isoformat(timespec="seconds")
    intent = detail.get("intent")
    about = f", about to {intent['action']} {intent['etag']}".rstrip() if intent else ""
    cause = f", {detail['cause']}" if detail.get("cause") else ""
    if "references" in detail:
        item = " ".join(f"{name}={value}" for name, value in detail["item_key"].items())
        cause = printable(
            f", table {detail['table']} {item}: {', '.join(one['place'] for one in detail['references'])}"
        )
    shard = f"{event['shard']} " if event["shard"] else ""
    place = f"{shard}segment {event['segment']} line {event['line']}"
    return f"{moment}  {detail.get('revision', '-'):>4}  {event['detail_type']}{about}{cause}  ({place})"


def _location(key: str, bucket: str) -> Location:
    if not key.startswith("s3://"):
        return Location(bucket, key)
    named, _, rest = key.removeprefix("s3://").partition("/")
    return Location(named, rest)


def _ends(ends: list[str]) -> str:
    """The links to note, for a person."""
    more = f" and {len(ends) - SHOWN_ENDS:,} more, which --json prints" if len(ends) > SHOWN_ENDS else ""
    return f"it ends at {', '.join(ends[:SHOWN_ENDS])}{more}"


def _expected(texts: tuple[str, ...]) -> Expected:
    expected: dict[str, dict[int, str]] = {}
    for text in texts:
        shard, sequence, digest = _link(text)
        expected.setdefault(shard, {})[sequence] = digest
    return expected


def _link(text: str) -> tuple[str, int, str]:
    place, _, digest = text.partition(":")
    shard, _, sequence = place.rpartition("/")
    is_digest = len(digest) == SHA256_DIGITS and set(digest.lower()) <= set("0123456789abcdef")
    is_place = sequence.isascii() and sequence.isdigit() and (not shard or is_shard_id(shard))
    if not is_place or not is_digest:
        raise InputError(
            f"--expect {text!r} must be SEQUENCE:SHA256 or SHARD/SEQUENCE:SHA256, as in the log line 'audit segment'"
        )
    return shard, int(sequence), digest.lower()


@contextmanager
def progress() -> "Iterator[Callable[[str], None]]":
    """Shows the progress on a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _text: None
        return
    with console(stderr=True).status("starting") as status:
        yield status.update
