"""S3's restores from archives in memory."""

from domain.keys import Location
from domain.lifecycle.archives import Asked
from domain.objects import ObjectState
from domain.protocol.ports import Clock
from domain.rules.restoring import RestoreRule
from tests.fakes.buckets import Buckets
from tests.fakes.faults import ScriptedFaults

RESTORE_SECONDS = 2.0
"""A restore takes that long here."""


class InMemoryRestoreStore(ScriptedFaults):
    """RestoreStore over the same buckets; ``asked`` are the requests that began a restore."""

    def __init__(self, buckets: Buckets, clock: Clock) -> None:
        super().__init__()
        self.asked: list[tuple[Location, RestoreRule]] = []
        self._buckets = buckets
        self._clock = clock
        self._under_way: list[tuple[float, Location, str | None]] = []

    def restore_object(self, location: Location, *, seen: ObjectState, rule: RestoreRule) -> Asked:
        """See the port."""
        with self._faulty("restore_object"):
            found = self._buckets.version(location, seen.version_id)
            if found is None or found.state is None:
                return Asked.GONE
            if not found.state.is_archived:
                return Asked.READABLE
            if found.state.restoring:
                return Asked.UNDER_WAY
            self._buckets.change(location, found, restoring=True)
            self._under_way.append((self._clock.now() + RESTORE_SECONDS, location, found.version_id))
            self.asked.append((location, rule))
            return Asked.BEGUN

    def end_restores(self) -> None:
        """End those whose time is over."""
        for due in [one for one in self._under_way if one[0] <= self._clock.now()]:
            self._under_way.remove(due)
            found = self._buckets.version(due[1], due[2])
            if found is not None and found.state is not None and found.state.restoring:
                self._buckets.change(due[1], found, restoring=False, restored=True, archive_status=None)
