"""Keys that no rule maps, where the rules say ``unmapped: fail``: a mistake everywhere, but for our own copies."""

from collections.abc import Iterator

import pytest

from adapters.duckdb.plan import DuckDbPlanner
from domain.keys import Location
from domain.lifecycle.verification import Difference
from domain.objects import ListedObject
from domain.planning.figures import Cutting
from domain.planning.shares import Share
from domain.protocol.parts import MIB
from domain.rules.routing import REFUSED, is_refused, route_of
from handlers.config.rules_file import read_rules
from handlers.engine.batch import respond_to_batch
from handlers.operations.backfill import Fed, Feeder
from handlers.operations.verify import Verifier
from tests.fakes.lifecycle import InMemoryKeyBook
from tests.fakes.queue import InMemoryQueue
from tests.worlds.batch_job import answered, asked
from tests.worlds.handlers import BUCKET, HANDLER_RULES, Bench, bench, created_entry, direct, sqs_event
from tests.worlds.plan_figures import figures

FAILING = HANDLER_RULES.replace("unmapped: report", "unmapped: fail")
OTHER_BUCKET = FAILING.replace("target: {bucket: line-1}", "target: {bucket: line-2}")
KEYS = ("old/a", "new/a", "elsewhere/a", "kept/a")


def left(made: Bench, key: str) -> list[str]:
    """What of one event stays in the queue."""
    made.world.put(key, b"one")
    event = sqs_event(direct(created_entry(key, b"one")))
    answer = respond_to_batch(event, made.dependencies, queue=made.live, seconds_left=lambda: 300.0)
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


def test_the_event_of_our_own_copy_is_acknowledged() -> None:
    """In one bucket it comes with every copy, and as a dead letter it would shut the cut-over."""
    made = bench(rules=FAILING)
    assert left(made, "old/a") == []
    assert left(made, "new/a") == []
    assert left(made, "elsewhere/a") == ["m1"]


def test_in_another_bucket_a_key_of_the_new_layout_is_a_mistake() -> None:
    """No copy of ours is ever in the source bucket then."""
    assert left(bench(rules=OTHER_BUCKET), "new/a") == ["m1"]


def test_a_copys_key_is_done_for_batch_operations_too() -> None:
    """A job over an inventory of the one bucket meets copies."""
    assert answered(bench(rules=FAILING), asked("new/a")) == ("Succeeded", "unmapped")
    assert answered(bench(rules=FAILING), asked("elsewhere/a")) == ("PermanentFailure", REFUSED)


@pytest.mark.parametrize(
    ("rules", "refused"),
    [(FAILING, ["elsewhere/a"]), (OTHER_BUCKET, ["new/a", "elsewhere/a"]), (HANDLER_RULES, [])],
)
def test_which_keys_are_refused(rules: str, refused: list[str]) -> None:
    """Neither what moves, nor what is kept, nor a copy."""
    compiled = read_rules(rules)
    assert [key for key in KEYS if is_refused(route_of(compiled, Location(BUCKET, key)))] == refused


class Listing:
    """The keys, as listed."""

    def __init__(self, keys: tuple[str, ...] = KEYS) -> None:
        self._keys = keys

    def list_objects(self, bucket: str, *, prefix: str = "", after: str = "") -> Iterator[ListedObject]:
        """Every one."""
        yield from (ListedObject(key, "e", 1) for key in sorted(self._keys))


def test_a_backfill_counts_what_is_refused() -> None:
    """It goes on with the rest, and the command ends with exit code 1."""
    fed = Fed()
    assert Feeder(read_rules(FAILING), InMemoryQueue()).feed_listing(Listing(), fed)
    assert (fed.refused, fed.outcomes["move"]) == (1, 1)


def test_verify_calls_it_a_difference() -> None:
    """Under ``unmapped: report`` it is a remark, and a copy is neither."""
    for rules, wanted in ((FAILING, (Difference.UNMAPPED,)), (HANDLER_RULES, ())):
        made = bench(rules=rules)
        for key in KEYS:
            made.world.put(key, b"one")
        book = InMemoryKeyBook()
        book.add_pairs(iter([(Location(BUCKET, "old/a"), Location(BUCKET, "new/a"))]))
        verifier = Verifier(made.dependencies, book=book, reader=None, marks=False)
        found = {key: verifier.verify_key(Location(BUCKET, key)) for key in KEYS}
        assert [key for key, one in found.items() if one is not None] == ["elsewhere/a"]
        finding = found["elsewhere/a"]
        assert finding is not None
        assert finding.differences == wanted


def test_a_plan_with_a_refused_key_is_not_safe() -> None:
    """It would fail them one by one otherwise, while everything moves."""
    assert figures(unmapped=Share(1, 1)).is_safe
    assert not figures(unmapped=Share(2, 1), refused=1).is_safe


@pytest.mark.parametrize(("rules", "refused"), [(FAILING, 1), (OTHER_BUCKET, 2), (HANDLER_RULES, 0)])
def test_a_planner_counts_what_the_rules_refuse(rules: str, refused: int) -> None:
    """In one bucket a plan in the middle of a migration meets copies, which are not among them."""
    planned = DuckDbPlanner(read_rules(rules)).plan_listing(Listing(), cutting=Cutting(MIB, 5 * MIB))
    assert (planned.refused, planned.unmapped.objects) == (refused, 2)


def test_a_copy_of_earlier_rules_is_known_only_where_the_rules_keep_it() -> None:
    """No record can be found by its target, and no rule of today makes the key."""
    renamed = FAILING.replace("new/{", "newer/{")
    kept = renamed.replace("keep: [", 'keep: ["new/{rest...}", ')
    assert "newer/" in renamed
    assert kept != renamed
    assert left(bench(rules=renamed), "new/a") == ["m1"]
    assert left(bench(rules=kept), "new/a") == []
