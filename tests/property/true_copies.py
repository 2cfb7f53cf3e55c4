"""One random object from its put to its cleanup, by the real engine over the fakes, compared with what the report says.

``python -m tests.property.true_copies --seeds 5000 --first 1000`` tries other seeds than the tests.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from domain.errors import AccessDeniedError, RefusedRequestError
from domain.keys import Location
from domain.kms_keys import KeyMap
from domain.protocol.attempt import Attempt, MigrationPolicy
from domain.protocol.causes import Cause
from domain.protocol.cleanup import clean_source
from domain.protocol.parts import MULTIPART_ABOVE
from domain.protocol.record import Origin, Record, State
from domain.protocol.rollback import roll_back_object
from domain.reporting.fidelity import Fidelity, fidelity_of
from domain.reporting.report import row_of
from handlers.engine.batch import respond_to_batch
from handlers.intake.messages import BackfillRow, encode_backfill
from handlers.operations.verify import Requeuer, Verifier
from tests.fakes.bucket_properties import change_key, set_legal_hold
from tests.fakes.buckets import Version
from tests.fakes.lifecycle import InMemoryKeyBook
from tests.property.parted_objects import (
    CLASSES,
    KMS_WAYS,
    NEW,
    OLD,
    OTHER,
    PARTS,
    PartedObject,
    in_another_form,
    lacking,
    some_object,
)
from tests.worlds.handlers import BUCKET, bench, created_entry, direct, sqs_event
from tests.worlds.presence import present

SOURCE, TARGET = Location(BUCKET, "old/k"), Location(BUCKET, "new/k")
ROWS = ("event", "key alone", "listing", "inventory", "stale inventory")
LATER_SECONDS = 100.0
"""By then some retentions are over."""


class UntrueCopyError(AssertionError):
    """A part that is lost and not named, named and not lost, or deleted with its source."""


@dataclass(slots=True)
class Story:
    """What happened to the object of one seed, and how often which part was lost at first."""

    seed: int
    told: list[str] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)

    def require(self, is_so: object, what: str) -> None:
        """Raises UntrueCopyError with the seed and all that happened."""
        if not is_so:
            raise UntrueCopyError("; ".join([f"seed {self.seed}", *self.told, what]))


class OneCopy:
    """The world of one seed."""

    def __init__(self, seed: int) -> None:
        self.random, self.story = Random(f"true copy {seed}"), Story(seed)
        chance = self.random.random
        self.has_locks, self.is_unannotated = chance() < 0.5, chance() < 0.1
        self.pairs: Mapping[str, str] = {OLD: NEW} if chance() < 0.5 else {}
        is_promised = chance() < 0.2
        policy = MigrationPolicy(
            multipart_above=self.random.choice((0, MULTIPART_ABOVE)),
            request_seconds=5.0,
            margin_seconds=1.0,
            promised_storage_class="STANDARD" if is_promised else None,
            promised_plain=is_promised,
            kms_keys=KeyMap(self.pairs),
        )
        self.bench = bench(policy=policy)
        self.store, self.clock = self.bench.world.store, self.bench.world.clock
        self.store.create_bucket(BUCKET, locks=self.has_locks)
        if self.is_unannotated:
            self.store.carries_annotations = False
            ports = replace(self.bench.dependencies.ports, annotations=None)
            self.bench.dependencies = replace(self.bench.dependencies, ports=ports)
        self.told(
            f"locks {self.has_locks}, promises {is_promised}, unannotated {self.is_unannotated}, keys {self.pairs}"
        )

    def told(self, text: str) -> None:
        """For the failure's message."""
        self.story.told.append(text)

    def version(self, location: Location) -> Version | None:
        """What is current there."""
        return self.store.buckets.current(location)

    @property
    def source(self) -> Version:
        """Before its cleanup."""
        return present(self.version(SOURCE))

    @property
    def record(self) -> Record:
        """The object's."""
        return present(self.bench.world.manifest.read_record(SOURCE.record_id))

    def lacks(self, source: Version | None = None) -> set[str]:
        """What the buckets show; annotations do not count where the rules file promises that there are none."""
        target = present(self.version(TARGET))
        found = lacking(source or self.source, target, keys=dict(self.pairs), now=self.clock.now())
        return found - ({"annotations"} if self.is_unannotated else set())

    def begin(self) -> None:
        """A producer puts the object; another writer may have put an equal one at the new key."""
        thing = some_object(self.random, now=self.clock.now(), locks=self.has_locks)
        self.told(repr(thing))
        self.store.put(SOURCE, thing.body, **thing.said)
        for name, text in thing.annotations.items():
            self.store.annotate(SOURCE, name, text)
        if self.random.random() < 0.12:
            self.told("an equal object is at the new key")
            self._put_equal(thing)
        self.deliver(self._message())

    def _put_equal(self, thing: PartedObject) -> None:
        said = {name: said for name, said in thing.said.items() if name not in ("lock", "encryption", "storage_class")}
        self.store.put(TARGET, thing.body, **said)

    def _message(self) -> str:
        state, kind = self.source.state, self.random.choice(ROWS)
        assert state is not None
        self.told(kind)
        if kind == "event":
            entry = created_entry(SOURCE.key, self.source.body)
            entry["s3"]["object"] |= {"eTag": state.etag, "versionId": state.version_id}
            return direct(entry)
        row = BackfillRow(key=SOURCE.key)
        is_encrypted = state.encryption.algorithm in KMS_WAYS
        if kind != "key alone":
            row = row.model_copy(update={"etag": state.etag, "size": state.size})
        if kind in ("listing", "inventory") and not is_encrypted:
            row = row.model_copy(update={"storage_class": state.storage_class})
        if kind == "stale inventory" or (kind == "inventory" and not is_encrypted and not state.lock.as_text):
            row = row.model_copy(update={"is_plain": True})
        if kind == "stale inventory":
            row = row.model_copy(update={"storage_class": "STANDARD"})
        return next(iter(encode_backfill([row], migration="unit", bucket=BUCKET)))

    def deliver(self, *bodies: str) -> None:
        """The engine works it off, and what it enqueues itself."""
        made = self.bench
        waiting = list(bodies)
        for _ in range(20):
            if not waiting:
                return
            answer = respond_to_batch(
                sqs_event(*waiting), made.dependencies, queue=made.live, seconds_left=lambda: 300.0
            )
            parked = self.record.state is State.PARKED
            self.story.require(parked or not answer["batchItemFailures"], f"not acknowledged: {made.said.getvalue()}")
            messages = made.backfill.receive_messages(at_most=10, wait=0)
            made.backfill.delete_messages(messages)
            waiting = [one.body for one in messages]

    def change_later(self) -> None:
        """People and lifecycle rules change parts of an object that is copied already."""
        self.clock.advance(LATER_SECONDS)
        random, buckets = self.random, self.store.buckets
        if random.random() < 0.2:
            self.told("tags change")
            buckets.change(SOURCE, self.source, tags={"late": str(random.random())})
        if random.random() < 0.2:
            storage_class = random.choice((*CLASSES, "GLACIER"))
            self.told(f"class changes to {storage_class}")
            buckets.change(SOURCE, self.source, storage_class=storage_class)
        if random.random() < 0.2:
            self._try(lambda: change_key(buckets, SOURCE, self.source, random.choice((OLD, OTHER))), "key changes")
        if self.has_locks and random.random() < 0.2:
            self._try(lambda: set_legal_hold(buckets, SOURCE, self.source, on=True), "a hold is put on")
        if random.random() < 0.2:
            self.told("an annotation is put")
            self.store.annotate(SOURCE, "late", b"late")
        if random.random() < 0.1 and self.version(TARGET) is not None:
            self.told("another writer annotates the copy")
            self.store.annotate(TARGET, "label", b"another writer's")

    def _try(self, change: object, what: str) -> None:
        assert callable(change)
        try:
            change()
        except (AccessDeniedError, RefusedRequestError):
            return
        self.told(what)

    def verify(self) -> set[str]:
        """One verification with its mark; the lost parts by the report, which must be those that the buckets show."""
        reader = self.store if self.random.random() < 0.7 else None
        verifier = Verifier(self.bench.dependencies, book=InMemoryKeyBook(), reader=reader, marks=True)
        self.finding = verifier.verify_record(self.record)
        fidelity, story = fidelity_of(self.record), self.story
        lost = {note.what for note in fidelity.lost}
        story.require(lost == self.lacks(), f"the report says lost {lost}, the buckets show {self.lacks()}")
        story.require(set(row_of(self.record)["lost"]) == lost, "a line of the report says something else")
        self._check_all_parts(fidelity, lost)
        return lost

    def _check_all_parts(self, fidelity: Fidelity, lost: set[str]) -> None:
        """Each part is in exactly one list, and what is kept is what the source has."""
        state, target = self.source.state, self.version(TARGET)
        assert state is not None
        assert target is not None
        assert target.state is not None
        story, form = self.story, in_another_form(state, target.state, keys=dict(self.pairs))
        lists = [{note.what.removeprefix("no ") for note in notes} for notes in (fidelity.kept, fidelity.lost)]
        lists.append({note.what for note in fidelity.changed} & {"KMS key", "checksum"})
        lists.append({note.what for note in fidelity.unseen})
        named = Counter(name for names in lists for name in names)
        expected = {"ACL", *PARTS, *form} | ({"older versions"} if self.has_locks else set())
        story.require(set(named) == expected, f"parts are named {named}, not {expected}")
        story.require(set(named.values()) == {1}, f"a part is named twice: {named}")
        story.require(lists[2] == form - lost, f"changed are {lists[2]}, the buckets show {form} and lost {lost}")
        unseen = lists[3] - {"ACL", "older versions", "bytes"}
        story.require(unseen == ({"annotations"} if self.is_unannotated else set()), f"not looked at: {unseen}")
        wanted = {"tags": len(state.tags or {}), "annotations": len(self.source.annotations)}
        for note in fidelity.kept:
            if note.what in wanted:
                story.require(str(note).split()[0] == str(wanted[note.what]), f"{note}, the source has {wanted}")

    def repair(self) -> set[str]:
        """``--requeue``, the worker, and a second verification; what is lost after it."""
        requeuer = Requeuer(self.bench.dependencies)
        requeuer.add(self.finding)
        requeuer.flush()
        messages = self.bench.backfill.receive_messages(at_most=10, wait=0)
        self.bench.backfill.delete_messages(messages)
        self.deliver(*(one.body for one in messages))
        return self.verify() if self.record.state is State.COPIED else set()

    def may_stay_lost(self) -> set[str]:
        """The parts that no repair can bring: documented in reliability.md."""
        source, target = self.source.state, self.version(TARGET)
        assert source is not None
        assert target is not None
        assert target.state is not None
        if self.record.origin is Origin.ADOPTED:
            return {"storage class", "KMS key", "object lock", "annotations"}
        is_protected = target.state.lock.in_force(self.clock.now())
        has_other = "label" in self.source.annotations and target.annotations.get("label") == b"another writer's"
        stays = {"annotations"} if is_protected or has_other else set[str]()
        return stays | ({"storage class"} if source.is_archived else set())

    def clean(self) -> None:
        """Cleanup deletes the source if nothing is lost, proven and locked, and never otherwise."""
        if self.random.random() < 0.4:
            self.told("before the cleanup")
            self.change_later()
        before = self.source
        assert before.state is not None
        lost = self.lacks() - ({"storage class"} if before.state.is_archived else set())
        is_free = not before.state.lock.in_force(self.clock.now() - 1.0)
        may_go = self.record.verified_at is not None and is_free and not lost
        dependencies = self.bench.dependencies
        outcome = clean_source(
            SOURCE.record_id, attempt=Attempt("cleanup", 60.0), ports=dependencies.ports, policy=dependencies.policy
        )
        is_gone = self.version(SOURCE) is None
        self.story.require(not (is_gone and lost), f"cleaned although its copy lacks {lost}")
        self.story.require(is_gone == may_go, f"cleanup: {outcome.cause} {outcome.detail}, expected it gone: {may_go}")

        if is_gone:
            self._roll_back(before, allowed=self.lacks(before))

    def _roll_back(self, before: Version, *, allowed: set[str]) -> None:
        """A rollback brings the source back as it was, under its own KMS key; a copy of an archived one has a class."""
        dependencies = self.bench.dependencies
        roll_back_object(
            SOURCE, TARGET, attempt=Attempt("back", 60.0), ports=dependencies.ports, policy=dependencies.policy
        )
        restored = self.version(SOURCE)
        self.story.require(restored is not None, f"not rolled back: {self.record.why}")
        assert restored is not None
        lost = lacking(before, restored, keys={}, now=self.clock.now())
        lost -= {"annotations"} if self.is_unannotated else set()
        self.story.require(lost <= allowed, f"rolled back without {lost}")

    def end(self) -> None:
        """Nothing runs on."""
        self.bench.dependencies.pool.shutdown()


def try_seed(seed: int) -> Story:
    """Play it; raises UntrueCopyError with the seed and its story."""
    world = OneCopy(seed)
    try:
        world.begin()
        _follow(world)
    finally:
        world.end()
    return world.story


def _follow(world: OneCopy) -> None:
    story = world.story
    if world.record.state is State.CONFLICT:
        story.require("an equal object is at the new key" in story.told, "a conflict with nobody")
        return
    story.require(world.record.state is State.COPIED, f"its record is {world.record.state}: {world.record.why}")
    world.change_later()
    story.lost.update(world.verify())
    left = world.repair()
    if world.record.state is State.PARKED:
        story.require(world.record.cause is Cause.ARCHIVED, f"parked: {world.record.why}")
        return
    stays = world.may_stay_lost()
    story.require(left <= stays, f"still lost after the repair: {left - stays}")
    world.clean()


def try_seeds(seeds: range) -> Iterator[Story]:
    """One after the other."""
    yield from map(try_seed, seeds)


def main() -> None:
    """Print what was lost at first, and the first seed that fails with its story."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="How many.")
    parser.add_argument("--first", type=int, default=0, help="The first seed.")
    options = parser.parse_args()
    lost = Counter[str]()
    for story in try_seeds(range(options.first, options.first + options.seeds)):
        lost.update(story.lost)
    print(  # noqa: T201  # a command's answer
        f"{options.seeds} seeds from {options.first}; lost before the repair, and named: {dict(lost.most_common())}"
    )


if __name__ == "__main__":
    main()
