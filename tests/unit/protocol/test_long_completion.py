"""CompleteMultipartUpload may take minutes: the claim outlives it, however long its attempt was."""

from dataclasses import replace

import pytest

from domain.errors import UnavailableError
from domain.protocol.attempt import MigrationPolicy, Verdict
from domain.protocol.record import State
from tests.worlds.migration import LARGE, POLICY, MigrationWorld, holding_large, listed, unanswered
from tests.worlds.presence import present


def complete_in_doubt(world: MigrationWorld) -> None:
    """The request is on its way, and no answer comes."""
    with unanswered(world, "complete_upload", when="before"):
        world.migrate(listed(LARGE))


def test_the_claim_outlives_a_completion_that_takes_its_time() -> None:
    """From the last second in which it may be sent, five times as long as any other request, and the margin."""
    world = holding_large()
    begun = world.clock.now()
    complete_in_doubt(world)
    claim = present(world.record.claim)
    last_sent = begun + world.attempt().limit
    assert claim.deadline == last_sent + POLICY.complete_seconds + POLICY.margin_seconds
    assert POLICY.complete_seconds == 5 * POLICY.request_seconds


def test_nobody_takes_it_over_before() -> None:
    """Another worker might complete, abort or copy while S3 still makes the object."""
    world = holding_large()
    complete_in_doubt(world)
    claim = present(world.record.claim)
    world.clock.advance(claim.deadline - world.clock.now() - 1.0)
    assert world.migrate(listed(LARGE)).verdict is Verdict.RETURN
    world.clock.advance(2.0)
    assert world.migrate(listed(LARGE)).state is State.COPIED


def test_it_is_longer_before_the_request_is_sent() -> None:
    """A process that dies the moment after has left the longer claim behind."""
    world = holding_large()
    deadlines: list[float] = []
    complete = world.store.complete_upload

    def watched(*arguments: object, **named: object) -> object:
        claim = present(world.record.claim)
        deadlines.append(claim.deadline)
        return complete(*arguments, **named)  # type: ignore[arg-type]

    world.store.complete_upload = watched  # type: ignore[method-assign, assignment]
    begun = world.clock.now()
    assert world.migrate(listed(LARGE)).state is State.COPIED
    assert deadlines == [begun + world.attempt().limit + POLICY.complete_seconds + POLICY.margin_seconds]


def test_a_short_attempt_completes_all_the_same() -> None:
    """Handed on until there is time for so long a request, it would never end in a worker."""
    world = holding_large()
    policy = replace(POLICY, request_seconds=400.0)
    assert world.migrate(listed(LARGE), policy=policy).state is State.COPIED


def test_a_copy_in_one_request_holds_its_claim_no_longer() -> None:
    """What a killed worker held is taken over as soon as before."""
    world = MigrationWorld()
    world.store.put(listed(b"small").source, b"small")
    world.store.fail_next(UnavailableError("no answer"), call="copy_object")
    begun = world.clock.now()
    with pytest.raises(UnavailableError):
        world.migrate(listed(b"small"))
    claim = present(world.record.claim)
    assert claim.deadline == begun + world.attempt().limit + POLICY.request_seconds + POLICY.margin_seconds


def test_the_longest_claim_counts_a_completion() -> None:
    """What deletes for good waits for longer than any claim lasts."""
    assert MigrationPolicy().longest_claim(840.0) == 840.0 + 600.0 + 30.0
