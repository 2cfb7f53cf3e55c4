"""The portal's view of the resolver: any URI of a use case's bucket, before, during and after the move."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.keys import Location
from domain.portal.layout import Layout
from domain.portal.ports import ObjectStreams, ResolvedPath
from domain.references.resolver import Resolution, ResolveFault
from domain.references.uris import ObjectUri, read_uri
from domain.rules.compiled import CompiledRules
from handlers.operations.resolve import Resolver


@dataclass(frozen=True, slots=True)
class MigrationPaths:
    """PathResolver of a use case whose bucket is migrated: the manifest first, then S3."""

    resolver: Resolver
    rules: CompiledRules

    def resolve_paths(self, uris: Sequence[str]) -> Sequence[ResolvedPath]:
        """See the port."""
        return [self._path(answer) for answer in self.resolver.resolve_all(list(uris))]

    def _path(self, answer: Resolution) -> ResolvedPath:
        return ResolvedPath(
            answer.uri,
            _place(answer.new_uri),
            _place(answer.location),
            answer.reason,
            is_foreign=answer.fault is ResolveFault.FOREIGN_BUCKET,
        )


@dataclass(frozen=True, slots=True)
class LayoutPaths:
    """PathResolver of a use case without a migration: a URI of its layout is where it says."""

    layout: Layout
    objects: ObjectStreams

    def resolve_paths(self, uris: Sequence[str]) -> Sequence[ResolvedPath]:
        """See the port."""
        return [self._path(uri) for uri in uris]

    def _path(self, uri: str) -> ResolvedPath:
        place = _place(uri)
        if place is None:
            return ResolvedPath(uri, reason="it is not the URI of an S3 object")
        if place.bucket != self.layout.bucket:
            return ResolvedPath(uri, reason=f"{place.bucket} is not the use case's bucket", is_foreign=True)
        there = self.objects.read_metadata(place) is not None
        fault = self.layout.fault_of(place.key)
        return ResolvedPath(
            uri,
            place if fault is None else None,
            place if there else None,
            fault or ("" if there else "there is no object at this key"),
        )


def _place(uri: str | None) -> Location | None:
    read = read_uri(uri) if uri is not None else None
    return read.location if isinstance(read, ObjectUri) else None
