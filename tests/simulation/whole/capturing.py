"""The source bucket's notifications, which migrations and other programs share, and what S3 delivers by them."""

from typing import TYPE_CHECKING

from domain.keys import Location
from domain.lifecycle.ports import Capture, CaptureRefused, Restored
from tests.fakes.lifecycle import InMemoryLiveCapture
from tests.simulation.whole.asking import Asking
from tests.simulation.whole.scheduler import Process

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.whole.site import Site

EFFECTIVE_SECONDS = 40.0
"""A new configuration counts after so long at the latest; AWS says minutes."""


class Wire:
    """One bucket's configuration, and the one by which S3 delivers at this moment."""

    def __init__(self, site: "Site", entries: dict[str, str]) -> None:
        self._site = site
        self.entries = entries
        self.effective = dict(entries)
        self.is_broken = False
        """Whether a queue's policy or a rule behind the bucket is gone, which no configuration shows."""
        self.silent_since: float | None = None if entries else 0.0

    def changed(self) -> None:
        """The configuration was written: it counts a little later."""
        self._site.scheduler.at(self._site.random.random() * EFFECTIVE_SECONDS, self.take_effect)

    def take_effect(self) -> None:
        """What is configured now counts."""
        self.effective = dict(self.entries)
        is_silent = not self.carries(Location(self._site.capture.bucket, self._site.capture.prefix), self.own)
        if not is_silent:
            self.silent_since = None
        elif self.silent_since is None:
            self.silent_since = self._site.scheduler.time

    @property
    def own(self) -> str:
        """The name of the first migration's notification."""
        return self._site.capture.name

    def carries(self, location: Location, name: str) -> bool:
        """Whether an event of that key is delivered by the notification of that name."""
        prefix = self.effective.get(name)
        return not self.is_broken and prefix is not None and location.key.startswith(prefix)


class SimulatedCapture(Asking):
    """LiveCapture as one process sees it; what it changes is judged, and counts a little later."""

    def __init__(self, process: Process, site: "Site", capture: InMemoryLiveCapture) -> None:
        super().__init__(process, site)
        self._capture = capture

    def read_configuration(self) -> str:
        """GetBucketNotificationConfiguration."""
        return str(self._ask("read_configuration", "", self._capture.read_configuration))

    def plan_capture(self, *, through: str) -> Capture | CaptureRefused:
        """The same, and what a start would make of it."""
        planned: Capture | CaptureRefused = self._ask(
            "plan_capture", "", lambda: self._capture.plan_capture(through=through)
        )
        return planned

    def find_fault(self, capture: Capture) -> str | None:
        """The same, compared with what start left."""
        fault: str | None = self._ask("find_fault", "", lambda: self._capture.find_fault(capture))
        return fault

    def switch_on(self, capture: Capture) -> None:
        """PutBucketNotificationConfiguration."""
        self._ask("switch_on", self._capture.name, lambda: self._changes(lambda: self._capture.switch_on(capture)))

    def restore(self, capture: Capture) -> Restored:
        """The same, to what was there before."""
        restored: Restored = self._ask(
            "restore", self._capture.name, lambda: self._changes(lambda: self._capture.restore(capture))
        )
        return restored

    def _changes(self, change: "Callable[[], Restored | None]") -> Restored | None:
        site, wire = self._site, self._site.wire
        before = dict(wire.entries)
        done = change()
        others = {one.name for one in site.captures if one is not self._capture}
        site.promises.configured(before, wire.entries, own=self._capture.name, others=others)
        wire.changed()
        return done

    def write_probe(self, location: Location) -> None:
        """PutObject."""

        def effect() -> None:
            self._capture.write_probe(location)
            self._site.service.probe_written(location, self._capture)

        self._ask("write_probe", location.key[-8:], effect)

    def remove_probe(self, location: Location) -> None:
        """DeleteObject."""
        self._ask("remove_probe", location.key[-8:], lambda: self._capture.remove_probe(location))


def rewrite_notifications(site: "Site", at: float) -> None:
    """Another program writes the bucket's notifications as it knows them, or takes the way behind them away."""
    random, wire = site.random, site.wire

    def replace_all() -> None:
        known = dict(wire.entries)
        wire.entries.clear()
        wire.entries["terraform"] = "logs/"
        wire.changed()
        site.say("terraform", "replaces the notifications", known)
        if random.random() < 0.4:
            site.scheduler.at(random.uniform(20, 500), lambda: put_back(known))

    def put_back(known: dict[str, str]) -> None:
        wire.entries.update(known)
        wire.changed()
        site.say("terraform", "puts the notifications back", known)

    def take_policy() -> None:
        wire.is_broken = True
        wire.take_effect()
        site.say("terraform", "takes the queue's policy away")
        site.scheduler.at(random.uniform(20, 700), give_policy)

    def give_policy() -> None:
        wire.is_broken = False
        wire.take_effect()
        site.say("terraform", "gives the queue its policy back")

    site.scheduler.at(at, random.choice((replace_all, take_policy)))
