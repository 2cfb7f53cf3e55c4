"""Producers as real ones are: they write both keys, move by themselves, and remove versions for good."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.fakes.bucket_lifecycle import LifecycleRule
from tests.fakes.buckets import Version, Versioning
from tests.simulation.whole.history import NULL, KeyTruth, Value, Writer, value_of

if TYPE_CHECKING:
    from tests.simulation.whole.people import People
    from tests.simulation.whole.site import Site

BETWEEN = (0.05, 1.0, 20.0)
"""Seconds between the two halves of what a producer does to both keys, at most."""


class Producers:
    """What owners do beside putting and deleting at the source."""

    def __init__(self, site: "Site", people: "People", later: Callable[[Callable[[], None], float], None]) -> None:
        self._site = site
        self._people = people
        self._later = later

    def speak(self, key: KeyTruth) -> bool:
        """Do one of these things now and then; whether one was done."""
        plan, random = self._site.plan, self._site.random
        if plan.dual and random.random() < plan.dual:
            self.put_both(key)
        elif plan.moves and random.random() < plan.moves and key.owner is not None:
            self.move(key)
        elif plan.erases and plan.versioned and random.random() < plan.erases:
            self.erase(key)
        else:
            return False
        return True

    def put_both(self, key: KeyTruth) -> None:
        """A producer who writes the old and the new layout, in either order."""
        people, random, value = self._people, self._site.random, self._people.new_value(key)
        if random.random() < 0.5:
            people.put(key, value=value)
            self._soon(lambda: people.intrude(key, value, by=Writer.OWNER))
        else:
            people.intrude(key, value, by=Writer.OWNER)
            self._soon(lambda: people.put(key, value=value))

    def move(self, key: KeyTruth) -> None:
        """``aws s3 mv``: a copy, then a delete."""
        value: Value | None = value_of(self._site.store.buckets.current(key.source))
        if value is None:
            return
        self._people.intrude(key, value, by=Writer.OWNER)
        self._soon(lambda: self._people.remove(key))

    def erase(self, key: KeyTruth) -> None:
        """A delete that names a version: whichever there is, a marker too."""
        buckets, site = self._site.store.buckets, self._site
        versions = buckets.bucket(key.source.bucket).versions.get(key.source.key, [])
        if not versions:
            return
        gone = site.random.choice(versions)
        if buckets.is_locked(gone):
            site.say("owner", f"may not remove {key.source.key} {gone.version_id}: it is locked")
            return
        buckets.remove_version(key.source, gone.version_id or NULL)
        site.truth.owner_erased(key, gone)
        site.manifests.changed(key.source)
        site.say("owner", f"removes {key.source.key} {gone.version_id} for good", len(key.words) - 1)
        site.service.version_removed(key.source, gone)
        site.check(key)

    def _soon(self, what: Callable[[], None]) -> None:
        self._later(what, self._site.random.choice(BETWEEN))


RULES = {
    "noncurrent": LifecycleRule("old/", expires_noncurrent=True),
    "markers": LifecycleRule("old/", expires_noncurrent=True, removes_expired_markers=True),
    "older": LifecycleRule("old/", expires_noncurrent=True, newer_noncurrent_versions=1),
    "current": LifecycleRule("old/", expires_current=True),
    "class": LifecycleRule("old/", transition_to="STANDARD_IA"),
    "archive": LifecycleRule("old/k", transition_to="GLACIER"),
    "target": LifecycleRule("new/", transition_to="STANDARD_IA"),
}


def run_rule(site: "Site", name: str) -> None:
    """A lifecycle rule of the source bucket, or of the target's, does what is due under it."""
    bucket = site.target_bucket if name == "target" else next(iter(site.truth.keys)).bucket
    before = {key.source: list(_versions(site, key)) for key in site.truth.keys.values()}
    told = site.store.run_lifecycle(bucket, RULES[name])
    site.say("rule", f"of lifecycle runs: {name}", len(told))
    for key in site.truth.keys.values():
        left = {one.written for one in _versions(site, key)}
        was_current = bool(before[key.source]) and before[key.source][-1].state is not None
        is_marked = was_current and bool(left) and max(left) > before[key.source][-1].written
        for gone in before[key.source]:
            if gone.written not in left and not (was_current and gone is before[key.source][-1]):
                site.say("rule", f"removes {key.source.key} {gone.version_id}")
                site.truth.owner_erased(key, gone, by=Writer.RULE)
        if was_current and (is_marked or not left or before[key.source][-1].written not in left):
            marker = site.store.buckets.top(key.source)
            site.say("rule", f"expires {key.source.key}", len(key.words))
            site.truth.owner_deleted(key, marker, was_there=True, by=Writer.RULE)
        site.manifests.changed(key.source)
        site.check(key)
    for one in told:
        site.service.rule_told(one)


def suspend(site: "Site") -> None:
    """An operator of the source bucket suspends its versioning."""
    site.store.set_versioning(next(iter(site.truth.keys)).bucket, Versioning.SUSPENDED)
    site.say("operator", "suspends versioning")


def _versions(site: "Site", key: KeyTruth) -> list[Version]:
    return site.store.buckets.bucket(key.source.bucket).versions.get(key.source.key, [])
