"""The report's figures, charts, cells and page."""

import json
import re
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from domain.errors import InputError
from domain.keys import Location
from domain.planning.estimate import estimate
from domain.planning.prices import CostLine, Prices
from domain.planning.shares import Share
from domain.planning.total import Total
from domain.protocol.causes import Cause
from domain.protocol.record import Claim, Origin, Record, State
from domain.protocol.seen_parts import NOT_IN_INVENTORIES, SeenParts
from domain.reporting.costs import Planned, spent
from domain.reporting.fidelity import fidelity_of
from domain.reporting.progress import HOUR, MINUTE, Span, history_of, progress_of
from domain.reporting.report import COLUMNS, length_of, row_of, series
from domain.reporting.tallied import SHOWN, RecordTally
from domain.steering.control import Control
from handlers.bootstrap.planning import read_plan
from handlers.cli.pages.charts import MOST_POINTS, area_chart, bar_chart
from handlers.cli.pages.report import report_page, said_number, shown
from handlers.cli.report_records import guarded
from handlers.cli.text import said_bytes, said_seconds
from handlers.config.rules_file import read_rules
from handlers.operations.status import ThrottledPlace
from tests.report_sample import HOSTILE, START, sample_records, sample_report
from tests.worlds.handlers import HANDLER_RULES
from tests.worlds.plan_figures import figures

RECORD = sample_records()[0]
NO_ACL = "ACL: not carried, and the source's own grants are not looked at"


def told(record: Record) -> dict[str, list[str]]:
    """As the report shows it."""
    fidelity = fidelity_of(record)
    lists = {"kept": fidelity.kept, "changed": fidelity.changed, "lost": fidelity.lost, "unseen": fidelity.unseen}
    return {name: list(map(str, notes)) for name, notes in lists.items()}


SEEN = SeenParts(2, 3, "STANDARD_IA", True, "legal hold", 4)  # in the order of its fields
ALL_KEPT = [
    *("bytes", "metadata: 2 entries", "headers", "3 tags", "storage class STANDARD_IA", "KMS key"),
    *("object lock: legal hold", "4 annotations"),
]
ALL_PARTS = ["bytes", "metadata", "headers", "tags", "storage class", "KMS key", "object lock", "annotations", NO_ACL]


def test_an_object_that_verify_did_not_look_at_kept_what_its_etag_proves() -> None:
    """And nothing else is said of it."""
    assert (told(RECORD)["kept"], told(RECORD)["lost"]) == (["bytes"], [])
    assert told(RECORD)["unseen"] == ALL_PARTS[1:]
    in_parts = replace(RECORD, source_etag="b" * 32 + "-7", target_etag="b" * 32 + "-7")
    assert (told(in_parts)["kept"], told(in_parts)["unseen"]) == ([], ALL_PARTS)


def test_a_verified_object_says_what_was_seen_of_it() -> None:
    """Each part by its number or its words, also the parts that it has none of."""
    assert (told(replace(RECORD, seen=SEEN))["kept"], told(replace(RECORD, seen=SEEN))["unseen"]) == (
        ALL_KEPT,
        [NO_ACL],
    )
    assert told(replace(RECORD, seen=SeenParts(annotations=0)))["kept"] == [
        *("bytes", "no metadata", "headers", "no tags", "storage class STANDARD", "no KMS key", "no object lock"),
        "no annotations",
    ]
    assert told(replace(RECORD, seen=SeenParts()))["unseen"] == ["annotations", NO_ACL]


def test_what_inventories_did_not_compare_is_not_claimed() -> None:
    """Of a copy that inventories proved. What its adoption had compared before stays said."""
    seen = SeenParts(by_inventories=True)
    told_of = told(replace(RECORD, seen=seen))
    assert told_of["kept"] == ["bytes", "storage class STANDARD", "no KMS key"]
    assert told_of["unseen"] == [*NOT_IN_INVENTORIES, NO_ACL]
    adopted = told(replace(RECORD, seen=seen, origin=Origin.ADOPTED))
    assert adopted["kept"] == ["bytes", "metadata", "headers", "tags", "storage class STANDARD", "no KMS key"]
    assert adopted["unseen"] == ["object lock", "annotations", "ACL"]


def test_one_of_a_kind_is_said_in_the_singular() -> None:
    """A person reads it."""
    kept = told(replace(RECORD, seen=SeenParts(1, 1, annotations=1)))["kept"]
    assert {"metadata: 1 entry", "1 tag", "1 annotation"} <= set(kept)


def test_what_the_copy_lacks_is_lost_and_not_kept() -> None:
    """By the part's name, once."""
    lost = ("storage-class", "encryption", "lock", "annotations", "tags", "metadata", "headers", "size", "bytes")
    seen = told(replace(RECORD, target_etag="c" * 32, seen=replace(SEEN, lost=lost, is_proven=False)))
    names = ["storage class", "KMS key", "object lock", "annotations", "tags", "metadata", "headers", "bytes"]
    assert (seen["kept"], seen["lost"], seen["unseen"]) == ([], names, [NO_ACL])


def test_bytes_that_nothing_proves_are_not_kept() -> None:
    """Verify compared everything else."""
    in_parts = replace(RECORD, source_etag="b" * 32 + "-7", seen=replace(SEEN, is_proven=False))
    assert (told(in_parts)["kept"], told(in_parts)["unseen"]) == (ALL_KEPT[1:], ["bytes", NO_ACL])
    assert told(replace(in_parts, seen=SEEN))["kept"] == ALL_KEPT


def test_an_adopted_object_was_proven_to_be_the_same() -> None:
    """Keyshift changed nothing of it."""
    adopted = told(replace(RECORD, origin=Origin.ADOPTED))
    assert (adopted["kept"], adopted["changed"]) == (["bytes", "metadata", "headers", "tags"], [])
    assert adopted["unseen"] == ["storage class", "KMS key", "object lock", "annotations", "ACL"]
    in_parts = replace(RECORD, origin=Origin.ADOPTED, source_etag="b" * 32 + "-7")
    assert told(in_parts)["kept"] == ["bytes", "metadata", "headers", "tags"]
    assert fidelity_of(in_parts).outcome == "adopted"
    assert told(replace(in_parts, seen=SEEN))["kept"] == ALL_KEPT


def test_a_moved_object_says_what_changed() -> None:
    """The date always; the etag when it was uploaded in parts; the version where there are any."""
    plain, _, in_parts, versioned, deleted, *_ = sample_records()
    assert [len(told(one)["changed"]) for one in (plain, in_parts, versioned, deleted)] == [1, 2, 2, 0]
    assert told(versioned)["unseen"][-1] == "older versions: they stay at the source"
    assert told(deleted) == {"kept": [], "changed": [], "lost": [], "unseen": []}
    assert fidelity_of(deleted).outcome == "deleted with its source"


def test_a_rewritten_manifest_did_not_keep_its_bytes() -> None:
    """Its content is changed on purpose, and said so."""
    rewritten = told(replace(RECORD, target_etag="c" * 32, rewritten_etag="c" * 32, seen=SEEN))
    assert (rewritten["kept"], rewritten["unseen"]) == (ALL_KEPT[1:], [NO_ACL])
    assert any("references" in note for note in rewritten["changed"])


def test_what_the_copy_has_in_another_form_is_changed() -> None:
    """The key that the rules name, and the kind of checksum; the page counts both without their details."""
    key, checksum = (
        "arn:aws:kms:us-east-1:111111111111:key/old",
        "SHA256 of its parts, CRC64NVME of the whole at the copy",
    )
    seen = replace(SEEN, source_key=key, checksum=checksum)
    for origin in (Origin.CREATED, Origin.ADOPTED):
        record = replace(RECORD, seen=seen, origin=origin)
        shown = told(record)
        assert shown["changed"][-2:] == [f"KMS key: by the rules another one than {key}", f"checksum: {checksum}"]
        assert not [one for one in (*shown["kept"], *shown["unseen"], *shown["lost"]) if "KMS" in one]
        assert [one.what for one in fidelity_of(record).changed[-2:]] == ["KMS key", "checksum"]


def test_every_state_has_an_outcome() -> None:
    """A new state cannot be forgotten."""
    assert len({fidelity_of(replace(RECORD, state=state)).outcome for state in State}) == len(State)


def test_a_tally_counts_and_keeps_little() -> None:
    """However many objects failed, memory is bounded; those that are shown do not depend on the order of reading."""
    tally, keys = RecordTally(), [f"old/{number:03}" for number in range(2 * SHOWN)]
    parked = replace(RECORD, state=State.PARKED)
    records = [
        replace(parked, source=Location("line-1", key), cause=(Cause.KMS, Cause.ARCHIVED)[number % 2])
        for number, key in enumerate(keys)
    ]
    Random(1).shuffle(records)
    assert list(tally.watch([RECORD, *records])) == [RECORD, *records]
    tallied = tally.tallied
    assert (tallied.records, tallied.causes) == (2 * SHOWN + 1, {"kms": SHOWN, "archived": SHOWN})
    assert [one.key for one in tallied.troubled] == keys[:SHOWN]


def test_a_tally_adds_up_what_the_records_say() -> None:
    """Sizes, what runs, what is verified, outcomes, and what a move kept, changed and lost."""
    tally = RecordTally()
    unknown = Record(RECORD.source, RECORD.target)
    running = replace(RECORD, claim=Claim("t", 1.0), size=24, verified_at=None)
    for record in (RECORD, RECORD, running, unknown, unknown):
        tally.count(record)
    tallied = tally.tallied
    assert (tallied.records, tallied.size, tallied.running, tallied.verified) == (5, 2_024, 1, 2)
    assert dict(tallied.outcomes) == {"moved": 3, "waiting": 2}
    assert (tallied.kept, set(tallied.changed.values()), tallied.lost) == ({"bytes": 3}, {3}, {})
    assert (tallied.unseen["tags"], tallied.unseen["ACL"]) == (3, 3)
    for tags in (1, 2):
        tally.count(replace(RECORD, seen=SeenParts(tags=tags, lost=("annotations",))))
    tallied = tally.tallied
    assert (tallied.kept["tags"], tallied.kept["no metadata"], tallied.lost) == (2, 2, {"annotations": 2})
    assert (tallied.causes, tallied.troubled) == ({}, ())


def test_a_row_says_when_and_whether_it_runs() -> None:
    """Whole seconds in UTC, as every other tool reads them."""
    row = row_of(replace(RECORD, claim=Claim("t", 1.0), verified_at=1_790_000_000.9, changed_at=0.0))
    assert (row["running"], row["verified_at"]) == (True, "2026-09-21T14:13:20+00:00")
    assert row["changed_at"] == "1970-01-01T00:00:00+00:00"
    assert (row_of(RECORD)["running"], row_of(replace(RECORD, verified_at=None))["verified_at"]) == (False, None)


def test_an_etag_that_nobody_knows_has_not_changed() -> None:
    """A version alone is new."""
    assert fidelity_of(replace(RECORD, target_etag=None)).changed == fidelity_of(RECORD).changed


def test_a_row_has_every_column() -> None:
    """Also of a record that knows little, and JSON can hold it."""
    for record in (*sample_records(), Record(RECORD.source, RECORD.target)):
        assert tuple(row_of(record)) == COLUMNS
        json.dumps(row_of(record))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_csv_holds_no_formula(text: str) -> None:
    """A spreadsheet shows it as text."""
    assert guarded(text) == "'" + text
    assert guarded([text]) == "'" + text


def test_other_cells_stay_as_they_are() -> None:
    """Numbers below zero are numbers; nothing is an empty cell."""
    assert [guarded(value) for value in ("a=b", -1, None, ["a", "b"], True)] == ["a=b", "-1", "", "a; b", "True"]


def test_counters_follow_a_failure_and_its_end() -> None:
    """A cause counts while the record has it."""
    held = replace(RECORD, claim=Claim("t", 1.0), changed_at=10.0)
    parked = replace(
        held, claim=None, state=State.PARKED, cause=Cause.OTHER_TARGET, cause_detail="s3://b/x", changed_at=12.5
    )
    done = replace(parked, state=State.COPIED, cause=None, cause_detail="")
    failed, mended = progress_of(held, parked), progress_of(parked, done)
    assert (failed["cause.other-target"], failed["failed"]) == (1, 1)
    assert mended["cause.other-target"] == -1
    copied = progress_of(held, replace(held, claim=None, changed_at=12.5))
    assert (copied["copy_milliseconds"], copied["rule_bytes.training-output"]) == (2_500, 1_000)


def test_history_knows_hours_and_minutes() -> None:
    """Each change is in both; a batch that spans too many minutes is in its hours only."""
    one = {"objects_copied": 1, "records.COPIED": 1}
    history = history_of([(3_600.0, one), (3_659.9, one), (7_200.0, one), (7_300.0, {"records.NEW": 1})])
    counted = {span: added["objects_copied"] for span, added in history.items()}
    assert {Span(3_600, HOUR): 2, Span(3_600, MINUTE): 2, Span(7_200, HOUR): 1, Span(7_200, MINUTE): 1} == counted
    assert all(set(added) == {"objects_copied"} for added in history.values())
    many = history_of((minute * 60.0, one) for minute in range(24 * 60))
    assert {HOUR} == {span.seconds for span in many}
    assert len(many) == 24


def test_a_series_has_no_holes() -> None:
    """Where nothing happened it is 0."""
    history = {Span(60, MINUTE): {"n": 1}, Span(240, MINUTE): {"n": 4}}
    assert series(history, "n") == [(60, 1), (120, 0), (180, 0), (240, 4)]
    assert series({}, "n") == []


def test_short_histories_are_shown_in_minutes() -> None:
    """As long as the minutes are remembered."""
    hour = {Span(0, HOUR): {"n": 1}}
    assert length_of(hour, now=3_600.0) == MINUTE
    assert length_of(hour, now=7 * 24 * 3_600.0) == HOUR
    assert length_of({Span(0, HOUR): {}, Span(7 * HOUR, HOUR): {}}, now=8.0 * HOUR) == HOUR
    assert length_of({}, now=0.0) == MINUTE
    first, days = 100.0 * HOUR, 24.0 * HOUR
    five, six = ({Span(start * HOUR, HOUR): {"n": 1} for start in (100, last)} for last in (105, 106))
    assert length_of(five, now=first + 6 * days - 1) == MINUTE
    assert length_of(five, now=first + 6 * days) == HOUR
    assert length_of(six, now=first + 1) == HOUR


def test_the_bill_so_far_follows_the_counters() -> None:
    """A million copies cost what a million copies cost; nothing done costs nothing."""
    lines = {line.name: line for line in spent({"objects_copied": 10**6, "changes": 2 * 10**6}, Prices())}
    assert (lines["S3 copies"].dollars, lines["DynamoDB writes"].dollars) == (5.0, 1.25)
    assert spent({}, Prices()) == ()
    prices = Prices(sqs_per_million=2e6, eventbridge_per_million=3e6, copy_per_million=0.0, lambda_gib_second=5.0)
    assert spent({"objects_copied": 7, "changes": 20, "copy_milliseconds": 4_000}, prices) == (
        CostLine("S3 copies", 7, 0.0),
        CostLine("DynamoDB writes", 20, 20 * 0.625 / 1e6),
        CostLine("EventBridge, full packs", 1, 3.0),
        CostLine("SQS (at most)", 21, 42.0),
        CostLine("Lambda time", 0, 4 / 16 * 5.0),
    )
    assert CostLine("EventBridge, single events", 20, 60.0) in spent({"changes": 20}, prices, single_events=True)


def test_what_was_planned_stands_beside_it() -> None:
    """Objects, bytes, each rule, dollars and seconds, as the plan said."""
    planned = figures(rules={"a": Share(2, 30), "b": Share(3, 40)})
    bill = estimate(planned, Prices(), concurrency=1)
    assert Planned.of(planned, bill) == Planned(5, 70, planned.rules, bill.dollars, bill.seconds)


@pytest.mark.parametrize("chart", [area_chart, bar_chart])
def test_charts_hold_any_series(chart: object) -> None:
    """One point, all zeros, very many points, none."""
    assert callable(chart)
    for points in ([(0.0, 5.0)], [(0.0, 0.0), (1.0, 0.0)], [(float(at), at % 7) for at in range(5_000)], []):
        svg = chart("t", points, said=said_number)
        numbers = [float(number) for number in re.findall(r'(?:x|y|width|height)="(-?[\d.]+)"', svg)]
        assert all(0 <= number <= 421 for number in numbers)
        assert svg.count("<rect") <= MOST_POINTS


def test_numbers_are_short() -> None:
    """On an axis there is little room."""
    assert [said_number(number) for number in (0, 0.15, 999, 125_000, 2.5e6, 3e9)] == [
        "0",
        "0.15",
        "999",
        "125k",
        "2.5M",
        "3G",
    ]
    assert [said_bytes(size) for size in (0, 1023, 1024, 5 * 2**40)] == ["0 bytes", "1,023 bytes", "1.0 KiB", "5.0 TiB"]


def test_what_cannot_be_printed_is_shown() -> None:
    """A key cannot hide or turn around what it is called."""
    assert shown("a\u202eb\n\x00<") == "a\\u202eb\\n\\x00&lt;"


def test_the_page_needs_nothing_else() -> None:
    """No script, no link, no address of anything; hostile keys are text."""
    page = report_page(sample_report())
    assert not re.search(r"<script|<link|<img|src=|url\(|@import|http-equiv=\"refresh", page.replace("src=x", ""))
    for key in HOSTILE:
        assert shown(key) in page
    assert "Paused by circuit-breaker: lunch &lt;b&gt;" in page


def test_the_page_names_what_is_throttled() -> None:
    """With its rate and AWS's answer; without such a place it says nothing of it."""
    full = sample_report()
    slow = ThrottledPlace("s3://b/<new>/", 12.25, "SlowDown", 1_790_000_000.0, 1_790_000_000.0)
    page = report_page(replace(full, status=replace(full.status, throttled=(slow,))))
    assert "Throttled: s3://b/&lt;new&gt;/: 12.2 objects/s, because AWS answered SlowDown" in page
    assert "Throttled:" not in report_page(full)


def test_the_page_says_how_much_is_left() -> None:
    """At the rate of the newest span that has ended; while it is paused, no time. Without a total there is no card."""
    full = sample_report()
    assert "time left" not in report_page(full)
    copied = full.status.objects_copied
    total = Total("plan.parquet", 2 * copied + 10, 0, is_complete=True)
    paused = replace(full, status=replace(full.status, total=total))
    assert f"<b>50% of {2 * copied + 10:,} objects</b>" in report_page(paused)
    assert "time left" not in report_page(paused)
    running = replace(paused, status=replace(paused.status, control=Control()))
    span = list(full.history)[-2]
    seconds = (copied + 5) / (full.history[span]["objects_copied"] / span.seconds)
    assert f"<span>time left</span><b>{said_seconds(seconds)}</b>" in report_page(running)


def test_a_report_of_nothing_can_be_made() -> None:
    """Before anything was copied, without a plan, without the records."""
    full = sample_report()
    status = replace(full.status, records={}, rules={}, causes={}, queues={}, recent=None, objects_copied=0)
    empty = replace(
        full, status=status, counters={}, history={}, tallied=None, bill=(), planned=None, audit_is_good=None
    )
    page = report_page(empty)
    assert page.count("nothing counted yet") == 5
    assert "The records were not read" in page
    broken = replace(full, audit_is_good=False, audit_findings=["line-altered: <b>"])
    assert "<li>line-altered: &lt;b&gt;</li>" in report_page(broken)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rules": 3}', '{"rules": {}, "moving": {}, "cost": {}}'])
def test_a_plan_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    """The file is named."""
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(str(path))):
        read_plan(path, read_rules(HANDLER_RULES))


def test_the_sample_is_in_order() -> None:
    """Its history begins where it says."""
    assert min(sample_report().history) == Span(START, MINUTE)
