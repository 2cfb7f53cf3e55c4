"""A request that something on the way sends again: the second answer is the refusal of the first one's success."""

from collections.abc import Callable

import pytest

from domain.errors import ThrottledError, UnavailableError
from domain.objects import ObjectState
from domain.protocol.attempt import Verdict
from domain.protocol.causes import Cause
from domain.protocol.conflicts import Conflict, objection_text, why_not_taken
from domain.protocol.intents import Intent
from domain.protocol.ports import Refused
from domain.protocol.record import Origin, State
from domain.references.reports import ReferenceOutcome, Wait
from tests.fakes.object_store import InMemoryObjectStore
from tests.worlds.augmented_manifests import MANIFEST
from tests.worlds.migration import (
    BARE_ROW,
    LARGE,
    POLICY,
    SOURCE,
    TARGET,
    MigrationWorld,
    created,
    holding,
    listed,
    removed,
    strangers,
    unanswered,
)
from tests.worlds.presence import present
from tests.worlds.rewriting import RewritingWorld
from tests.worlds.rollback import clean, migrated, purge, roll_back

THEIRS = Cause.TARGET_FOREIGN


def nothing() -> None:
    """Nothing happens in between."""


def send_twice(monkeypatch: pytest.MonkeyPatch, call: str, *, between: Callable[[], object] = nothing) -> None:
    """The next such request arrives twice; ``between`` happens before the second one."""
    real = getattr(InMemoryObjectStore, call)

    def twice(self: InMemoryObjectStore, *arguments: object, **named: object) -> object:
        monkeypatch.setattr(InMemoryObjectStore, call, real)
        real(self, *arguments, **named)
        between()
        return real(self, *arguments, **named)

    monkeypatch.setattr(InMemoryObjectStore, call, twice)


def miss_a_look(world: MigrationWorld) -> None:
    """A try that cannot look after its copy was refused."""
    with unanswered(world, "look_at_object", when="before"):
        world.migrate(listed(b"bytes"))


def test_our_own_success_is_adopted_where_nothing_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the same in everything; that we made it cannot be proven, so a purge will leave it."""
    world = holding()
    send_twice(monkeypatch, "copy_object")
    assert world.migrate(listed(b"bytes")).state is State.COPIED
    assert (world.record.origin, world.record.maybe) == (Origin.ADOPTED, frozenset())


@pytest.mark.parametrize("body", [b"bytes", LARGE])
@pytest.mark.parametrize("before", [b"", b"an older copy"])
def test_an_owner_who_overwrites_meanwhile_is_followed(
    monkeypatch: pytest.MonkeyPatch, body: bytes, before: bytes
) -> None:
    """What is at the target is no longer the source, and came to be while we sent: ours, so the newer bytes follow."""
    world = MigrationWorld()
    if before:
        world.store.put(SOURCE, before)
        world.migrate(listed(before))
    world.store.put(SOURCE, body)
    call = "complete_upload" if body is LARGE else "copy_object"
    send_twice(monkeypatch, call, between=lambda: world.store.put(SOURCE, b"newer"))
    assert world.migrate(listed(body)).state is State.COPIED
    assert world.store.body(TARGET) == b"newer"
    assert (world.record.maybe, world.store.uploads) == (frozenset(), {})


def test_a_doubt_is_remembered_until_somebody_can_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a copy that is refused again and again the first refusal's time counts."""
    world = holding()
    send_twice(monkeypatch, "copy_object")
    miss_a_look(world)
    (doubt,) = world.record.maybe
    assert doubt.not_before == int(world.clock.now() - POLICY.margin_seconds)
    assert world.record.claim is None
    world.clock.advance(1_000)
    for _ in range(2):
        miss_a_look(world)
    assert world.record.maybe == {doubt}
    world.store.put(SOURCE, b"newer")
    assert world.migrate(created(b"newer", 2)).state is State.COPIED
    assert world.store.body(TARGET) == b"newer"


def test_a_copy_that_is_refused_again_and_again_is_one_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each attempt looks at the target first, and what is not there then the earlier refusals did not write."""
    world = holding()

    def refused(*_: object, **__: object) -> Refused:
        world.store.fail_next(UnavailableError("no answer"), call="look_at_object")
        return Refused.PRECONDITION

    monkeypatch.setattr(InMemoryObjectStore, "copy_object", refused)
    doubts: list[frozenset[Intent]] = []
    for _ in range(4):
        with pytest.raises(UnavailableError):
            world.migrate(listed(b"bytes"))
        doubts.append(world.record.maybe)
        world.clock.advance(100)
    assert [len(one) for one in doubts] == [1, 1, 1, 1]
    assert len(frozenset.union(*doubts)) == 4


def test_a_refused_delete_is_no_delete_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger replaced the copy and took his own away again: it is not brought back."""
    world = migrated(cleaned=False)
    world.store.remove(SOURCE)
    real = InMemoryObjectStore.delete_object

    def delete_object(self: InMemoryObjectStore, *arguments: object, **named: object) -> object:
        self.put(TARGET, b"theirs")
        answer = real(self, *arguments, **named)  # type: ignore[arg-type]
        self.remove(TARGET)
        self.put(SOURCE, b"newer")
        return answer

    monkeypatch.setattr(InMemoryObjectStore, "delete_object", delete_object)
    assert world.migrate(removed(2)).state is State.CONFLICT
    assert world.store.body(TARGET) is None


@pytest.mark.parametrize("refused", [Refused.SOURCE_ABSENT, Refused.PRECONDITION])
@pytest.mark.parametrize("call", ["write_record", "look_at_object"])
def test_a_mirrored_delete_that_was_refused_stays_in_doubt_until_somebody_can_look(
    monkeypatch: pytest.MonkeyPatch, call: str, refused: Refused
) -> None:
    """Its first sending was done: what the owner puts next is copied, no other writer took the copy away."""
    if (call, refused) == ("look_at_object", Refused.SOURCE_ABSENT):
        return  # nothing is looked at then
    world = migrated(cleaned=False)
    world.store.remove(SOURCE)
    real = InMemoryObjectStore.delete_object

    def sent_twice(self: InMemoryObjectStore, *arguments: object, **named: object) -> object:
        real(self, *arguments, **named)  # type: ignore[arg-type]
        port = world.manifest if call == "write_record" else self
        port.fail_next(ThrottledError("SlowDown"), call=call)
        return refused

    monkeypatch.setattr(InMemoryObjectStore, "delete_object", sent_twice)
    with pytest.raises(ThrottledError):
        world.migrate(removed(2))
    monkeypatch.undo()
    world.store.put(SOURCE, b"newer")
    assert world.migrate(listed(b"newer")).state is State.COPIED
    assert world.store.body(TARGET) == b"newer"


def test_a_copy_that_is_gone_too_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The record knows of no target, so nobody took a copy away."""
    world = holding()
    send_twice(monkeypatch, "copy_object", between=lambda: world.store.remove(TARGET))
    assert world.migrate(listed(b"bytes")).state is State.COPIED


def test_where_the_source_is_gone_nobody_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were it ours, what a producer moved by himself would be deleted along with his old object."""
    world = holding()
    send_twice(monkeypatch, "copy_object", between=lambda: world.store.remove(SOURCE))
    for notice in (listed(b"bytes"), removed(2), BARE_ROW):
        assert world.migrate(notice).state is State.CONFLICT
        assert world.record.cause == Cause.TARGET_IN_DOUBT
    assert world.store.body(TARGET) == b"bytes"


def test_the_remedy_says_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our copy, or somebody's; without a source there is nothing to take over."""
    world = holding()
    send_twice(monkeypatch, "copy_object", between=lambda: world.store.remove(SOURCE))
    world.migrate(listed(b"bytes"))
    target = world.store.look_at_object(TARGET, with_tags=True)

    def objection(source: ObjectState | None) -> str:
        conflict = Conflict(world.record, source, target)
        why = present(why_not_taken(conflict, replacing=None))
        return objection_text(why, conflict, replacing=None)

    assert objection(None).endswith(
        "if s3://line/new/k holds only keyshift's copy, delete it: keyshift verify --requeue then settles the key"
    )
    other = world.store.put(SOURCE, b"newer")
    assert "holds keyshift's copy or another writer's object" in objection(other)
    world.edit(cause=THEIRS)
    assert objection(None).endswith("there is no source to copy")
    assert "holds another writer's object" in objection(other)


def test_a_producer_who_writes_to_both_places_keeps_what_he_wrote() -> None:
    """In the same second, with metadata of his own: while his old object is as it was, ours would be the same."""
    world = holding()
    world.store.put(TARGET, b"bytes", metadata=strangers())
    assert world.migrate(listed(b"bytes")).state is State.CONFLICT
    assert world.record.cause == Cause.TARGET_IN_DOUBT
    seen = present(world.store.look_at_object(TARGET))
    assert seen.metadata == strangers()


def test_other_bytes_are_no_work_of_a_refused_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Written in the same second, and the owner overwrites his object: the stranger's stays."""
    world = holding()
    world.store.put(TARGET, b"theirs")
    send_twice(monkeypatch, "copy_object", between=lambda: world.store.put(SOURCE, b"newer"))
    assert world.migrate(listed(b"bytes")).state is State.CONFLICT
    assert (world.record.cause, world.store.body(TARGET)) == (THEIRS, b"theirs")


@pytest.mark.parametrize(("seconds", "state"), [(2.0, State.CONFLICT), (1.0, State.COPIED)])
def test_what_was_there_before_we_sent_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, seconds: float, state: State
) -> None:
    """Whatever the owner does meanwhile; two clocks may differ by the margin."""
    world = holding()
    world.store.put(TARGET, b"bytes", metadata=strangers())
    world.clock.advance(seconds)
    real = InMemoryObjectStore.copy_object

    def refused(self: InMemoryObjectStore, *arguments: object, **named: object) -> object:
        monkeypatch.setattr(InMemoryObjectStore, "copy_object", real)
        self.put(SOURCE, b"newer")
        return Refused.PRECONDITION

    monkeypatch.setattr(InMemoryObjectStore, "copy_object", refused)
    assert world.migrate(listed(b"bytes")).state is state
    assert world.record.cause == (THEIRS if state is State.CONFLICT else None)


def test_a_version_that_was_put_again_is_another_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes with other metadata: where versions are kept they tell."""
    world = holding(versioned=True)
    seen = present(world.store.look_at_object(SOURCE))
    again = lambda: world.store.put(SOURCE, b"bytes", metadata={"new": "words"})  # noqa: E731  # one line of one test
    send_twice(monkeypatch, "copy_object", between=again)
    assert world.migrate(created(b"bytes", version_id=seen.version_id)).state is State.COPIED
    copied = present(world.store.look_at_object(TARGET))
    assert copied.metadata == {"new": "words"}


def test_an_upload_whose_completion_was_refused_while_it_is_there_is_not_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A stranger's object of the same bytes came first: no doubt is left on record."""
    world = holding(LARGE)
    world.store.put(TARGET, LARGE, metadata=strangers())
    assert world.migrate(listed(LARGE)).state is State.CONFLICT
    assert world.record.cause == THEIRS
    assert world.store.uploads == {}


@pytest.mark.parametrize("refused", [Refused.PRECONDITION, Refused.SOURCE_ABSENT, Refused.CONCURRENT])
def test_an_upload_that_is_gone_may_be_done(monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    """Whatever the second answer says."""
    world = holding(LARGE)
    real = InMemoryObjectStore.complete_upload

    def complete_upload(self: InMemoryObjectStore, *arguments: object, **named: object) -> object:
        monkeypatch.setattr(InMemoryObjectStore, "complete_upload", real)
        real(self, *arguments, **named)  # type: ignore[arg-type]
        self.put(SOURCE, b"newer")
        return refused

    monkeypatch.setattr(InMemoryObjectStore, "complete_upload", complete_upload)
    assert world.migrate(listed(LARGE)).state is State.COPIED
    assert world.store.body(TARGET) == b"newer"


def test_an_upload_that_nobody_can_ask_about_may_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question without an answer is no "not done": the next attempt knows the copy again."""
    world = holding(LARGE)
    real = InMemoryObjectStore.complete_upload

    def complete_upload(self: InMemoryObjectStore, *arguments: object, **named: object) -> object:
        monkeypatch.setattr(InMemoryObjectStore, "complete_upload", real)
        real(self, *arguments, **named)  # type: ignore[arg-type]
        self.fail_next(UnavailableError("no answer"), call="list_parts")
        return Refused.PRECONDITION

    monkeypatch.setattr(InMemoryObjectStore, "complete_upload", complete_upload)
    with pytest.raises(UnavailableError):
        world.migrate(listed(LARGE))
    assert world.record.is_unfinished
    world.store.put(SOURCE, b"newer")
    assert world.migrate(created(b"newer", 2)).state is State.COPIED
    assert world.store.body(TARGET) == b"newer"


def test_cleanups_delete_is_ours_although_it_found_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were it taken for the owner's, its own event would delete the copy: the only one that is left."""
    world = migrated(cleaned=False)
    send_twice(monkeypatch, "delete_object")
    assert clean(world).state is State.CLEANED
    assert world.migrate(removed(9)).state is State.CLEANED
    assert world.store.body(TARGET) == b"bytes"
    assert roll_back(world).state is State.ROLLED_BACK
    assert world.store.body(SOURCE) == b"bytes"


def test_some_servers_refuse_to_delete_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """SeaweedFS: 412. What is gone did not change at the last moment."""
    world = migrated(cleaned=False)
    real = InMemoryObjectStore.delete_object

    def delete_object(self: InMemoryObjectStore, *arguments: object, **named: object) -> object:
        real(self, *arguments, **named)  # type: ignore[arg-type]
        return Refused.PRECONDITION

    monkeypatch.setattr(InMemoryObjectStore, "delete_object", delete_object)
    assert clean(world).state is State.CLEANED
    assert world.record.cleaned_etag is None
    assert world.migrate(removed(9)).state is State.CLEANED


@pytest.mark.parametrize("call", ["find_top_marker", "look_at_object"])
def test_a_cleanup_that_cannot_look_after_its_delete_was_refused_stays_in_doubt(
    monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """The delete was done and sent again on the way: its own event must not take the only copy along."""
    world = holding(versioned=True)
    world.migrate(created(b"bytes"))
    real = InMemoryObjectStore.delete_object

    def sent_twice(self: InMemoryObjectStore, *arguments: object, **named: object) -> object:
        real(self, *arguments, **named)  # type: ignore[arg-type]
        self.fail_next(UnavailableError("no answer"), call=call)
        return Refused.SOURCE_ABSENT if call == "find_top_marker" else Refused.PRECONDITION

    monkeypatch.setattr(InMemoryObjectStore, "delete_object", sent_twice)
    with pytest.raises(UnavailableError):
        clean(world)
    monkeypatch.undo()
    assert world.migrate(removed(2)).state is State.CLEANED
    assert world.store.body(TARGET) == b"bytes"


def test_a_source_that_was_gone_before_cleanup_looked_was_its_owners() -> None:
    """Nothing of ours was sent then."""
    world = migrated(cleaned=False)
    world.store.remove(SOURCE)
    assert clean(world).state is State.GONE


@pytest.mark.parametrize(("body", "call"), [(b"bytes", "copy_object"), (LARGE, "complete_upload")])
def test_a_copy_back_that_is_refused_although_done_is_done(
    monkeypatch: pytest.MonkeyPatch, body: bytes, call: str
) -> None:
    """The source is back, by whomever."""
    world = migrated(cleaned=True, body=body)
    send_twice(monkeypatch, call)
    outcome = roll_back(world)
    assert (outcome.verdict, outcome.state) == (Verdict.DONE, State.ROLLED_BACK)
    assert world.store.body(SOURCE) == body


def test_a_purge_leaves_what_nobody_can_tell_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be our copy, it may be somebody else's: a person has to look."""
    world = holding()
    send_twice(monkeypatch, "copy_object")
    miss_a_look(world)
    assert roll_back(world).state is State.ROLLED_BACK
    assert purge(world).state is State.ROLLBACK_CONFLICT
    assert world.record.cause == Cause.TARGET_IN_DOUBT
    assert world.store.body(TARGET) == b"bytes"


def test_a_purge_leaves_what_was_a_doubt_before_the_rollback(monkeypatch: pytest.MonkeyPatch) -> None:
    """The conflict's cause is what is left of the refused copy."""
    world = holding()
    send_twice(monkeypatch, "copy_object", between=lambda: world.store.remove(SOURCE))
    world.migrate(listed(b"bytes"))
    world.store.put(SOURCE, b"newer")
    assert roll_back(world).state is State.ROLLED_BACK
    assert purge(world).state is State.ROLLBACK_CONFLICT
    assert (world.store.body(SOURCE), world.store.body(TARGET)) == (b"newer", b"bytes")


def test_a_purge_is_certain_of_what_was_there_long_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger's object from before the refused copy is none of ours; nothing of ours is left."""
    world = holding()
    world.store.put(TARGET, b"bytes", metadata=strangers())
    world.clock.advance(1_000)
    monkeypatch.setattr(InMemoryObjectStore, "copy_object", lambda *_, **__: Refused.PRECONDITION)
    miss_a_look(world)
    assert roll_back(world).state is State.ROLLED_BACK
    assert purge(world).state is State.PURGED
    assert world.store.body(TARGET) == b"bytes"


def test_a_manifests_new_content_is_known_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its completion was sent twice: the content is ours, and its references count as switched."""
    world = RewritingWorld()
    send_twice(monkeypatch, "complete_upload")
    assert world.rewrite()[0].outcome is ReferenceOutcome.REWRITTEN
    assert world.record(MANIFEST).is_rewritten
    assert (world.record(MANIFEST).upload, world.record(MANIFEST).is_unfinished) == (None, False)


def test_a_manifest_that_cannot_be_looked_at_then_is_looked_at_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may be written stays known until the next run."""
    world = RewritingWorld()
    send_twice(
        monkeypatch,
        "complete_upload",
        between=lambda: world.store.fail_next(UnavailableError("no answer"), call="look_at_object"),
    )
    with pytest.raises(UnavailableError):
        world.rewrite()
    assert world.record(MANIFEST).is_unfinished
    world.rewrite()
    assert world.record(MANIFEST).is_rewritten
    assert not world.record(MANIFEST).is_unfinished


def test_what_somebody_wrote_over_a_manifests_new_content_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the two arrivals of the last request."""
    world = RewritingWorld()
    send_twice(monkeypatch, "complete_upload", between=lambda: world.store.put(world.target, b'{"theirs": 1}\n'))
    assert world.rewrite() == world.stopped(Wait.MANIFEST_REPLACED)
    assert world.content() == b'{"theirs": 1}\n'
    assert not world.record(MANIFEST).is_unfinished
