"""A move into what the rules move again is refused at run time too, proven or not."""

import pytest

from domain.keys import Location
from domain.proofs.proof import FindingKind, prove_rules
from domain.protocol.record import State
from domain.rules.compiled import MapOutcome
from handlers.config.rules_file import read_rules
from handlers.engine.batch import respond_to_batch
from handlers.operations.proof import refuse_rules
from tests.worlds.handlers import BUCKET, bench, created_entry, direct, sqs_event

HEAD = "version: 1\nmigration: unit\nsource: {bucket: line-1}\ntarget: {bucket: line-1}\n"
FEEDS_ITSELF = HEAD + "rules: [{name: move, from: '{rest...}', to: 'x/{rest...}'}]\n"
TWO = HEAD + "rules: [{name: one, from: 'a/{n}', to: 'b/{n}'}, {name: two, from: 'b/{n}', to: 'c/{n}'}]\n"
PREFIXED = HEAD.replace("source: {bucket: line-1}", "source: {bucket: line-1, prefix: in/}")


def test_a_rule_that_feeds_itself_copies_nothing() -> None:
    """It made about 510 copies of each object; now the object is parked with the cause, and its message is done."""
    made = bench(rules=FEEDS_ITSELF)
    made.world.put("a", b"one")
    event = sqs_event(direct(created_entry("a", b"one")))
    answer = respond_to_batch(event, made.dependencies, queue=made.live, seconds_left=lambda: 300.0)
    assert answer["batchItemFailures"] == []
    assert made.world.objects == {Location(BUCKET, "a"): b"one"}
    record = made.world.records[Location(BUCKET, "a").record_id]
    assert record.state is State.PARKED
    assert "'x/a' would be moved again by the rule 'move': a loop" in record.why


@pytest.mark.parametrize(
    ("allow", "outcome"),
    [
        ("", MapOutcome.REJECTED),
        ("allow: [{rule: one, finding: loop, why: w}]\n", MapOutcome.MOVE),
        ("allow: [{rule: two, finding: loop, why: w, other_rule: one}]\n", MapOutcome.MOVE),
        ("allow: [{rule: one, finding: loop, why: w, other_rule: one}]\n", MapOutcome.REJECTED),
        ("allow: [{rule: one, finding: overlap, why: w}]\n", MapOutcome.REJECTED),
    ],
)
def test_a_chain_of_two_rules_moves_only_where_it_is_allowed_by_name(allow: str, outcome: MapOutcome) -> None:
    """The exception is the one that the proof heeds: the same rules start, or do not."""
    rules = read_rules(TWO + allow)
    assert rules.map_once("a/1").outcome is outcome
    assert rules.map_once("b/1").outcome is MapOutcome.MOVE, "its target is moved no more"
    assert (refuse_rules(rules) is None) is (outcome is MapOutcome.MOVE)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (FEEDS_ITSELF.replace("target: {bucket: line-1}", "target: {bucket: line-2}"), "a"),
        (FEEDS_ITSELF + "keep: ['x/{rest...}']\n", "a"),
        (PREFIXED + "rules: [{name: move, from: '{rest...}', to: 'x/{rest...}'}]\n", "in/a"),
    ],
)
def test_a_target_that_no_rule_moves_is_no_loop(text: str, key: str) -> None:
    """Another bucket, a kept key, a key outside the source prefix."""
    rules = read_rules(text)
    assert rules.map_once(key) == rules.map_key(key)
    assert rules.map_once(key).outcome is MapOutcome.MOVE


@pytest.mark.parametrize("text", [FEEDS_ITSELF, TWO])
def test_what_the_proof_calls_a_loop_the_worker_refuses(text: str) -> None:
    """The proof's own keys."""
    rules = read_rules(text)
    loops = [one for one in prove_rules(rules).findings if one.kind is FindingKind.LOOP]
    assert loops
    for finding in loops:
        assert rules.map_once(finding.keys[0]).outcome is MapOutcome.REJECTED


def test_the_refusal_names_findings_keys_and_the_remedy() -> None:
    """At most three, and how many more there are."""
    wrong = [f"{{name: r{number}, from: 'a{number}/{{n}}', to: 'b{number}/./{{n}}'}}" for number in range(5)]
    said = refuse_rules(read_rules(HEAD + f"rules: [{', '.join(wrong)}]\n")) or ""
    assert "invalid-target of 'r0' ('a0/" in said
    assert "and 2 more" in said
    assert "keyshift rules check" in said
