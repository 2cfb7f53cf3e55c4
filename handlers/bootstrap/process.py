"""What a process has once: its settings, its rules and its AWS clients."""

from functools import cached_property

from adapters.aws.clients import AwsClients
from adapters.s3.requests import Owners
from domain.rules.compiled import CompiledRules
from handlers.config.rules_file import load_rules
from handlers.config.settings import Settings


class Process:
    """Shared by everything that is wired in a process; the rules are read, and a session opened, at the first use."""

    def __init__(
        self, settings: Settings, *, rules: CompiledRules | None = None, clients: AwsClients | None = None
    ) -> None:
        self.settings = settings
        if rules is not None:
            self.rules = rules
        if clients is not None:
            self.clients = clients

    @cached_property
    def rules(self) -> CompiledRules:
        """The rules of this process; raises RulesError for a file that cannot be read."""
        return load_rules(self.settings.rules_file)

    @cached_property
    def clients(self) -> AwsClients:
        """The clients of this process; a request that changes S3 times out before its claim ends."""
        return AwsClients(
            connections=2 * self.settings.concurrency + 8,
            request_seconds=self.settings.request_seconds * 0.9,
            endpoint_url=self.settings.endpoint_url,
            region=self.settings.region,
            lane=self.settings.lane == "lean",
        )

    @property
    def table(self) -> str:
        """The name of the manifest table."""
        return self.settings.table

    @property
    def owners(self) -> Owners:
        """The accounts that the rules expect the buckets to belong to."""
        return owners_of(self.rules)


def owners_of(rules: CompiledRules) -> Owners:
    """The accounts of the buckets, by the rules, who pays for requests, and who controls what is written."""
    sides = (rules.source, rules.target)
    accounts = {side.bucket: side.expected_owner for side in sides if side.expected_owner is not None}
    pays = frozenset(side.bucket for side in sides if side.requester_pays)
    return Owners(accounts, pays, frozenset({rules.target_bucket} if rules.grants_full_control else ()))
