"""The portal's past: written before the move, with everything that is known about it."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO

from domain.keys import Location
from domain.portal.records import JobKind
from handlers.demo.checker import ProducersBook, target_of, write_object
from handlers.demo.cloud_http import Cloud
from handlers.demo.objects import ProducedObject, object_of
from handlers.demo.portal.comparison import Item, Items
from handlers.demo.portal.records import (
    FOREIGN,
    OUTSIDE,
    PINNED_MODEL,
    PINNED_PACKAGE,
    RUNNING_COMPILATION,
    RUNNING_JOB,
    Past,
    past_of,
    recipe_of_the_past,
)
from handlers.demo.portal.setup import PortalSetup

REGION = "us-east-1"
TABLES = ("training", "model")


@dataclass(slots=True)
class PortalWorld:
    """The producers' knowledge of the portal, independent of keyshift."""

    on: PortalSetup
    past: Past = field(init=False)
    book: ProducersBook = field(init=False)

    def __post_init__(self) -> None:
        self.past = past_of(self.bucket, region=REGION)

    @property
    def bucket(self) -> str:
        """The use case's bucket."""
        return self.on.demo.rules.source_bucket

    def write_past(self, book: ProducersBook) -> None:
        """Objects, records, components, models and the jobs that still run."""
        self.book = book
        for key, body in self.past.objects.items():
            self.write(Location(self.bucket, key), body)
        for key, body in self.past.manifests.items():
            # Their bytes change when their images move, so they are not in the producers' book.
            write_object(self.on.demo.producers_bucket, Location(self.bucket, key), object_of(body))
        for item in self.past.trainings:
            self.on.ports.trainings.create_training(item)
        for item in self.past.models:
            self.on.ports.trainings.write_model(item)
        for name, key in self.past.components.items():
            recipe = recipe_of_the_past(name, self.uri(key))
            self.on.cloud.components.create_component_version(recipe, tags={}, client_token=f"of old {name}")
            self.on.cloud.components.deployments[f"line with {name}"] = {name: "1.0.0"}
        self.on.cloud.models.create_model("sold", self.uri(PINNED_MODEL))
        self.on.cloud.models.create_package("registered", self.uri(PINNED_PACKAGE))
        _start_old_jobs(self.on.cloud, self.bucket)

    def uri(self, key: str) -> str:
        """The object's URI."""
        return f"s3://{self.bucket}/{key}"

    def write(self, place: Location, body: bytes) -> None:
        """Write an object that is never written again, and note it in the producers' book."""
        written = object_of(body)
        write_object(self.on.demo.producers_bucket, place, written)
        self.book.note(place.key, written)

    def read(self, place: Location) -> bytes | None:
        """The bytes there."""
        found = self.on.demo.producers_bucket.read_object(place)
        return None if found is None else found[0]

    def note_package(self, place: Location) -> None:
        """A package that the portal wrote: from now on it must stay as it is."""
        found = self.on.demo.producers_bucket.read_object(place)
        if found is not None:
            body, state = found
            written = ProducedObject(
                len(body), 0, dict(state.metadata), {}, state.headers.content_type or "", content=body
            )
            self.book.note(place.key, written)

    def old_keys(self) -> list[str]:
        """Every key of the portal's that is moved, also those that old jobs wrote since."""
        entries = self.book.entries()
        known = (*self.past.objects, *self.past.manifests)
        since = [key for key in entries if RUNNING_JOB in key or RUNNING_COMPILATION in key]
        return [key for key in dict.fromkeys((*known, *since)) if self.target(key).key != key]

    def target(self, key: str) -> Location:
        """Where the object must be in the end."""
        return target_of(self.on.demo.rules, key)

    def moved(self) -> dict[str, str]:
        """Every form of every old URI, with the one that it becomes."""
        return {
            form.format(bucket=self.bucket, key=key): form.format(bucket=self.bucket, key=self.target(key).key)
            for key in self.old_keys()
            for form in FORMS
        }

    def location_of(self, uri: str) -> Location | None:
        """The place of a URI in a record, read in the plain way; ``None``: not in this bucket."""
        if uri == FOREIGN:
            return None
        for form in FORMS:
            begin = form.format(bucket=self.bucket, key="")
            if uri.startswith(begin):
                return Location(self.bucket, uri.removeprefix(begin))
        return Location("", uri)

    def manifest_after(self, key: str) -> bytes:
        """A manifest's bytes when all its images are moved."""
        text = self.past.manifests[key].decode()
        for old, new in self.moved().items():
            text = text.replace(f'"{old}"', f'"{new}"')
        return text.encode()

    def bodies_of(self, key: str, *, rewritten: bool) -> tuple[bytes, ...]:
        """Every content that the object of this old or new key may have now."""
        for name, body in self.past.manifests.items():
            if key in (name, self.target(name).key):
                after = self.manifest_after(name)
                return (after,) if rewritten and key != name else (body, after)
        entries = self.book.entries()
        return tuple(
            entry.last.body()
            for old, entry in entries.items()
            if entry.last is not None and (key == old or key == self.target(old).key)
        )

    def is_good(self, place: Location) -> bool:
        """Whether what a record of today leads to is there, with the right bytes; a package is a whole zip."""
        body = self.read(place) if place.bucket else None
        if body is None or body not in self.bodies_of(place.key, rewritten=True):
            return False
        if place.key.startswith("deployments/") and body.startswith(b"PK"):
            with zipfile.ZipFile(BytesIO(body)) as archive:
                return archive.testzip() is None
        return place.key == OUTSIDE or self.on.layout.fault_of(place.key) is None

    def items(self, kind: str) -> Items:
        """A table's items by their keys, as they are."""
        name, key = {
            "training": (self.on.names.trainings, "training_id"),
            "model": (self.on.names.models, "model_id"),
        }[kind]
        return {str(item[key]["S"]): item for item in _scanned(self.on, name)}


FORMS = (
    "s3://{bucket}/{key}",
    f"https://{{bucket}}.s3.{REGION}.amazonaws.com/{{key}}",
    f"https://s3.{REGION}.amazonaws.com/{{bucket}}/{{key}}",
)


def _scanned(on: PortalSetup, table: str) -> Iterator[Item]:
    for page in on.tables.scan_items(table):
        yield from page.items


def _start_old_jobs(cloud: Cloud, bucket: str) -> None:
    """A training and a compilation that the portal started before it knew the new layout."""
    channel = {"DataSource": {"S3DataSource": {"S3Uri": f"s3://{bucket}/datasets/cookies.manifest"}}}
    cloud.jobs.create_job(
        JobKind.TRAINING,
        {
            "TrainingJobName": RUNNING_JOB,
            "InputDataConfig": [channel],
            "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/datasets//training-output"},
        },
    )
    folder = f"s3://{bucket}/datasets//compilation-output/{RUNNING_COMPILATION}/"
    source = f"s3://{bucket}/datasets//training-output/cookie-20251101-042027/output/model.tar.gz"
    cloud.jobs.create_job(
        JobKind.COMPILATION,
        {
            "CompilationJobName": RUNNING_COMPILATION,
            "InputConfig": {"S3Uri": source},
            "OutputConfig": {
                "S3OutputLocation": folder,
                "TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"},
            },
        },
    )
