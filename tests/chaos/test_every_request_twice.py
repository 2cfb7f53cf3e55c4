"""The real adapters against real servers, each request of theirs arriving twice: S3's own answers, not a fake's."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import md5

import pytest

from adapters.dynamodb.manifest import DynamoDbManifest
from adapters.local.clock import SystemClock
from domain.keys import Location
from domain.protocol.attempt import Attempt, MigrationPolicy, MigrationPorts
from domain.protocol.cleanup import clean_source
from domain.protocol.migration import migrate_object
from domain.protocol.notices import Destination, Notice, NoticeKind
from domain.protocol.parts import MIN_PART_BYTES
from domain.protocol.record import Record, State
from domain.protocol.rollback import roll_back_object
from tests.chaos.proxy import FaultProxy, Troubles
from tests.servers import Server
from tests.worlds.objects import ServerWorld
from tests.worlds.tables import new_table

pytestmark = pytest.mark.slow("lives a whole life on each of two servers, with every request sent twice")

TWICE = Troubles(doubled_request=1.0)
LARGE = b"x" * MIN_PART_BYTES + b"y"
POLICY = MigrationPolicy(multipart_above=1_000_000, part_size=MIN_PART_BYTES, request_seconds=5.0, margin_seconds=1.0)


class Meddled(FaultProxy):
    """``meddle`` is called once: when a copy has been written, before the same request comes again."""

    meddle: Callable[[], object] | None = None

    def _ask(self, request: bytes) -> bytes:
        answer = super()._ask(request)
        line, _, rest = request.partition(b"\r\n")
        copies = line.startswith(b"PUT") and b"x-amz-copy-source:" in rest.lower() and b"partNumber" not in line
        completes = line.startswith(b"POST") and b"uploadId=" in line
        meddle, is_due = self.meddle, copies or completes
        if meddle is not None and is_due:
            self.meddle = None
            meddle()
        return answer


@dataclass
class Twice:
    """One object on a server, and the migration as it sees it through a proxy that sends everything again."""

    direct: ServerWorld
    proxy: Meddled
    ports: MigrationPorts
    source: Location
    target: Location
    attempts: int = 0

    def attempt(self) -> Attempt:
        """A new token."""
        self.attempts += 1
        return Attempt(f"t{self.attempts}", 60.0)

    def migrate(self, body: bytes) -> State | None:
        """A row of a listing that knew these bytes."""
        etag = md5(body, usedforsecurity=False).hexdigest()
        row = Notice(NoticeKind.LISTED, self.source, etag, size=len(body), storage_class="STANDARD")
        return migrate_object(
            row, destination=Destination(self.target, "r"), attempt=self.attempt(), ports=self.ports, policy=POLICY
        ).state

    def clean(self) -> State | None:
        """Delete the source."""
        return clean_source(
            self.source.record_id, attempt=self.attempt(), ports=self.ports, policy=POLICY, need_proof=False
        ).state

    def roll_back(self) -> State | None:
        """Bring it back."""
        return roll_back_object(self.source, self.target, attempt=self.attempt(), ports=self.ports, policy=POLICY).state

    @property
    def record(self) -> Record:
        """As it is."""
        record = self.ports.manifest.read_record(self.source.record_id)
        assert record is not None
        return record


@pytest.fixture(params=["standin", "seaweedfs"])
def twice(request: pytest.FixtureRequest, standin: Server) -> Iterator[Twice]:
    """S3 on either server, the table on the stand-in, a proxy before each."""
    server: Server = request.getfixturevalue(request.param)
    ledger, proxy = FaultProxy(standin.endpoint_url), Meddled(server.endpoint_url)
    table = new_table(standin)
    manifest = DynamoDbManifest(replace(table.clients, endpoint_url=ledger.endpoint_url), table.table)
    ledger.troubles = proxy.troubles = TWICE
    direct, seen = ServerWorld(server), ServerWorld(replace(server, endpoint_url=proxy.endpoint_url))
    bucket = direct.bucket()
    ports = MigrationPorts(seen.store, seen.multipart, manifest, SystemClock())
    yield Twice(direct, proxy, ports, Location(bucket, "old/key"), Location(bucket, "new/key"))
    proxy.close()
    ledger.close()


@pytest.mark.parametrize("body", [b"bytes", LARGE])
def test_a_whole_life_in_which_everything_comes_twice(twice: Twice, body: bytes) -> None:
    """Copied, overwritten, copied again, cleaned up and rolled back: nothing is taken for somebody else's."""
    for content in (body, body + b"!"):
        twice.direct.put(twice.source, content, metadata={"who": "owner"})
        assert twice.migrate(content) is State.COPIED
        assert twice.direct.body(twice.target) == content
    assert twice.clean() is State.CLEANED
    assert twice.direct.body(twice.source) is None
    assert twice.roll_back() is State.ROLLED_BACK
    assert twice.direct.body(twice.source) == body + b"!"
    assert twice.record.maybe == frozenset()
    assert twice.proxy.happened["doubled_request"] > 10


@pytest.mark.parametrize("before", [b"", b"older"])
@pytest.mark.parametrize("body", [b"bytes", LARGE])
def test_an_owner_who_overwrites_between_both_is_followed(twice: Twice, body: bytes, before: bytes) -> None:
    """Told of a refusal or of a success (AWS completes an upload twice), he is told of no conflict."""
    if before:
        twice.direct.put(twice.source, before)
        twice.migrate(before)
    twice.direct.put(twice.source, body)
    twice.proxy.meddle = lambda: twice.direct.put(twice.source, b"newer")
    assert twice.migrate(body) is State.COPIED
    assert twice.proxy.meddle is None
    assert twice.migrate(b"newer") is State.COPIED
    assert twice.direct.body(twice.target) == b"newer"
