"""S3's notifications: late, twice, out of order, or lost."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from domain.keys import Location
from tests.fakes.buckets import Notification, Version, Versioning
from tests.fakes.lifecycle import InMemoryLiveCapture
from tests.simulation.whole.history import KeyTruth
from tests.simulation.whole.ports import SCALE

if TYPE_CHECKING:
    from tests.simulation.whole.site import Site

OURS = "AWS:AROAKEYSHIFT"


class Service:
    """S3's notifications: late, twice, out of order, or lost."""

    def __init__(self, site: "Site") -> None:
        self._site = site
        self.under_way = 0
        self._coming: Counter[str] = Counter()
        self._sequences: dict[int, int] = {}

    def object_written(self, location: Location) -> None:
        """A PUT or COPY has happened."""
        version = self._site.store.buckets.current(location)
        if version is None or version.state is None:
            return
        state = version.state
        seen = {"size": state.size * SCALE, "eTag": state.etag, "versionId": version.version_id}
        number = self._sequences[version.written] = self._site.next_number()
        self._notify("ObjectCreated:Put", location, number, seen, "AWS:OWNER")

    def object_deleted(self, location: Location, *, by_us: bool = False) -> None:
        """A DELETE has happened."""
        is_marked = self._site.store.buckets.bucket(location.bucket).versioning is not Versioning.OFF
        name = "ObjectRemoved:DeleteMarkerCreated" if is_marked else "ObjectRemoved:Delete"
        self._notify(name, location, self._site.next_number(), {}, OURS if by_us else "AWS:OWNER")

    def version_removed(self, location: Location, gone: Version) -> None:
        """A DELETE that named a version has happened."""
        self._notify(
            "ObjectRemoved:Delete", location, self._site.next_number(), {"versionId": gone.version_id}, "AWS:OWNER"
        )

    def object_restored(self, location: Location) -> None:
        """An archived object can be read again."""
        version = self._site.store.buckets.current(location)
        if version is not None and version.state is not None:
            seen = {"size": version.state.size * SCALE, "eTag": version.state.etag, "versionId": version.version_id}
            number = self._sequences.get(version.written, 0)
            self._notify("ObjectRestore:Completed", location, number, seen, "s3.amazonaws.com")

    def rule_told(self, told: Notification) -> None:
        """A lifecycle rule has acted: the sequencer is as old as the object."""
        number = self._sequences.get(told.written, 0)
        self._notify(told.name, told.location, number, {"versionId": told.version_id}, "s3.amazonaws.com")

    def probe_written(self, location: Location, capture: InMemoryLiveCapture) -> None:
        """A probe of a migration's start was written: its event goes that migration's way."""
        site, queue = self._site, self._site.events
        if capture is site.second.capture:
            queue = site.second.events
        if site.wire.carries(location, capture.name):
            body = _body("ObjectCreated:Put", location, site.next_number(), {}, "AWS:OPERATOR")
            site.scheduler.at(site.random.random() * 5, lambda: queue.send_messages([body]))

    def is_on_its_way(self, key: KeyTruth) -> bool:
        """Whether a message about the key is under way, or in a queue."""
        named = f'"{key.source.key}"'
        waiting = (*self._site.events.bodies, *self._site.backfill.bodies)
        return self._coming[key.source.key] > 0 or any(named in body for body in waiting)

    def _notify(self, name: str, location: Location, number: int, seen: Mapping[str, Any], who: str) -> None:
        plan, random, key = self._site.plan, self._site.random, self._site.truth.keys.get(location)
        is_lost = key is not None and random.random() < plan.lost_events
        is_carried = not plan.gated or self._site.wire.carries(location, self._site.capture.name)
        if key is not None and who != OURS:
            self._site.promises.told(key, is_delivered=is_carried and not is_lost)
        if key is None and not is_carried:
            return
        if key is not None and (is_lost or not is_carried):
            key.lost_events += 1
            key.lost_deletes |= name.startswith(("ObjectRemoved", "LifecycleExpiration"))
            self._site.say("S3", f"loses {name} {location.key}")
            return
        body = _body(name, location, number, seen, who)
        for _ in range(2 if random.random() < plan.duplicates else 1):
            self.under_way += 1
            self._coming[location.key] += 1
            late = random.choice((0.1, 2.0, 30.0, plan.latest_event))
            self._site.scheduler.at(random.random() * late, lambda: self._arrive(location, body))

    def _arrive(self, location: Location, body: str) -> None:
        self.under_way -= 1
        self._coming[location.key] -= 1
        if self._site.random.random() < self._site.plan.buried:
            self._site.events.bury(body)
        else:
            self._site.events.send_messages([body])


def _body(name: str, location: Location, number: int, seen: Mapping[str, Any], who: str) -> str:
    told = {"key": location.key, "sequencer": f"{number:018x}", **seen}
    entry = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": name,
        "userIdentity": {"principalId": who},
        "s3": {"bucket": {"name": location.bucket}, "object": told},
    }
    return json.dumps({"Records": [entry]})
