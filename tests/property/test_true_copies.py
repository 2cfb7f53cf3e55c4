"""An object with random parts of everything comes out the same, or the report names exactly what is lost."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

import handlers.operations.verify
import tests.fakes.object_store
from domain.kms_keys import KeyMap
from domain.lifecycle import verification
from domain.lifecycle.verification import Difference
from domain.objects import ContentHeaders, Encryption, Lock, ObjectState
from domain.protocol import cleanup
from handlers.intake.messages import BackfillRow, encode_backfill
from handlers.operations.verify import Verifier
from tests.fakes.lifecycle import InMemoryKeyBook
from tests.property.parted_objects import OLD, PARTS
from tests.property.true_copies import SOURCE, OneCopy, UntrueCopyError, try_seed, try_seeds
from tests.worlds.handlers import BUCKET

AT_ONCE, SEEDS = 60, 360


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_a_copy_is_true_or_its_losses_are_named(first: int) -> None:
    """A seed that fails is in the message, with all that happened; ``try_seed`` plays it again."""
    assert sum(1 for _ in try_seeds(range(first, first + AT_ONCE))) == AT_ONCE


def test_the_seeds_lose_every_part_that_can_be_lost() -> None:
    """Else nothing would be shown about how it is named."""
    lost = Counter[str]()
    for story in try_seeds(range(120)):
        lost.update(story.lost)
    assert set(lost) == set(PARTS) - {"bytes", "metadata"}


Copied = Callable[[ObjectState], ObjectState]
DROPPED: dict[str, Copied] = {
    "metadata": lambda copy: replace(copy, metadata={}),
    "headers": lambda copy: replace(copy, headers=ContentHeaders()),
    "tags": lambda copy: replace(copy, tags={}),
    "storage class": lambda copy: replace(copy, storage_class="STANDARD"),
    "KMS key": lambda copy: replace(copy, encryption=Encryption()),
    "object lock": lambda copy: replace(copy, lock=Lock()),
}


def first_failure() -> str:
    """The message of the first seed that fails."""
    for seed in range(200):
        try:
            try_seed(seed)
        except UntrueCopyError as error:
            return str(error)
    return ""


@pytest.mark.parametrize("part", DROPPED)
def test_a_part_that_every_copy_drops_is_found_out(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """The report names it, so the repair is what fails: the copy lacks the part again."""
    inherited = tests.fakes.object_store._inherited

    def drop(*arguments: Any, **named: Any) -> ObjectState:
        return DROPPED[part](inherited(*arguments, **named))

    monkeypatch.setattr(tests.fakes.object_store, "_inherited", drop)
    message = first_failure()
    assert message.startswith("seed ")
    assert f"still lost after the repair: {{'{part}'}}" in message


@pytest.mark.parametrize(
    "difference",
    [Difference.TAGS, Difference.HEADERS, Difference.STORAGE_CLASS, Difference.ENCRYPTION, Difference.LOCK],
)
def test_a_loss_that_verify_does_not_name_is_found_out(monkeypatch: pytest.MonkeyPatch, difference: Difference) -> None:
    """The report would call the part kept."""
    compared = verification.compare_objects

    def hide(*arguments: Any, **named: Any) -> Iterator[Difference]:
        yield from (one for one in compared(*arguments, **named) if one is not difference)

    monkeypatch.setattr(verification, "compare_objects", hide)
    assert "the report says lost set()" in first_failure() or "the buckets show" in first_failure()


def test_a_source_that_is_deleted_with_what_its_copy_lacks_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cleanup without its own comparison trusts an older verification."""
    monkeypatch.setattr(cleanup, "what_is_lost", lambda *_, **__: ())
    assert "cleaned although its copy lacks" in first_failure()


def test_a_key_map_that_a_verification_forgets_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then a copy under the right key would lack the old one."""
    judged = verification.judge

    def forget(*arguments: Any, **named: Any) -> Any:
        return judged(*arguments, **(named | {"keys": KeyMap()}))

    monkeypatch.setattr(handlers.operations.verify, "judge", forget)
    assert "the report says lost {'KMS key'}" in first_failure()


def test_a_rollback_under_the_copys_key_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was copied back would be under a key of the target's account."""
    monkeypatch.setattr(KeyMap, "as_original", lambda _keys, target, _source_key: target)
    assert "rolled back without {'KMS key'}" in first_failure()


def test_what_an_archived_object_lacks_is_named_although_its_bytes_cannot_be_read() -> None:
    """``verify --deep`` leaves the bytes unproven."""
    world = OneCopy(0)
    kms = Encryption("aws:kms", OLD)
    world.store.put(SOURCE, b"bytes", encryption=kms, algorithm="SHA256", part_sizes=[2, 3], tags={"t": "1"})
    world.deliver(*encode_backfill([BackfillRow(key=SOURCE.key)], migration="unit", bucket=BUCKET))
    for change in ({"storage_class": "GLACIER"}, {"tags": {"t": "2"}}):
        world.store.buckets.change(SOURCE, world.source, **change)
    verifier = Verifier(world.bench.dependencies, book=InMemoryKeyBook(), reader=world.store, marks=True)
    found = verifier.verify_record(world.record)
    world.end()
    assert set(found.differences) == {Difference.UNPROVEN, Difference.TAGS, Difference.STORAGE_CLASS}
