"""What every client works on: one server, one bucket with the same sources, and for each run a target of its own."""

import os
import platform
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import md5
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.standin import StandIn, running_standin

BUCKET = "line-1"
REGION = "us-east-1"
BODY_BYTES = 1024
BODY = b"keyshift" * (BODY_BYTES // 8)
JOBS = 50
"""Folders that the keys of a set are spread over."""
_AT_ONCE = 16
START_SECONDS = 120
"""Machines that one measures on are often busy before."""


@dataclass(frozen=True, slots=True)
class Sources:
    """So many objects of 1 KiB and of one etag below a prefix of their own."""

    name: str
    count: int
    etag: str = ""

    @property
    def prefix(self) -> str:
        """What their keys begin with."""
        return f"{self.name}/"

    @property
    def keys(self) -> list[str]:
        """Their keys, in the order in which clients are told of them."""
        return [f"{self.prefix}job-{number % JOBS}/part-{number:07}" for number in range(self.count)]


@dataclass(frozen=True)
class Site:
    """A server with the bucket; ``standin`` is ``None`` for a server that was given."""

    endpoint_url: str
    environment: dict[str, str]
    folder: Path
    standin: StandIn | None

    @cached_property
    def clients(self) -> AwsClients:
        """The bench's own requests, which no client is charged for."""
        return AwsClients(
            endpoint_url=self.endpoint_url,
            region=self.environment["AWS_REGION"],
            access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )

    def put_sources(self, name: str, count: int, *, body: bytes = BODY) -> Sources:
        """Write the objects of a set."""
        made = Sources(name, count)
        s3 = self.clients.s3

        def put(key: str) -> str:
            return s3.put_object(Bucket=BUCKET, Key=key, Body=body)["ETag"].strip('"')

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            (etag,) = set(pool.map(put, made.keys))
        return Sources(name, count, etag)

    def put_many_sources(self, name: str, count: int) -> Sources:
        """The same without a request for each object, where the stand-in is the server."""
        if self.standin is None:
            return self.put_sources(name, count)
        made = Sources(name, count, md5(BODY, usedforsecurity=False).hexdigest())
        self.put_bodies(made.keys)
        return made

    def put_bodies(self, keys: Sequence[str]) -> None:
        """Put an object of 1 KiB at each key; only the stand-in can."""
        if self.standin is None:
            raise SystemExit("only the stand-in puts objects without a request for each")
        self.standin.put_objects(BUCKET, keys, BODY.decode())

    def list_keys(self, prefix: str) -> list[str]:
        """Every key below the prefix; the stand-in sorts them all for each page, and S3 gives 1,000 at most."""
        pages = self.clients.s3.get_paginator("list_objects_v2").paginate(
            Bucket=BUCKET, Prefix=prefix, PaginationConfig={"PageSize": 1_000_000}
        )
        return [one["Key"] for page in pages for one in page.get("Contents", [])]

    def check_targets(self, sources: Sources, target: str) -> None:
        """Remove the copies; raises RuntimeError where a source has none."""
        found = self.list_keys(target)
        expected = {target + key.removeprefix(sources.prefix) for key in sources.keys}
        if set(found) != expected:
            raise RuntimeError(f"{target}: {len(expected & set(found)):,} of {sources.count:,} objects have a copy")
        self.delete_keys(found)

    def delete_keys(self, keys: Sequence[str]) -> None:
        """Delete the objects."""
        for first in range(0, len(keys), 1000):
            objects = [{"Key": key} for key in keys[first : first + 1000]]
            self.clients.s3.delete_objects(Bucket=BUCKET, Delete={"Objects": objects, "Quiet": True})  # type: ignore[typeddict-item]


@contextmanager
def prepared_site(endpoint: str | None = None, *, stream_seconds: int = 86_400) -> Iterator[Site]:
    """The embedded stand-in, or the server at ``endpoint`` with the credentials of the environment.

    The stand-in keeps the changes of a table for ``stream_seconds``, as much as a worker may be behind.
    """
    with TemporaryDirectory(prefix="keyshift-bench-") as folder:
        if endpoint is None:
            with running_standin(startup_seconds=START_SECONDS, stream_seconds=stream_seconds) as standin:
                yield _site(standin.environment(), Path(folder), standin)
        else:
            keys = {name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
            given = {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
            yield _site({**keys, **given, "AWS_EC2_METADATA_DISABLED": "true"}, Path(folder), None)


def _site(environment: dict[str, str], folder: Path, standin: StandIn | None) -> Site:
    site = Site(environment["AWS_ENDPOINT_URL"], environment, folder, standin)
    site.clients.s3.create_bucket(Bucket=BUCKET)
    return site


def machine() -> dict[str, Any]:
    """What a figure must be read with."""
    models = {line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")}
    return {
        "cores": os.cpu_count(),
        "processor": ", ".join(sorted(models)),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
    }


def _lines(path: str) -> list[str]:
    place = Path(path)
    return place.read_text(encoding="utf-8").splitlines() if place.exists() else []
