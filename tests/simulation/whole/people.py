"""Owners, strangers and operators: what happens around keyshift, without asking it."""

from collections.abc import Callable

from domain.keys import Location
from domain.objects import ObjectState
from handlers.intake.messages import BackfillRow, encode_backfill
from tests.simulation.whole.history import KeyTruth, Value, Writer, value_of
from tests.simulation.whole.manifests import LINES, is_manifest
from tests.simulation.whole.ports import SCALE
from tests.simulation.whole.producers import Producers, run_rule, suspend
from tests.simulation.whole.site import Site

MEANWHILE = ("current", "class", "archive", "target")
"""Rules that need no noncurrent version of a day."""


class People:
    """Lets everybody do what the plan says, at times that chance decides."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._old_rows: list[tuple[Location, ObjectState]] = []
        self._producers = Producers(site, self, self._later)
        self.left = 0

    def begin(self) -> None:
        """Plan the whole day."""
        plan, random = self._site.plan, self._site.random
        for key in self._site.truth.keys.values():
            before = random.random() < 0.5
            for number in range(random.randint(1, plan.words)):
                if before and number == 0:
                    self.put(key, tell=False)
                else:
                    self._later(lambda key=key: self.speak(key))  # type: ignore[misc]
        keys = list(self._site.truth.keys.values())
        for _ in range(plan.strangers):
            self._later(lambda: self.meddle(random.choice(keys)))
        for _ in range(plan.stale_rows):
            self._later(self.send_old_row)
        if plan.versioned and plan.suspends:
            at = 1.0 if plan.suspends == "first" else plan.seconds
            self._later(lambda: suspend(self._site), at)
        if plan.lifecycle in MEANWHILE:
            self._later(lambda: run_rule(self._site, plan.lifecycle))
        if self._site.properties is not None:
            for _ in range(plan.keys):
                self._later(self._site.properties.restore_some)
        self.begin_application(plan.seconds)

    def begin_application(self, seconds: float) -> None:
        """Plan what the application writes in that time, and messages that nobody can read."""
        plan, random, application = self._site.plan, self._site.random, self._site.application
        for _ in range(plan.garbage):
            self._later(lambda: self._site.events.send_messages(["{no message"]), seconds)
        for number in range(plan.items):
            application.edit(number)
        for _ in range(plan.edits if plan.items else 0):
            self._later(lambda: application.edit(random.randrange(plan.items)), seconds)

    def speak_again(self) -> None:
        """Owners go on when everything has come to rest, within a minute."""
        if self._site.plan.lifecycle:
            self._later(lambda: run_rule(self._site, self._site.plan.lifecycle), 60.0)
        for key in self._site.truth.keys.values():
            for _ in range(self._site.random.randint(0, self._site.plan.afterwards)):
                self._later(lambda key=key: self.speak(key), 60.0)  # type: ignore[misc]

    def _later(self, what: Callable[[], object], seconds: float | None = None) -> None:
        self.left += 1

        def happens() -> None:
            self.left -= 1
            what()

        self._site.scheduler.at(self._site.random.random() * (seconds or self._site.plan.seconds), happens)

    # Owners
    def speak(self, key: KeyTruth) -> None:
        """An owner puts or deletes."""
        properties = self._site.properties
        if self._producers.speak(key) or (properties is not None and properties.speak(key)):
            return
        if key.owner is not None and self._site.random.random() < self._site.plan.removes:
            self.remove(key)
        else:
            self.put(key)

    def put(self, key: KeyTruth, *, value: Value | None = None, tell: bool = True) -> None:
        """An owner puts ``value``, or something new, or something that was there before."""
        body, mark = value or self.new_value(key)
        said = self._site.properties.of_put(key) if self._site.properties is not None else {}
        state = self._site.store.put(key.source, body, metadata={"put": mark}, **said)
        key.has_broken_promise |= self._site.plan.promised and state.encryption.is_kms
        self._site.truth.owner_put(key, self._site.there(key.source))
        self._old_rows.append((key.source, state))
        self._site.say("owner", f"puts {key.source.key} {body.decode()}/{mark} {state.etag[:6]}", len(key.words) - 1)
        self._site.manifests.changed(key.source)
        if tell:
            self._site.service.object_written(key.source)
        else:
            key.lost_events += 1
            self._site.promises.told(key, is_delivered=False)
        self._site.check(key)

    def new_value(self, key: KeyTruth) -> Value:
        """Something new, or something that he had put before."""
        plan, random, number = self._site.plan, self._site.random, self._site.next_number()
        said = [word for word in key.words if word is not None]
        manifest = self._site.manifests.content(number, random.randint(1, LINES)) if is_manifest(key) else None
        if said and random.random() < plan.repeats:
            body, mark = random.choice(said)
            # The one window that is open by nature (protocol.md §11): the same bytes with other metadata, put while
            # the unversioned source is being cleaned up.
            fenced = plan.cleanup and (not plan.versioned or bool(plan.suspends)) and not plan.unfenced
            return body, mark if fenced or random.random() < 0.5 else f"m{number}"
        if manifest is not None:
            return manifest, f"m{number}"
        times = 4 if random.random() < plan.large else 1
        return f"{number % 1000:03d}".encode() * times, f"m{number}"

    def remove(self, key: KeyTruth, *, tell: bool = True) -> None:
        """An owner deletes."""
        was_there = self._site.store.buckets.current(key.source) is not None
        self._site.store.remove(key.source)
        self._site.manifests.changed(key.source)
        self._site.truth.owner_deleted(key, self._site.store.buckets.top(key.source), was_there=was_there)
        self._site.say("owner", f"deletes {key.source.key}", len(key.words) - 1)
        if tell:
            self._site.service.object_deleted(key.source)
        else:
            self._site.promises.told(key, is_delivered=False)
        self._site.check(key)

    # Strangers
    def meddle(self, key: KeyTruth) -> None:
        """A new-layout writer writes or deletes at the target."""
        there = self._site.store.buckets.current(key.target)
        if there is not None and self._site.random.random() < 0.4:
            self.take_away(key)
            return
        source = value_of(self._site.store.buckets.current(key.source))
        twin = value_of(there) or source
        if twin is not None and self._site.plan.twins and self._site.random.random() < self._site.plan.twins:
            self.intrude(key, (twin[0], f"f{self._site.next_number()}"))
        elif source is not None and self._site.random.random() < 0.3:
            self.intrude(key, source)
        else:
            number = self._site.next_number()
            mark = source[1] if source is not None and self._site.random.random() < 0.3 else f"f{number}"
            self.intrude(key, (f"F{number % 100:02d}".encode(), mark))

    def intrude(self, key: KeyTruth, value: Value, *, by: Writer = Writer.STRANGER) -> None:
        """A stranger puts, or a producer who writes the new layout too."""
        self._site.store.put(key.target, value[0], metadata={"put": value[1]})
        self._site.truth.foreign_put(key, self._site.there(key.target), by=by)
        self._site.manifests.changed(key.target)
        self._site.say(str(by), f"puts {key.target.key}", value)
        self._site.service.object_written(key.target)

    def take_away(self, key: KeyTruth) -> None:
        """A stranger deletes."""
        self._site.store.remove(key.target)
        self._site.truth.foreign_deleted(key, self._site.store.buckets.top(key.target))
        self._site.manifests.changed(key.target)
        self._site.say("stranger", f"deletes {key.target.key}")
        self._site.service.object_deleted(key.target)

    # Operators
    def send_old_row(self) -> None:
        """A row of an old inventory arrives."""
        if not self._old_rows:
            return
        location, state = self._site.random.choice(self._old_rows)
        row = BackfillRow(
            key=location.key,
            etag=state.etag,
            size=state.size * SCALE,
            storage_class=state.storage_class,
            version_id=state.version_id if self._site.random.random() < 0.5 else None,
            is_plain=True if self._site.properties is not None and self._site.properties.is_told_plain(state) else None,
        )
        self._site.say("operator", f"sends an old row of {location.key}", state.etag[:6])
        self._site.backfill.send_messages(
            list(encode_backfill([row], migration=self._site.rules.migration, bucket=location.bucket))
        )
