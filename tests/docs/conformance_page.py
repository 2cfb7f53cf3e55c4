"""Writes the table of docs/conformance.md anew: ``make conformance`` runs it on each server here."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from adapters.aws.clients import AwsClients
from adapters.conformance.bench import Options
from adapters.conformance.run import ConformanceRun
from adapters.standin import running_standin
from domain.lifecycle.conformance import Fact, Observed, Outcome
from tests.servers import REGION, Server, running_moto, running_seaweedfs, standin_server

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"
MARK = "<!-- table -->\n"
KEY = "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000001"
HEAD = ("Section", "Fact", "Needed", "Expected", "Stand-in", "moto", "SeaweedFS", "AWS")
WAIT_SECONDS = 10.0


def clients_of(server: Server) -> AwsClients:
    """The clients that the command would make there."""
    return AwsClients(
        connections=64,
        endpoint_url=server.endpoint_url,
        region=REGION,
        access_key_id=server.access_key,
        secret_access_key=server.secret_key,
    )


def observed_on(server: Server, *, prefix: str = "keyshift-conformance") -> list[Observed]:
    """Every fact there; SeaweedFS has no KMS keys."""
    key = "" if server.name == "seaweedfs" else KEY
    run = ConformanceRun(clients_of(server), Options(prefix, WAIT_SECONDS, key))
    with run:
        observed = list(run.observe())
    if run.left:
        raise RuntimeError(f"left on {server.name}: {run.left}")
    return observed


def cell_of(one: Observed) -> str:
    """What the page says of it."""
    if one.outcome is Outcome.AS_EXPECTED:
        return "yes"
    return one.seen if one.outcome is Outcome.DIFFERENT else one.outcome.value


def table_of(facts: Sequence[Fact], columns: Sequence[Mapping[str, str]]) -> str:
    """The table; a column maps the names of the facts to their cells."""
    rows = [
        (
            f"§{fact.section}",
            fact.name,
            "yes" if fact.is_vital else "",
            fact.expected,
            *(column.get(fact.name, "") for column in columns),
            "not yet run",
        )
        for fact in facts
    ]
    lines = [HEAD, ("---",) * len(HEAD), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def column_of(observed: Sequence[Observed]) -> dict[str, str]:
    """The cells of one server by the names of the facts."""
    return {one.fact.name: cell_of(one) for one in observed}


def main() -> None:
    """Run it everywhere and keep what was seen."""
    with running_standin() as standin, running_moto() as moto, running_seaweedfs() as seaweedfs:
        seen = [observed_on(server) for server in (standin_server(standin), moto, seaweedfs)]
    facts = [one.fact for one in seen[0]]
    page = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    PAGE.write_text(page + MARK + table_of(facts, [column_of(one) for one in seen]), encoding="utf-8")


if __name__ == "__main__":
    main()
