"""Manifest: the fake and DynamoDB keep one contract, and the condition expression is the domain's rule."""

from dataclasses import replace
from typing import Protocol

import pytest
from hypothesis import HealthCheck, event, given, settings

from adapters.dynamodb.control import DynamoDbControlPanel
from adapters.dynamodb.manifest import DynamoDbManifest
from adapters.dynamodb.progress import DynamoDbProgressCounters
from adapters.dynamodb.record_item import to_item
from adapters.standin import StandIn
from adapters.standin.faults import Fault, FaultKind, FaultMoment
from domain.errors import AccessDeniedError, MissingResourceError
from domain.keys import Location
from domain.protocol.claims import ClaimRequest, claimed, left_over, refusal
from domain.protocol.intents import Action, Intent
from domain.protocol.notices import Notice, NoticeKind
from domain.protocol.ports import ClaimAnswer, Manifest, RecordBatches, RecordChange, RecordPages
from domain.protocol.record import Claim, Mode, Record, State
from domain.steering.control import Control
from tests.contract.records import TARGET, records, requests
from tests.fakes.manifest import InMemoryManifest
from tests.servers import Server, new_name, standin_server
from tests.worlds.tables import TableWorld, new_table

FIRST, SECOND = Claim("t1", 100.0), Claim("t2", 300.5)
INTENT = Intent(Action.COPY, "e" * 32, "", "e" * 32)


@pytest.fixture(params=["fake", "standin", "standin through boto3", "moto"])
def manifest(request: pytest.FixtureRequest) -> Manifest:
    """An empty manifest; on the servers in the lean lane, and on one in its fallback."""
    if request.param == "fake":
        return InMemoryManifest()
    server, _, way = request.param.partition(" through ")
    world = new_table(request.getfixturevalue("moto_endpoint" if server == "moto" else server), lane=way != "boto3")
    return DynamoDbManifest(world.clients, world.table)


class PagedManifest(Manifest, RecordPages, Protocol):
    """Both ports, as their adapters have them."""


class BatchedManifest(Manifest, RecordBatches, Protocol):
    """Both ports, as their adapters have them."""


@pytest.fixture(params=["fake", "standin", "standin through boto3"])
def many(request: pytest.FixtureRequest) -> BatchedManifest:
    """An empty manifest that takes writes together; moto 5.2.5 has no INSERT with parameters (emulators.md)."""
    if request.param == "fake":
        return InMemoryManifest()
    world = new_table(request.getfixturevalue("standin"), lane=request.param == "standin")
    return DynamoDbManifest(world.clients, world.table)


@pytest.fixture
def table(standin: Server) -> TableWorld:
    """A table on the stand-in."""
    return new_table(standin)


def new_request(claim: Claim = FIRST, *, source: Location | None = None, now: float = 50.0) -> ClaimRequest:
    """A wish to copy a new source."""
    source = source or Location("bucket", new_name("key"))
    notice = Notice(NoticeKind.LISTED, source, etag="e" * 32)
    return ClaimRequest(notice, TARGET, claim, INTENT, now, "rule", "digest")


def test_first_claim_makes_the_record(manifest: Manifest) -> None:
    """A claim on an unknown source is granted and leaves exactly the domain's record."""
    request = new_request()
    assert manifest.claim_record(request) == ClaimAnswer(granted=True, before=None)
    assert manifest.read_record(request.notice.source.record_id) == claimed(None, request)


def test_claim_of_a_held_record_is_refused_with_the_record(manifest: Manifest) -> None:
    """Who comes second learns who holds it, and changes nothing."""
    request = new_request()
    manifest.claim_record(request)
    held = claimed(None, request)
    answer = manifest.claim_record(replace(request, claim=SECOND))
    assert answer == ClaimAnswer(granted=False, before=held)
    assert manifest.read_record(held.record_id) == held


def test_a_repeated_claim_finds_its_own_token(manifest: Manifest) -> None:
    """A claim whose answer was lost is recognised by its token."""
    request = new_request()
    manifest.claim_record(request)
    answer = manifest.claim_record(request)
    assert not answer.granted
    assert answer.before is not None
    assert answer.before.claim == request.claim


def test_claims_of_new_records_are_granted_together(many: BatchedManifest) -> None:
    """Each leaves exactly the domain's record, as a claim of its own does; more than one request can hold."""
    wanted = [new_request(Claim(f"t{number}", 100.0)) for number in range(60)]
    assert many.claim_new_records(wanted) == [ClaimAnswer(granted=True, before=None)] * 60
    records = many.read_records([one.notice.source.record_id for one in wanted])
    assert records == {one.notice.source.record_id: claimed(None, one) for one in wanted}
    assert many.claim_new_records([]) == []


def test_a_claim_of_a_record_that_exists_does_not_touch_it(many: BatchedManifest) -> None:
    """What refuses it is shown or left open; the others are granted."""
    held, new = new_request(), new_request(SECOND)
    many.claim_record(held)
    before = many.read_record(held.notice.source.record_id)
    refused, granted = many.claim_new_records([replace(held, claim=SECOND), new])
    assert refused in (None, ClaimAnswer(granted=False, before=before))
    assert granted == ClaimAnswer(granted=True, before=None)
    assert many.read_record(held.notice.source.record_id) == before


def test_a_claim_that_may_be_taken_over_is_left_to_the_single_one(many: BatchedManifest) -> None:
    """The intent of the abandoned attempt must go along, which an INSERT cannot."""
    many.claim_record(abandoned := new_request())
    late = replace(abandoned, claim=SECOND, now=200.0)
    assert many.claim_new_records([late]) == [None]
    assert many.claim_record(late).granted


def test_a_claim_whose_answer_was_lost_is_found_again(many: BatchedManifest) -> None:
    """By its own token, together or alone."""
    request = new_request()
    many.claim_new_records([request])
    assert many.claim_new_records([request]) in ([None], [ClaimAnswer(False, claimed(None, request))])
    answer = many.claim_record(request)
    assert (answer.granted, answer.before) == (False, claimed(None, request))


def _committed(request: ClaimRequest) -> RecordChange:
    before = claimed(None, request)
    after = replace(before, state=State.COPIED, revision=2, claim=None, intent=None, source_etag="e" * 32, size=7)
    return RecordChange(
        replace(after, target_etag="e" * 32, target_version="v1", copied_before=9, changed_at=60.5), before
    )


def test_commits_are_written_together(many: BatchedManifest) -> None:
    """Each on its own condition: what another worker has taken over is refused, a repeat is not."""
    ours, taken, again = new_request(), new_request(), new_request()
    many.claim_new_records([ours, taken, again])
    assert many.claim_record(replace(taken, claim=SECOND, now=200.0)).granted
    changes = [_committed(one) for one in (ours, taken, again)]
    assert many.write_record(changes[2].record, before=changes[2].before)
    assert many.write_records(changes) == [True, False, True]
    stored = [many.read_record(one.record.record_id) for one in changes]
    assert (stored[0], stored[2]) == (changes[0].record, changes[2].record)
    assert stored[1] is not None
    assert stored[1].claim == SECOND


@pytest.mark.parametrize("single_claim", [True, False])
def test_a_commit_together_leaves_what_a_commit_alone_leaves(table: TableWorld, *, single_claim: bool) -> None:
    """To the last attribute, whichever way the claim was written."""
    manifest, items = DynamoDbManifest(table.clients, table.table), []
    for together in (True, False):
        request = new_request()
        if single_claim:
            manifest.claim_record(request)
        else:
            manifest.claim_new_records([request])
        change = _committed(request)
        if together:
            assert manifest.write_records([change]) == [True]
        else:
            assert manifest.write_record(change.record, before=change.before)
        key = {"pk": {"S": change.record.record_id}}
        item = table.clients.dynamodb.get_item(TableName=table.table, Key=key)["Item"]
        items.append({name: value for name, value in item.items() if name not in ("pk", "key") and value != {"L": []}})
    assert items[0] == items[1]


def test_an_expired_claim_is_taken_over_with_its_intent(manifest: Manifest) -> None:
    """Past its deadline a claim is taken over; what it may have done is among ``maybe``."""
    request = new_request()
    manifest.claim_record(request)
    later = replace(request, claim=SECOND, now=FIRST.deadline + 0.5)
    answer = manifest.claim_record(later)
    assert answer.granted
    now = manifest.read_record(request.notice.source.record_id)
    assert now == claimed(claimed(None, request), later)
    assert now is not None
    assert now.maybe == {INTENT}


def test_a_claim_at_its_very_deadline_still_stands(manifest: Manifest) -> None:
    """The deadline itself belongs to the holder."""
    request = new_request()
    manifest.claim_record(request)
    assert not manifest.claim_record(replace(request, claim=SECOND, now=FIRST.deadline)).granted


def test_write_replaces_what_was_read(manifest: Manifest) -> None:
    """A commit on the record as it was is done, with every field."""
    request = new_request()
    manifest.claim_record(request)
    held = claimed(None, request)
    done = replace(held, state=State.COPIED, claim=None, intent=None, revision=2, size=0, changed_at=51.25)
    assert manifest.write_record(done, before=held)
    assert manifest.read_record(done.record_id) == done


def test_write_repeated_is_true(manifest: Manifest) -> None:
    """A commit whose answer was lost is true when it comes again."""
    request = new_request()
    manifest.claim_record(request)
    held = claimed(None, request)
    done = replace(held, claim=None, intent=None, maybe=left_over(held), revision=2)
    assert [manifest.write_record(done, before=held) for _ in range(2)] == [True, True]


@pytest.mark.parametrize(
    "other",
    [{"claim": SECOND}, {"mode": Mode.ROLLED_BACK}, {"revision": 7}, {"claim": None, "intent": None}],
    ids=["token", "mode", "revision", "released"],
)
def test_write_over_somebody_elses_change_is_false(manifest: Manifest, other: dict[str, object]) -> None:
    """Another token, mode or revision: nothing is written."""
    request = new_request()
    manifest.claim_record(request)
    held = claimed(None, request)
    changed = replace(held, **other)  # type: ignore[arg-type]  # a parametrised change
    assert manifest.write_record(changed, before=held)
    done = replace(held, state=State.COPIED, claim=None, intent=None, revision=2)
    assert not manifest.write_record(done, before=held)
    assert manifest.read_record(held.record_id) == changed


def test_write_of_a_new_record_needs_an_absent_one(manifest: Manifest) -> None:
    """``before=None`` creates, once."""
    first = Record(Location("bucket", new_name("key")), TARGET)
    assert manifest.write_record(first, before=None)
    assert not manifest.write_record(replace(first, state=State.ROLLED_BACK), before=None)
    assert manifest.read_record(first.record_id) == first


def test_segments_hold_every_record_once(manifest: Manifest) -> None:
    """Segments of a scan part the records among them."""
    written = [Record(Location("bucket", f"key-{number}"), TARGET) for number in range(25)]
    for record in written:
        manifest.write_record(record, before=None)
    found = [record for segment in range(3) for record in manifest.scan_records(segment=segment, segments=3)]
    assert sorted(one.record_id for one in found) == sorted(one.record_id for one in written)


@pytest.mark.parametrize("at_most", [1, 4, 100])
def test_pages_hold_every_record_of_their_segment_once(manifest: PagedManifest, at_most: int) -> None:
    """Another process reads on from a page's cursor; a page without one is the segment's last."""
    written = [Record(Location("bucket", f"key-{number}"), TARGET) for number in range(25)]
    for record in written:
        manifest.write_record(record, before=None)
    found: list[Record] = []
    for segment in range(3):
        cursor: str | None = ""
        while cursor is not None:
            page = manifest.read_page(segment, 3, cursor=cursor, at_most=at_most)
            assert len(page.records) <= at_most
            found += page.records
            cursor = page.cursor
    assert sorted(one.record_id for one in found) == sorted(one.record_id for one in written)


def test_an_unknown_record_is_none(manifest: Manifest) -> None:
    """What nobody wrote is not there."""
    assert manifest.read_record("0" * 64) is None


def test_many_records_are_read_at_once(manifest: Manifest) -> None:
    """Every record that is there, by its id, more than one request can hold; the others are left out."""
    written = [Record(Location("bucket", f"key-{number}"), TARGET) for number in range(105)]
    for record in written:
        manifest.write_record(record, before=None)
    wanted = [record.record_id for record in written]
    assert manifest.read_records([*wanted, "0" * 64, wanted[0]]) == {one.record_id: one for one in written}
    assert manifest.read_records([]) == {}


def test_scan_leaves_out_what_is_no_record(table: TableWorld) -> None:
    """Control and counters share the table and are not records."""
    DynamoDbControlPanel(table.clients, table.table).write_control(Control(paused=True), before=Control())
    DynamoDbProgressCounters(table.clients, table.table).add_progress({"copied": 1}, batch_id="b")
    manifest = DynamoDbManifest(table.clients, table.table)
    record = Record(Location("bucket", "key"), TARGET)
    manifest.write_record(record, before=None)
    assert list(manifest.scan_records()) == [record]


def test_a_missing_table_is_named(standin: Server) -> None:
    """Without its table the manifest says which one is missing."""
    manifest = DynamoDbManifest(new_table(standin).clients, "no-such-table")
    with pytest.raises(MissingResourceError, match="no-such-table"):
        manifest.read_record("0" * 64)


@pytest.fixture(scope="module")
def put_and_claim(standin_process: StandIn) -> TableWorld:
    """One table for all examples, each of which has a key of its own."""
    return new_table(standin_server(standin_process))


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(record=records(), request=requests())
def test_the_condition_is_the_domains_rule(put_and_claim: TableWorld, record: Record, request: ClaimRequest) -> None:
    """On any record DynamoDB grants what ``refusal`` grants, and leaves what ``claimed`` says."""
    source = Location("bucket", new_name("key"))
    record = replace(record, source=source)
    request = replace(request, notice=replace(request.notice, source=source))
    manifest = DynamoDbManifest(put_and_claim.clients, put_and_claim.table)
    put_and_claim.clients.dynamodb.put_item(TableName=put_and_claim.table, Item=to_item(record))
    why = refusal(record, request)
    event(str(why))
    assert manifest.claim_record(request) == ClaimAnswer(granted=why is None, before=record)
    assert manifest.read_record(record.record_id) == (record if why else claimed(record, request))


@pytest.mark.parametrize("code", ["ThrottlingError", "SomethingNew"])
def test_a_statement_that_fails_alone_is_left_open(standin_process: StandIn, table: TableWorld, code: str) -> None:
    """The others are written; a code that nobody knows gives back its row only."""
    manifest = DynamoDbManifest(table.clients, table.table)
    requests = [new_request() for _ in range(3)]
    standin_process.inject(Fault("BatchStatement", code=code))
    granted = ClaimAnswer(granted=True, before=None)
    assert manifest.claim_new_records(requests) == [None, granted, granted]
    assert manifest.claim_record(requests[0]) == granted


def test_a_denied_statement_says_which_permission_is_missing(standin_process: StandIn, table: TableWorld) -> None:
    """It concerns every statement of the role, so nothing is hidden behind a single write that is allowed."""
    standin_process.inject(Fault("BatchStatement", code="AccessDenied"))
    with pytest.raises(AccessDeniedError, match="dynamodb:PartiQLInsert and dynamodb:PartiQLUpdate"):
        DynamoDbManifest(table.clients, table.table).claim_new_records([new_request()])


def test_what_the_sdk_sends_again_finds_itself(standin_process: StandIn, table: TableWorld) -> None:
    """The answer to the first request is lost: DynamoDB refuses the INSERTs, and each claim finds its own token."""
    manifest = DynamoDbManifest(table.clients, table.table)
    requests = [new_request() for _ in range(3)]
    standin_process.inject(Fault("BatchExecuteStatement", kind=FaultKind.RESET, moment=FaultMoment.AFTER))
    found = [ClaimAnswer(granted=False, before=claimed(None, request)) for request in requests]
    assert manifest.claim_new_records(requests) == found
    assert [manifest.claim_record(request) for request in requests] == found


def test_duplicates_are_read_together(standin_process: StandIn, table: TableWorld) -> None:
    """DynamoDB does not say what refused an INSERT; a read that fails leaves each to a claim of its own."""
    manifest = DynamoDbManifest(table.clients, table.table)
    requests = [new_request() for _ in range(3)]
    changes = [_committed(request) for request in requests[:2]]
    manifest.claim_new_records(requests[:2])
    assert manifest.write_records(changes) == [True, True]
    copied = [change.record for change in changes]
    duplicates = [replace(request, claim=SECOND) for request in requests]
    refused = [ClaimAnswer(granted=False, before=record) for record in copied]
    granted = ClaimAnswer(granted=True, before=None)
    standin_process.inject(Fault("BatchGetItem", status=400, code="AccessDeniedException"))
    assert manifest.claim_new_records(duplicates) == [None, None, granted]
    duplicates[2] = replace(new_request(), claim=SECOND)
    assert manifest.claim_new_records(duplicates) == [*refused, granted]


def test_a_missing_table_is_left_to_the_write_alone(table: TableWorld) -> None:
    """DynamoDB says it of each statement; the single claim then names the table and the remedy."""
    manifest, request = DynamoDbManifest(table.clients, "no-such-table"), new_request()
    assert manifest.claim_new_records([request]) == [None]
    with pytest.raises(MissingResourceError, match="no-such-table"):
        manifest.claim_record(request)
