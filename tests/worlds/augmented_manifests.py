"""A migrated augmented manifest, of whose two images one is migrated."""

from domain.objects import ObjectState
from domain.references.manifest_reading import ManifestPorts
from domain.references.reports import Reported
from handlers.operations.reference_manifests import ManifestScan
from tests.fakes.contents import InMemoryContents
from tests.fakes.object_store import InMemoryObjectStore
from tests.worlds.referring import REFERRING_POLICY, ReferringWorld

MANIFEST, NEW_MANIFEST = "old//set.manifest", "new/set.manifest"
CONTENT = (
    b'{"source-ref":"s3://line-1/old//a.png",  "n": 1.50, "x":"s3://line-1/old//a.png"}\r\n'
    b"\n"
    b'{"source-ref":"s3:\\/\\/line-1\\/old\\/\\/b.png","mask-ref":"s3://line-1/old//a.png","u":"\\u00e9"}\n'
    b"no json\n"
    b'{"source-ref":"s3://elsewhere/c.png"}'
)
REWRITTEN = CONTENT.replace(b'"source-ref":"s3://line-1/old//a', b'"source-ref":"s3://line-1/new/a').replace(
    b'"mask-ref":"s3://line-1/old//a', b'"mask-ref":"s3://line-1/new/a'
)


class ManifestWorld(ReferringWorld):
    """A migrated manifest whose first image is migrated and whose second one is not yet."""

    def __init__(self, *, versioned: bool = False) -> None:
        super().__init__(versioned=versioned)
        self.contents = InMemoryContents(self.store)
        store = InMemoryObjectStore
        assert isinstance(self.store, store)
        self.scan = ManifestScan(
            self.rules,
            ManifestPorts(self.migration_ports, self.contents),
            REFERRING_POLICY,
            self.store,
            new_token=lambda: self.attempt().token,
            attempt_seconds=600.0,
        )
        self.put("old//a.png")
        self.put("old//b.png")
        self.place = self.put(MANIFEST, CONTENT)
        self.store.put(self.place, CONTENT, metadata={"m": "1"}, tags={"t": "2"}, storage_class="STANDARD_IA")
        self.migrate("old//a.png")
        self.migrate(MANIFEST)

    def rewrite(self) -> list[Reported]:
        """One run."""
        return list(self.scan.scan(dry_run=False))

    def content(self) -> bytes | None:
        """What is at the new key."""
        return self.store.body(self.record(MANIFEST).target)

    def seen(self) -> ObjectState:
        """The manifest at its new key."""
        seen = self.store.look_at_object(self.record(MANIFEST).target, with_tags=True)
        assert seen is not None
        return seen
