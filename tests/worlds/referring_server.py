"""A migration with tables that refer to its objects, on the stand-in."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings

from adapters.aws.clients import AwsClients
from adapters.demo.provisioning import create_bucket, create_manifest_table
from adapters.local.clock import SystemClock
from domain.keys import Location
from domain.rules.compiled import CompiledRules
from domain.rules.references import Item
from handlers.bootstrap import wire_command
from handlers.bootstrap.process import Process
from handlers.bootstrap.references import references_of, resolver_of
from handlers.config.settings import Settings
from tests.fakes.faults import FaultyPort
from tests.servers import REGION, Server, new_name
from tests.worlds.referring import Referring

ON_SERVERS = settings(
    max_examples=25,  # over the fakes each has 100 and more; servers are asked whether they do the same
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # the fakes' version shrinks; here it takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class AdvancingClock(SystemClock):
    """The machine's clocks, which the test puts forward."""

    def __init__(self) -> None:
        self._offset = 0.0

    def now(self) -> float:
        """Seconds since 1970."""
        return super().now() + self._offset

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return super().monotonic() + self._offset

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._offset += seconds


@dataclass(frozen=True)
class ReferringServer:
    """The stand-in and its clients: making clients takes longer than an example."""

    clients: AwsClients
    clock: AdvancingClock

    @classmethod
    def of(cls, server: Server) -> "ReferringServer":
        """Its clients have one clock with the migration, as in a process of its own."""
        clock = AdvancingClock()
        clients = AwsClients(
            endpoint_url=server.endpoint_url,
            region=REGION,
            access_key_id=server.access_key,
            secret_access_key=server.secret_key,
            monotonic=clock.monotonic,
        )
        return cls(clients, clock)


class ServerReferringWorld(Referring):
    """A new bucket, a new manifest and a new, empty table for each that the rules name, on the stand-in."""

    def __init__(self, server: ReferringServer, rules: CompiledRules) -> None:
        super().__init__()
        self._clients, self.clock = server.clients, server.clock
        bucket, manifest = new_name("line"), new_name("manifest")
        side = replace(rules.source, bucket=bucket)
        self._tables = {one.table: f"{manifest}-{one.table}" for one in rules.references.tables}
        tables = tuple(replace(one, table=self._tables[one.table]) for one in rules.references.tables)
        self.rules = replace(rules, source=side, target=side, references=replace(rules.references, tables=tables))
        create_bucket(self._clients, bucket)
        create_manifest_table(self._clients, manifest)
        for one in tables:
            self._clients.dynamodb.create_table(
                TableName=one.table,
                AttributeDefinitions=[{"AttributeName": one.key[0], "AttributeType": "S"}],
                KeySchema=[{"AttributeName": one.key[0], "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
            )
        settings = Settings(rules_file=Path("unread"), table=manifest, region=REGION)
        process = Process(settings, rules=self.rules, clients=self._clients)
        ports = wire_command(process, function="references").ports
        references, resolver = references_of(process), resolver_of(process)
        store, records = FaultyPort(ports.store), FaultyPort(ports.manifest)
        items = FaultyPort(references.ports.tables)
        real: Any = {"store": store, "manifest": records}
        self.faults = {"tables": items, **real}
        self.stages = resolver.stages
        self.migration_ports = replace(ports, clock=self.clock, **real)
        made: Any = {"tables": items, "journal": items, **real}
        self.references = replace(references, ports=replace(references.ports, clock=self.clock, **made))
        self.resolver = replace(resolver, **real)

    def write(self, place: Location, body: bytes) -> None:
        """See Referring."""
        self._clients.s3.put_object(Bucket=place.bucket, Key=place.key, Body=body)

    def body(self, place: Location) -> bytes | None:
        """See Referring."""
        try:
            return self._clients.s3.get_object(Bucket=place.bucket, Key=place.key)["Body"].read()
        except self._clients.s3.exceptions.NoSuchKey:
            return None

    def write_item(self, table: str, item: Item) -> None:
        """See Referring."""
        self._clients.dynamodb.put_item(TableName=self._tables[table], Item=dict(item))

    def stored(self, table: str) -> list[dict[str, Any]]:
        """See Referring."""
        name = self._tables[table]
        (key,) = next(one.key for one in self.rules.references.tables if one.table == name)
        items = self._clients.dynamodb.scan(TableName=name, ConsistentRead=True)["Items"]
        return sorted((dict(item) for item in items), key=lambda item: str(item[key]))


def in_bucket(value: Any, bucket: str) -> Any:
    """The same item with URIs of another bucket."""
    if isinstance(value, dict):
        return {name: in_bucket(one, bucket) for name, one in value.items()}
    if isinstance(value, list):
        return [in_bucket(one, bucket) for one in value]
    return value.replace("line-1", bucket) if isinstance(value, str) else value
