"""A batch acknowledges exactly the messages of which everything is done."""

import json
import time
from typing import Any

import pytest

from domain.errors import MissingResourceError, ThrottledError, UnavailableError
from domain.keys import Location
from domain.protocol.attempt import MigrationPolicy
from domain.protocol.claims import ClaimRequest
from domain.protocol.parts import MIB
from domain.protocol.ports import ClaimAnswer
from domain.protocol.record import Claim, Record, State
from domain.steering.control import Control
from handlers.engine.batch import RENEW_BUSY_AT, respond_to_batch
from handlers.intake.messages import BackfillRow, decode_message, encode_backfill
from tests.worlds.handlers import BUCKET, HANDLER_RULES, Bench, bench, created_entry, direct, etag_of, sqs_event


def answer(made: Bench, *bodies: str, seconds: float = 300.0, receive_count: int = 1) -> list[str]:
    """The ids of the messages that stay in the queue."""
    response = respond_to_batch(
        sqs_event(*bodies, receive_count=receive_count),
        made.dependencies,
        queue=made.live,
        seconds_left=lambda: seconds,
    )
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


def rows(*keys: str, migration: str = "unit") -> str:
    """A backfill message."""
    (body,) = encode_backfill([BackfillRow(key=key) for key in keys], migration=migration, bucket=BUCKET)
    return body


def hold(made: Bench, *, until: float = 2_000.0) -> None:
    """Another worker's claim on ``old/b``."""
    held = Location(BUCKET, "old/b")
    made.world.records[held.record_id] = Record(held, Location(BUCKET, "new/b"), claim=Claim("another", until))


def test_an_event_moves_its_object_and_is_acknowledged() -> None:
    """The copy is there, the record says COPIED."""
    made = bench()
    made.world.put("old/a", b"one")
    assert answer(made, direct(created_entry("old/a", b"one"))) == []
    assert made.world.objects[Location(BUCKET, "new/a")] == b"one"
    assert State.COPIED is made.world.records[Location(BUCKET, "old/a").record_id].state


def test_a_duplicate_is_acknowledged_without_a_second_copy() -> None:
    """At-least-once delivery costs one refused claim."""
    made = bench()
    made.world.put("old/a", b"one")
    body = direct(created_entry("old/a", b"one"))
    assert answer(made, body, body) == []
    assert answer(made, body) == []
    assert made.world.copies == 1


def test_a_poison_message_fails_alone() -> None:
    """The others are done; the log says why this one is not."""
    made = bench()
    made.world.put("old/a", b"one")
    assert answer(made, "{", direct(created_entry("old/a", b"one"))) == ["m1"]
    assert made.world.copies == 1
    (said,) = made.lines("ERROR")
    assert (said["message_id"], "not JSON" in said["why"]) == ("m1", True)


def test_a_fault_of_ours_fails_one_message_with_a_traceback() -> None:
    """An unexpected exception takes nobody along."""
    made = bench(concurrency=1)
    made.world.put("old/a", b"one")
    made.world.put("old/b", b"two")
    made.world.fail_claims(ZeroDivisionError("oops"))
    assert answer(made, direct(created_entry("old/a", b"one")), direct(created_entry("old/b", b"two"))) == ["m1"]
    (said,) = made.lines("ERROR")
    assert "ZeroDivisionError" in said["exception"]


def test_a_message_is_done_only_when_all_its_rows_are() -> None:
    """One row that must wait brings the message back; the done ones are cheap the second time."""
    made = bench()
    made.world.put("old/a", b"one")
    made.world.put("old/b", b"two")
    hold(made)
    assert answer(made, rows("old/a", "old/b")) == ["m1"]
    assert Location(BUCKET, "new/a") in made.world.objects
    hold(made, until=1.0)
    assert answer(made, rows("old/a", "old/b")) == []
    assert made.world.copies == 2


def test_a_busy_message_is_due_again_later_each_time() -> None:
    """Waiting for another worker must not bring a message to the dead-letter queue."""
    made = bench()
    hold(made)
    for receive_count in (1, 2, 4):
        answer(made, rows("old/b"), receive_count=receive_count)
    assert made.live.returned == [("m1", 5), ("m1", 10), ("m1", 40)]


def test_a_message_behind_a_long_copy_never_runs_out_of_receives() -> None:
    """A copy of terabytes holds its claim for hours: the event of its object is sent anew before its last receives."""
    made = bench()
    hold(made)
    assert answer(made, rows("old/b"), receive_count=RENEW_BUSY_AT - 1) == ["m1"]
    assert answer(made, rows("old/b"), receive_count=RENEW_BUSY_AT) == []
    assert [message.body for message in made.live.waiting] == [rows("old/b")]
    assert answer(made, rows("old/b"), "{", receive_count=RENEW_BUSY_AT) == ["m2"]


def test_a_message_of_which_one_object_failed_beside_a_busy_one_is_not_made_new() -> None:
    """The failure counts its receives."""
    made = bench(concurrency=1)
    hold(made)
    made.world.put("old/a", b"one")
    made.world.fail_claims(ZeroDivisionError("oops"))
    assert answer(made, rows("old/a", "old/b"), receive_count=RENEW_BUSY_AT) == ["m1"]
    assert made.live.waiting == []


def test_no_message_waits_longer_than_a_claim_can_last() -> None:
    """With short claims the next try comes as soon as a dead worker's claim must be over."""
    made = bench(policy=MigrationPolicy(request_seconds=1.2, margin_seconds=0.5), attempt_seconds=8.0)
    hold(made)
    answer(made, rows("old/b"), receive_count=4)
    assert made.live.returned == [("m1", 15)]


def test_a_message_that_cannot_be_given_back_is_still_a_failure() -> None:
    """SQS brings it back after its visibility time-out."""
    made = bench()

    def refuse(*_: Any, **__: Any) -> None:
        raise UnavailableError("no answer")

    made.live.return_messages = refuse  # type: ignore[method-assign]
    assert answer(made, "{") == ["m1"]


def test_nothing_is_begun_without_time() -> None:
    """Shortly before Lambda's end the rest goes back untouched."""
    made = bench()
    made.world.put("old/a", b"one")
    assert answer(made, direct(created_entry("old/a", b"one")), seconds=4.0) == ["m1"]
    assert (made.world.records, made.world.copies) == ({}, 0)
    assert made.live.returned == [("m1", 0)]


def test_a_paused_migration_does_nothing() -> None:
    """Messages go back, and not for the same moment."""
    made = bench()
    made.panel.write_control(Control(paused=True, reason="lunch"), before=Control())
    made.world.put("old/a", b"one")
    assert answer(made, direct(created_entry("old/a", b"one"))) == ["m1"]
    assert made.world.records == {}


def test_throttling_is_waited_for_not_failed() -> None:
    """The object is tried again here, with fewer at once."""
    made = bench()
    made.world.put("old/a", b"one")
    made.world.fail_claims(*[ThrottledError("slow down")] * 3)
    assert answer(made, direct(created_entry("old/a", b"one"))) == []
    assert made.world.copies == 1
    assert len(made.slept) == 3
    assert sorted(made.slept) == made.slept or max(made.slept) < 2
    assert made.dependencies.pace.limit < 4


def test_endless_throttling_gives_the_message_back() -> None:
    """Somebody else may have better luck later."""
    made = bench()
    made.world.put("old/a", b"one")
    made.world.fail_claims(*[ThrottledError("slow down")] * 10)
    assert answer(made, direct(created_entry("old/a", b"one"))) == ["m1"]


def test_an_answer_that_cannot_be_trusted_brings_the_message_back() -> None:
    """A transient error is a reason to come again, not to fail the batch."""
    made = bench()
    made.world.put("old/a", b"one")
    made.world.fail_claims(UnavailableError("time-out"))
    assert answer(made, direct(created_entry("old/a", b"one"))) == ["m1"]
    assert made.lines("ERROR") == []


def test_a_missing_table_fails_the_whole_batch() -> None:
    """Nothing could succeed, and the error names what is missing."""
    made = bench()
    made.world.put("old/a", b"one")
    made.world.fail_claims(*[MissingResourceError("table manifest does not exist: run keyshift setup")] * 3)
    with pytest.raises(MissingResourceError, match="manifest"):
        answer(made, direct(created_entry("old/a", b"one")), rows("old/b"))


@pytest.mark.parametrize("key", ["kept/a", "elsewhere/a", "new/a"])
def test_keys_that_stay_are_acknowledged(key: str) -> None:
    """Kept, unmapped and already new keys cost no call; our own copies' events end here."""
    made = bench()
    made.world.put(key, b"one")
    assert answer(made, direct(created_entry(key, b"one"))) == []
    assert made.world.records == {}


def test_unmapped_keys_come_back_where_the_rules_say_fail() -> None:
    """They end in the dead-letter queue."""
    made = bench(rules=HANDLER_RULES.replace("unmapped: report", "unmapped: fail"))
    assert answer(made, direct(created_entry("elsewhere/a", b"one"))) == ["m1"]


def test_an_event_of_another_bucket_ends_in_the_dead_letter_queue() -> None:
    """Somebody connected the wrong bucket, and the log says so."""
    made = bench()
    assert answer(made, direct(created_entry("old/a", b"one", bucket="other"))) == ["m1"]
    assert "another bucket" in made.lines("ERROR")[0]["why"]


def test_rows_of_another_migration_are_refused() -> None:
    """Two migrations must not share a queue by accident."""
    made = bench()
    assert answer(made, rows("old/a", migration="other")) == ["m1"]
    assert "'other'" in made.lines("ERROR")[0]["why"]


def test_a_key_that_cannot_exist_is_parked_with_its_cause() -> None:
    """A new key of more than 1,024 bytes is nobody's fault of today, so it does not burn receives."""
    made = bench(rules=HANDLER_RULES.replace("new/{rest...}", "much-longer-prefix/{rest...}"))
    key = "old/" + "k" * 1_015
    made.world.put(key, b"one")
    assert answer(made, direct(created_entry(key, b"one"))) == []
    record = made.world.records[Location(BUCKET, key).record_id]
    assert State.PARKED is record.state
    assert "1,024" in record.why or "1024" in record.why


def test_a_copy_too_large_for_one_attempt_goes_on_as_a_row() -> None:
    """The message is acknowledged, a row for the object is on the backfill queue, in its order."""
    policy = MigrationPolicy(
        multipart_above=1, part_size=5 * MIB, parts_at_once=1, promised_storage_class="STANDARD", promised_plain=True
    )
    made = bench(policy=policy)
    body = bytes(12 * MIB)
    made.world.put("old/huge", body)
    copy_parts = made.world.store.copy_parts

    def slow(*arguments: Any, **named: Any) -> Any:
        etags = copy_parts(*arguments, **named)
        made.world.clock.advance(10_000.0)  # longer than an attempt has
        return etags

    made.world.store.copy_parts = slow  # type: ignore[method-assign]
    assert answer(made, direct(created_entry("old/huge", body))) == []
    (message,) = made.backfill.waiting
    (notice,) = decode_message(message.body).notices
    assert (Location(BUCKET, "old/huge"), etag_of(body), len(body)) == (notice.source, notice.etag, notice.size)
    assert notice.sequencer is not None


def test_two_events_of_one_key_do_not_get_in_each_others_way() -> None:
    """They are worked on one after the other, so neither meets the other's claim."""
    made = bench()
    made.world.put("old/a", b"two")
    claim = made.world.manifest.claim_record

    def slow(request: ClaimRequest) -> ClaimAnswer:
        answered = claim(request)
        time.sleep(0.05)
        return answered

    made.world.manifest.claim_record = slow  # type: ignore[method-assign]
    older = created_entry("old/a", b"one", sequencer="0055AED6DCD90281E5")
    newer = created_entry("old/a", b"two", sequencer="0055AED6DCD90281E6")
    assert answer(made, direct(older), direct(newer), direct(older)) == []
    assert made.world.objects[Location(BUCKET, "new/a")] == b"two"


def test_one_bad_record_of_a_message_does_not_stop_the_good_one() -> None:
    """What can be read is done, and the message still ends where somebody sees it."""
    made = bench()
    made.world.put("old/a", b"one")
    body = json.dumps({"Records": [created_entry("old/a", b"one"), {"eventVersion": "2.1"}]})
    assert answer(made, body) == ["m1"]
    assert made.world.copies == 1
