"""One notice has one route: the worker, ``keyshift dlq`` and S3 Batch Operations decide alike what it asks for."""

import pytest

from handlers.engine.batch import respond_to_batch
from handlers.operations.dead_letters import read_letter
from tests.fakes.steering import letter_of
from tests.worlds.batch_job import answered, asked
from tests.worlds.handlers import BUCKET, HANDLER_RULES, bench, created_entry, direct, sqs_event

PROBE = ".keyshift/probe-" + "0" * 32
CATCH_ALL = HANDLER_RULES.replace('"old/{rest...}", to: "new/{rest...}"', '"{rest...}", to: "new/{rest...}"').replace(
    "target: {bucket: line-1}", "target: {bucket: line-2}"
)
TWO_BUCKETS = HANDLER_RULES.replace("target: {bucket: line-1}", "target: {bucket: line-2}")
FAILING = HANDLER_RULES.replace("unmapped: report", "unmapped: fail")
KEEPING = HANDLER_RULES.replace("unmapped: report", "unmapped: keep")
LOOPING = HANDLER_RULES.replace('"old/{rest...}"', '"{rest...}"')
RULES_BY_NAME = {
    "one": HANDLER_RULES,
    "all": CATCH_ALL,
    "two": TWO_BUCKETS,
    "fail": FAILING,
    "keep": KEEPING,
    "loop": LOOPING,
}
every_rules = pytest.mark.parametrize("rules", RULES_BY_NAME.values(), ids=RULES_BY_NAME)
every_key = pytest.mark.parametrize("key", ["old/a", "new/a", "kept/a", "elsewhere", PROBE])


@every_rules
@every_key
@pytest.mark.parametrize("bucket", [BUCKET, "line-2", "line-3"])
def test_a_dead_letter_is_overtaken_where_a_worker_has_nothing_to_do(rules: str, bucket: str, key: str) -> None:
    """It has nothing to do for what it acknowledges and writes no record of."""
    made = bench(rules=rules)
    body = direct(created_entry(key, b"one", bucket=bucket))
    letter = read_letter(letter_of(body), "events", made.dependencies)
    answer = respond_to_batch(sqs_event(body), made.dependencies, queue=made.live, seconds_left=lambda: 300.0)
    has_nothing_to_do = not answer["batchItemFailures"] and not made.world.records
    assert letter.is_overtaken is has_nothing_to_do


@every_rules
@every_key
def test_a_task_succeeds_where_a_worker_is_done(rules: str, key: str) -> None:
    """The job's report and the queue say the same of one object that is there."""
    made, other = bench(rules=rules), bench(rules=rules)
    for world in (made.world, other.world):
        world.put(key, b"one")
    event = sqs_event(direct(created_entry(key, b"one")))
    answer = respond_to_batch(event, made.dependencies, queue=made.live, seconds_left=lambda: 300.0)
    is_parked = any(record.cause for record in made.world.records.values())
    is_done = not answer["batchItemFailures"] and not is_parked
    code, _ = answered(other, asked(key))
    assert (code == "Succeeded") is is_done
