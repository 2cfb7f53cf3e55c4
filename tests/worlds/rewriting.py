"""A migrated manifest that is rewritten alone, and what may happen to it meanwhile."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import UnavailableError
from domain.keys import Location
from domain.objects import ObjectState
from domain.protocol.attempt import MigrationPolicy
from domain.protocol.parts import MIN_PART_BYTES
from domain.protocol.ports import Refused, TargetObject
from domain.references.holders import Reference
from domain.references.manifest_reading import ManifestPorts
from domain.references.manifest_rewriting import ManifestRewriter
from domain.references.reports import ReferenceOutcome, Reported, Wait, Waiting
from tests.fakes.contents import InMemoryContents
from tests.fakes.object_store import InMemoryObjectStore
from tests.worlds.augmented_manifests import CONTENT, MANIFEST, ManifestWorld


class Meanwhile(InMemoryContents):
    """Contents, read in one block; something else happens just before the call that ``before`` names."""

    def __init__(self, store: InMemoryObjectStore) -> None:
        super().__init__(store)
        self._events: dict[tuple[str, int], Callable[[], object]] = {}

    def before(self, call: str, nth: int, event: Callable[[], object]) -> None:
        """Let it happen before the nth call of that name, counted from 1."""
        self._events[call, nth] = event

    def _happen(self, call: str) -> None:
        self._events.get((call, self.calls.count(call) + 1), lambda: None)()

    def read_content(self, location: Location, *, etag: str) -> Iterator[bytes] | Refused:
        """See the port."""
        self._happen("read_content")
        blocks = super().read_content(location, etag=etag)
        return blocks if isinstance(blocks, Refused) else iter([b"".join(blocks)])

    def upload_part(self, target: TargetObject, *, upload_id: str, number: int, body: bytes) -> str | Refused:
        """See the port."""
        self._happen("upload_part")
        return super().upload_part(target, upload_id=upload_id, number=number, body=body)


class OtherwiseDescribed(InMemoryObjectStore):
    """The same objects, of which HEAD says other things."""

    def __init__(self, store: InMemoryObjectStore, **said: Any) -> None:
        super().__init__()
        self.buckets, self._said = store.buckets, said

    def look_at_object(
        self, location: Location, *, version_id: str | None = None, with_tags: bool = False
    ) -> ObjectState | None:
        """See the port."""
        seen = super().look_at_object(location, version_id=version_id, with_tags=with_tags)
        return seen and replace(seen, **self._said)


class RewritingWorld(ManifestWorld):
    """A migrated manifest that is rewritten alone, in attempts of 60 seconds."""

    def __init__(self, content: bytes = CONTENT, *, versioned: bool = False) -> None:
        super().__init__(versioned=versioned)
        self.contents: Meanwhile = Meanwhile(self.store)
        self.ports = ManifestPorts(self.migration_ports, self.contents)
        self.policy = MigrationPolicy(request_seconds=5.0, margin_seconds=1.0, part_size=MIN_PART_BYTES)
        if content != CONTENT:
            self.store.put(self.place, content)
            self.migrate(MANIFEST)
        self.target = self.record(MANIFEST).target

    def rewrite(self, **changes: Any) -> list[Reported]:
        """One rewriting, by the record as it is, or as a worker saw it that was changed since."""
        rewriter = ManifestRewriter(self.rules, self.ports, self.policy)
        record = replace(self.record(MANIFEST), **changes)
        return rewriter.rewrite_manifest(record, self.rules.references.manifests, attempt=self.attempt())

    def about_all(self, outcome: ReferenceOutcome, why: str, new_uri: str = "") -> Reported:
        """A report on the manifest as a whole."""
        return Reported(Reference(self.target.uri, "", self.place.uri, self.place), outcome, why, new_uri)

    def waiting(self, wait: Wait, detail: str = "", new_uri: str = "") -> Reported:
        """A report that the manifest as a whole waits."""
        reference = Reference(self.target.uri, "", self.place.uri, self.place)
        return Reported.waiting(reference, Waiting(wait, detail), new_uri=new_uri)

    def stopped(self, wait: Wait) -> list[Reported]:
        """What is reported of a rewriting that began and was stopped."""
        return [self.waiting(wait, new_uri=self.target.uri)]

    def break_off(self) -> None:
        """No answer comes to the last request of a rewriting, which was never done; its claim runs out."""
        self.store.fail_next(UnavailableError("no answer"), call="complete_upload")
        with pytest.raises(UnavailableError):
            self.rewrite()
        self.clock.advance(1_000)

    def written(self, name: str) -> list[Any]:
        """What this field of the manifest's record was set to, in the order of the writes."""
        values = [getattr(one, name) for _, one in self.manifest.changes if one.source == self.place]
        return [one for one in dict.fromkeys(values) if one is not None]
