"""Producers as real ones are: they write both keys, move by themselves, and remove versions for good."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.simulation.whole.history import KeyTruth, Value, Writer, value_of

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
        elif plan.erases and key.versioned and random.random() < plan.erases:
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
        buckets.remove_version(key.source, gone.version_id or "")
        site.truth.owner_erased(key, gone)
        site.manifests.changed(key.source)
        site.say("owner", f"removes {key.source.key} {gone.version_id} for good", len(key.words) - 1)
        site.service.version_removed(key.source, gone)
        site.check(key)

    def _soon(self, what: Callable[[], None]) -> None:
        self._later(what, self._site.random.choice(BETWEEN))
