"""The manifest's stream outside Lambda: batches in Lambda's event shape, read by one process at a time."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import error_code, translated
from adapters.dynamodb.attributes import PARTITION_KEY
from adapters.dynamodb.item_ids import is_audited, is_record_id
from adapters.dynamodb.shards import list_shards
from adapters.dynamodb.stream_position import CLOSED, Planned, Position, PositionItem
from adapters.local.clock import SystemClock
from domain.errors import MissingResourceError
from domain.protocol.ports import Clock

_LOG = logging.getLogger(__name__)
_SHARDS_SECONDS = 10.0
_EXPIRED = frozenset({"ExpiredIteratorException", "TrimmedDataAccessException"})
_GONE = "ResourceNotFoundException"


@dataclass(frozen=True, slots=True)
class _Batch:
    shard_id: str
    first: str | None
    last: str
    following: str | None
    numbers: Sequence[str]


class DynamoDbChangeReader:
    """Reads each shard in order, a child after its parent, and continues where the last reader stopped.

    Items other than records are left out, except the control, the stage and the journal of references, which are
    audited. The reader's own position is in the same table, so its changes would feed the stream forever. ``token`` is
    this reader's own; while another one reads, nothing is returned.
    """

    def __init__(  # noqa: PLR0913  # the ports, this reader's name, and two limits
        self,
        clients: AwsClients,
        table: str,
        *,
        clock: Clock | None = None,
        token: str | None = None,
        lease_seconds: float = 10.0,
        at_most: int = 200,
    ) -> None:
        self._tables = clients.dynamodb
        self._client = clients.streams
        self._table = table
        self._clock = clock or SystemClock()
        token = token or uuid4().hex
        self._item = PositionItem(clients, table, self._clock, token=token, lease_seconds=lease_seconds)
        self._lease_seconds = lease_seconds
        self._at_most = at_most
        self._arn: str | None = None
        self._batch: _Batch | None = None
        self._position = Position()
        self._iterators: dict[str, str | None] = {}
        self._shards: list[Mapping[str, Any]] = []
        self._shards_at = float("-inf")
        self._lease_until = float("-inf")
        self._unsaved = False

    def read_changes(self) -> Mapping[str, Any] | None:
        """The next batch; ``None`` when there is nothing new, or another process reads.

        Without a confirmation the same changes come again.
        """
        if not self._holds_lease():
            return None
        for shard in self._readable_shards():
            found = self._read(shard)
            if found is not None:
                return found
        if self._unsaved and not self._save():
            self._forget()
        return None

    def confirm_changes(self, event: Mapping[str, Any], failed: str | None) -> None:
        """Continue after this batch, or at the change with the sequence number that ``failed``."""
        batch = self._batch
        if batch is None or not event["Records"]:
            return
        self._batch = None
        if failed is None or failed not in batch.numbers:
            self._go_on(batch.shard_id, batch.last, batch.following)
            return
        done = batch.numbers[: batch.numbers.index(failed)]
        self._iterators.pop(batch.shard_id, None)
        self._position.planned = None
        if done:
            self._position.confirmed[batch.shard_id] = done[-1]
        if not self._save():
            self._forget()

    def keep_changes(self) -> bool:
        """Hold the stream for as long again while a batch is worked on; ``False`` when another process has it.

        Another thread may call this between ``read_changes`` and ``confirm_changes``.
        """
        now = self._clock.monotonic()
        kept = self._item.keep()
        self._lease_until = now + self._lease_seconds if kept else float("-inf")
        return kept

    def release(self) -> None:
        """Save the confirmed position and let another process read."""
        is_ours = self._lease_until > self._clock.monotonic()
        if self._save() if self._unsaved else is_ours:
            self._item.release()
        self._forget()

    def _forget(self) -> None:
        self._batch = None
        self._position = Position()
        self._iterators = {}
        self._shards = []
        self._shards_at = float("-inf")
        self._lease_until = float("-inf")
        self._unsaved = False

    def _holds_lease(self) -> bool:
        now = self._clock.monotonic()
        if now < self._lease_until - self._lease_seconds / 2:
            return True
        fresh = now >= self._lease_until
        if fresh and self._unsaved and self._save():
            # The lease ran out during a batch, but no other reader came: confirmed changes do not come again.
            return True
        position = self._item.take()
        if position is None:
            self._forget()
            return False
        if fresh:
            self._forget()
            self._position = position
        self._lease_until = now + self._lease_seconds
        return True

    def _save(self) -> bool:
        now = self._clock.monotonic()
        listed = {shard["ShardId"] for shard in self._shards}
        kept = {shard: last for shard, last in self._position.confirmed.items() if shard in listed}
        self._position.confirmed = kept
        saved = self._item.save(self._position)
        if saved:
            self._unsaved = False
            self._lease_until = now + self._lease_seconds
        return saved

    def _go_on(self, shard_id: str, last: str, following: str | None) -> None:
        self._position.confirmed[shard_id] = last if following is not None else CLOSED
        self._iterators[shard_id] = following
        self._position.planned = None
        self._unsaved = True

    def _read(self, shard_id: str) -> Mapping[str, Any] | None:
        """The shard's next changes of records; other changes are skipped."""
        while True:
            first = self._iterators.get(shard_id) or self._iterator(shard_id)
            answer = None if first is None else self._get_records(shard_id, first)
            if first is None or answer is None:
                if all(shard["ShardId"] != shard_id for shard in self._shards):
                    return None
                continue
            page, following = answer["Records"], answer.get("NextShardIterator")
            planned = self._position.planned
            if planned is not None and planned.shard_id == shard_id:
                page, following = self._as_planned(page, following, planned)
            ids = [change["dynamodb"]["Keys"][PARTITION_KEY]["S"] for change in page]
            told = [change for change, one in zip(page, ids, strict=True) if is_record_id(one) or is_audited(one)]
            if told:
                return self._deliver(shard_id, first, page, following, told)
            self._iterators[shard_id] = following
            if following is None:
                self._go_on(shard_id, CLOSED, None)
                self._shards_at = float("-inf")
            if not page or following is None:
                return None

    def _lose(self, shard_id: str) -> None:
        """Leave out a shard that no longer exists, until the shards are listed again.

        That listing fails when the stream no longer exists either.
        """
        _LOG.warning("%s: shard %s is gone, with changes older than a day that were not read", self._table, shard_id)
        self._iterators.pop(shard_id, None)
        self._shards = [shard for shard in self._shards if shard["ShardId"] != shard_id]

    def _as_planned(self, page: list[Any], following: str | None, planned: Planned) -> tuple[list[Any], str | None]:
        """Exactly the changes that a dead reader had delivered, so that the batch is recognised as the same."""
        end = next((at for at, one in enumerate(page, 1) if one["dynamodb"]["SequenceNumber"] == planned.last), 0)
        if not end or end == len(page):
            return page, following
        return page[:end], self._iterator(planned.shard_id, after=planned.last)

    def _deliver(
        self, shard_id: str, first: str, page: list[Any], following: str | None, told: list[Any]
    ) -> Mapping[str, Any] | None:
        numbers = [change["dynamodb"]["SequenceNumber"] for change in page]
        self._position.planned = Planned(shard_id, numbers[-1])
        # Stored before delivery, with the earlier confirmations: after a crash the same batch comes again.
        if not self._save():
            self._forget()
            return None
        self._iterators[shard_id] = first
        self._batch = _Batch(shard_id, first, numbers[-1], following, numbers)
        # Lambda names the shard of an event where its mapping has a tumbling window (aws-facts.md §7).
        return {"Records": [_as_lambda(change, self._arn or "") for change in told], "shardId": shard_id}

    def _get_records(self, shard_id: str, iterator: str) -> Any:
        with translated("GetRecords", f"{self._table} ({shard_id})"):
            try:
                return self._client.get_records(ShardIterator=iterator, Limit=self._at_most)
            except ClientError as error:
                if error_code(error) == _GONE:
                    self._lose(shard_id)
                elif error_code(error) not in _EXPIRED:
                    raise
        self._iterators.pop(shard_id, None)
        return None

    def _iterator(self, shard_id: str, after: str | None = None) -> str | None:
        """The iterator to read on with; ``None``, and a log line, when the shard no longer exists."""
        last = after or self._position.confirmed.get(shard_id)
        where: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if last is not None:
            where = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": last}
        stream: dict[str, Any] = {"StreamArn": self._arn, "ShardId": shard_id}
        with translated("GetShardIterator", f"{self._table} ({shard_id})"):
            try:
                answer = self._client.get_shard_iterator(**stream, **where)
            except ClientError as error:
                if error_code(error) == _GONE:
                    self._lose(shard_id)
                    return None
                if error_code(error) != "TrimmedDataAccessException":
                    raise
                _LOG.warning("%s: changes older than a day are gone unread from shard %s", self._table, shard_id)
                answer = self._client.get_shard_iterator(**stream, ShardIteratorType="TRIM_HORIZON")
        return answer["ShardIterator"]

    def _readable_shards(self) -> list[str]:
        """Shards that are not read to their end, without those whose parent is not read to its end."""
        now = self._clock.monotonic()
        if now - self._shards_at >= _SHARDS_SECONDS:
            self._shards, self._shards_at = self._list_shards(), now
        open_ones = [shard for shard in self._shards if self._position.confirmed.get(shard["ShardId"]) != CLOSED]
        unfinished = {one["ShardId"] for one in open_ones}
        return [one["ShardId"] for one in open_ones if one.get("ParentShardId") not in unfinished]

    def _list_shards(self) -> list[Mapping[str, Any]]:
        arn = self._arn = self._arn or self._stream_arn()
        return list_shards(self._client, arn, subject=self._table)

    def _stream_arn(self) -> str:
        with translated("DescribeTable", self._table):
            table = self._tables.describe_table(TableName=self._table)["Table"]
        if not table.get("LatestStreamArn"):
            raise MissingResourceError(f"The table {self._table} has no stream; enable it with NEW_AND_OLD_IMAGES")
        return table["LatestStreamArn"]


def _as_lambda(change: Mapping[str, Any], arn: str) -> dict[str, Any]:
    told = dict(change["dynamodb"])
    created = told.get("ApproximateCreationDateTime")
    if isinstance(created, datetime):
        told["ApproximateCreationDateTime"] = created.timestamp()
    return {
        "eventID": change["eventID"],
        "eventName": change["eventName"],
        "eventVersion": change.get("eventVersion", "1.1"),
        "eventSource": "aws:dynamodb",
        "awsRegion": change.get("awsRegion", ""),
        "dynamodb": told,
        "eventSourceARN": arn,
    }
