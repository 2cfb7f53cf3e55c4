"""The references in the present lines of an augmented manifest; nothing is written (protocol.md §8)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from domain.errors import UnavailableError
from domain.keys import Location
from domain.protocol.attempt import MigrationPorts
from domain.protocol.ports import Refused
from domain.references.holders import Reference
from domain.references.manifest_lines import copies_in, lines_of, rewritten_lines
from domain.references.ports import ManifestContents
from domain.references.reports import Reported
from domain.rules.compiled import CompiledRules
from domain.rules.references import ManifestReferences

LOOKS = 3
"""How often a manifest that changes while it is read is read again."""


@dataclass(frozen=True, slots=True)
class ManifestPorts:
    """The ports that the rewriting of augmented manifests uses."""

    migration: MigrationPorts
    contents: ManifestContents


def read_manifest(
    location: Location, declared: Sequence[ManifestReferences], *, rules: CompiledRules, ports: ManifestPorts
) -> Iterator[Reported]:
    """The references in the manifest's present lines, whichever writer wrote them, classified.

    Empty where certainly no object exists. Nothing is written. Raises UnavailableError when the manifest changes each
    time that it is read.
    """
    blocks = _content_now(location, ports)
    if blocks is None:
        return
    lines = lines_of(blocks, name=location.uri)
    for line in rewritten_lines(lines, declared, holder=location.uri, rules=rules, ports=ports.migration):
        yield from line.reports


def read_copies(
    location: Location, declared: Sequence[ManifestReferences], *, rules: CompiledRules, ports: ManifestPorts
) -> Iterator[Reference]:
    """The places of the new layout that a manifest's lines name now, or may name."""
    blocks = _content_now(location, ports)
    if blocks is not None:
        yield from copies_in(lines_of(blocks, name=location.uri), declared, holder=location.uri, rules=rules)


def _content_now(location: Location, ports: ManifestPorts) -> Iterator[bytes] | None:
    for _ in range(LOOKS):
        seen = ports.migration.store.look_at_object(location)
        if seen is None:
            return None
        blocks = ports.contents.read_content(location, etag=seen.etag)
        if not isinstance(blocks, Refused):
            return blocks
    raise UnavailableError(f"{location.uri} changes faster than it can be read")
