"""References, manifests, resolver and events on the stand-in, as an operator and as Lambda run them."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.dynamodb.runs import DynamoDbRunBook
from domain.audit.packs import PACK_TYPE
from domain.runs.run import Run
from domain.runs.works import Work
from handlers.bootstrap.process import Process
from handlers.bootstrap.references import manifests_of, references_of, resolver_of
from handlers.engine.outbox import respond as respond_to_changes
from handlers.operations.reference_run import ScanOptions
from handlers.operations.runs import begin_run
from handlers.operations.segments import LEAST_SEGMENTS
from handlers.reference_events import respond
from tests.e2e.command_line import assert_one_sentence, run_keyshift
from tests.servers import Server, new_name
from tests.worlds.site import Site
from tests.worlds.tables import create_referring_table

RULES = """
version: 1
migration: site
source: {{bucket: {bucket}}}
target: {{bucket: {bucket}}}
rules:
  - {{name: move, from: "old/{{rest*}}", to: "new/{{rest*}}"}}
references:
  - table: {bucket}-jobs
    key: id
    attributes: [uri, "steps[*].uri", all]
    indexes: {{by-uri: uri}}
  - manifests: ["old/{{rest*}}.manifest"]
    attributes: [source-ref]
"""


class ReferringSite(Site):
    """A site with a table of jobs and a manifest."""

    def __init__(self, server: Server, folder: Path, **settings: Any) -> None:
        super().__init__(server, folder, **settings)
        self.jobs = f"{self.name}-jobs"
        self.settings.rules_file.write_text(RULES.format(bucket=self.name), encoding="utf-8")
        self.process = Process(self.settings, clients=self.clients)  # the one before has read the other rules
        create_referring_table(self.clients, self.jobs)
        self.keys_of_access = server.keys

    def uri(self, key: str) -> str:
        """A URI in the site's bucket."""
        return f"s3://{self.name}/{key}"

    def put_job(self, number: str, **attributes: Any) -> None:
        """The application writes."""
        self.clients.dynamodb.put_item(TableName=self.jobs, Item={"id": {"S": number}, **attributes})

    def job(self, number: str) -> dict[str, Any]:
        """The item now."""
        return dict(self.clients.dynamodb.get_item(TableName=self.jobs, Key={"id": {"S": number}})["Item"])

    def migrate(self) -> None:
        """Work the events off."""
        from handlers.engine.batch import handle_messages

        while messages := self.queue(self.events).receive_messages(at_most=10, wait=1):
            handle_messages(messages, self.dependencies, seconds_left=lambda: 300.0)
            self.queue(self.events).delete_messages(messages)

    def keyshift(self, *words: str, code: int) -> list[dict[str, Any]]:
        """A command's JSON lines."""
        answer = run_keyshift(*words, "--json", more=self.environment() | self.keys_of_access)
        assert answer.returncode == code, answer.stderr
        return [json.loads(line) for line in answer.stdout.splitlines()]


@pytest.fixture
def site(standin: Server, tmp_path: Path) -> ReferringSite:
    """Three objects, one of them a manifest, and their migration."""
    made = ReferringSite(standin, tmp_path)
    made.put("old/a.tar", b"a")
    made.put("old/b.png", b"b")
    made.put(
        "old/set.manifest", b'{"source-ref": "%s", "n":1.0}\n' % made.uri("old/b.png").encode(), Metadata={"m": "1"}
    )
    return made


@pytest.mark.slow("runs many commands as processes")
def test_an_operator_rewrites_and_takes_it_back(site: ReferringSite) -> None:
    """Scan, rewrite, scan, undo on the command line: items and manifest follow, and the items go back."""
    site.put_job("1", uri={"S": site.uri("old/a.tar")}, all={"SS": [site.uri("old/b.png"), "x"]}, n={"N": "1.50"})
    before = site.job("1")
    site.migrate()
    *found, counts = site.keyshift("references", "scan", code=1)
    assert sorted(one["path"] for one in found) == ["all", "line 1 source-ref", "uri"]
    assert counts == {"counts": {"ready": 3}}
    assert site.keyshift("references", "rewrite", "--yes", code=0)[-1] == {"counts": {"rewritten": 3}}
    assert site.job("1")["uri"] == {"S": site.uri("new/a.tar")}
    assert site.read("new/set.manifest") == b'{"source-ref": "%s", "n":1.0}\n' % site.uri("new/b.png").encode()
    head = site.clients.s3.head_object(Bucket=site.name, Key="new/set.manifest")
    assert head["Metadata"] == {"m": "1"}
    assert site.keyshift("references", "scan", code=0) == [{"counts": {}}]
    assert len(site.keyshift("references", "undo", code=0)) == 3
    assert site.keyshift("references", "undo", "--yes", code=0)[-1] == {"counts": {"restored": 2}}
    now = site.job("1")
    assert sorted(now.pop("all")["SS"]) == sorted(before.pop("all")["SS"])
    assert now == before


@pytest.mark.slow("runs many commands as processes")
def test_a_scan_is_a_run_that_another_command_joins(site: ReferringSite) -> None:
    """The same lines as a scan of one process; options that all processes share are given when it begins."""
    for number in range(6):
        site.put_job(f"{number}", uri={"S": site.uri("old/a.tar")})
    site.migrate()
    alone = site.keyshift("references", "scan", "--read-units", "10000", code=1)
    shared = site.keyshift("references", "scan", "--shared", "--segments", "2", code=1)
    assert sorted(alone[:-1], key=str) == sorted(shared[:-1], key=str)
    assert (alone[-1], shared[-1]) == ({"counts": {"ready": 7}},) * 2
    book = DynamoDbRunBook(site.clients, site.name)
    openings = list(manifests_of(site.process).openings())
    slices, digest = 2 + LEAST_SEGMENTS + len(openings), site.process.rules.digest
    left = Run(Work.REFERENCES.value, "left", slices, ScanOptions(2).as_options(), rules_digest=digest, by="ana")
    assert begin_run(book, left) is None
    refused = site.keyshift("references", "scan", "--shared", code=1)
    assert "keyshift references scan --join resumes it" in refused[0]["refused"]
    assert "is chosen when a run begins" in assert_one_sentence(
        run_keyshift("references", "scan", "--join", "--segments", "3", more=site.environment() | site.keys_of_access),
        code=2,
        says="--segments",
    )
    joined = site.keyshift("references", "scan", "--join", code=1)
    assert sorted(joined[:-1], key=str) == sorted(alone[:-1], key=str)
    assert joined[-1] == alone[-1]
    assert site.keyshift("references", "scan", "--only", site.jobs, "--local", code=1)[-1] == {"counts": {"ready": 6}}


@pytest.mark.slow("runs many commands as processes")
def test_rewrites_and_undos_are_in_the_audit_chain(standin: Server, tmp_path: Path) -> None:
    """The object's history names them, and a journal entry that somebody else changed is found."""
    bucket = new_name("audit")
    standin.client("s3").create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    site = ReferringSite(standin, tmp_path, audit_bucket=bucket)
    site.put("old/a.tar", b"a")
    site.put_job("1", uri={"S": site.uri("old/a.tar")})
    site.migrate()
    site.keyshift("references", "rewrite", "--yes", code=0)
    told(site)
    assert site.keyshift("audit", "verify", code=0)[-1]["summary"]["good"]
    history = site.keyshift("audit", "show", "old/a.tar", code=0)
    (rewritten,) = [one for one in history if one["detail_type"] == "References Rewritten"]
    assert rewritten["detail"]["references"] == [
        {"place": "uri", "before": site.uri("old/a.tar"), "after": site.uri("new/a.tar")}
    ]
    (entry,) = site.clients.dynamodb.scan(
        TableName=site.name,
        FilterExpression="begins_with(pk, :journal)",
        ExpressionAttributeValues={":journal": {"S": "keyshift#reference#"}},
    )["Items"]
    forged = entry | {"entry_revision": {"N": "2"}, "written_at": {"N": "1"}}
    site.clients.dynamodb.put_item(TableName=site.name, Item=forged)
    findings = site.keyshift("audit", "verify", code=1)
    assert [one["finding"]["fault"] for one in findings[:-1]] == ["record-unaudited"]
    assert "the references of an item" in findings[0]["finding"]["text"]
    site.clients.dynamodb.put_item(TableName=site.name, Item=entry)
    site.keyshift("references", "undo", "--yes", code=0)
    told(site)
    text = run_keyshift("audit", "show", "old/a.tar", more=site.environment() | site.keys_of_access).stdout
    assert f"References Restored, table {site.jobs} id=1: uri" in text


def told(site: Site) -> None:
    """The stream handler sees every change."""
    for event in site.changes():
        assert respond_to_changes(event, site.dependencies) == {"batchItemFailures": []}


@pytest.mark.slow("runs many commands as processes")
def test_the_resolver_answers_on_the_command_line(site: ReferringSite) -> None:
    """Several URIs at once, also from standard input; exit code 1 when one has no answer."""
    site.migrate()
    answers = site.keyshift("resolve", site.uri("old/a.tar"), site.uri("new/a.tar"), code=0)
    assert [one["location"] for one in answers] == [site.uri("old/a.tar"), site.uri("new/a.tar")]
    (answer,) = site.keyshift("resolve", site.uri("old/none"), code=1)
    assert answer["fault"] == "vanished"
    text = run_keyshift(
        "resolve", more=site.environment() | site.keys_of_access, keys=f"{site.uri('old/a.tar')}\nhello\n"
    )
    assert (text.returncode, len(text.stdout.splitlines())) == (1, 2)
    assert "malformed" in text.stdout


def test_an_unknown_table_is_named(site: ReferringSite) -> None:
    """With those that are known."""
    answer = run_keyshift("references", "scan", "--only", "nope", more=site.environment() | site.keys_of_access)
    assert answer.returncode == 2
    assert site.jobs in answer.stderr


def test_pins_without_services_say_so(site: ReferringSite) -> None:
    """Nothing is asked unless the rules file says so."""
    answer = run_keyshift("pins", more=site.environment() | site.keys_of_access)
    assert (answer.returncode, answer.stdout) == (0, "no pins\n")
    assert "pins: [glue]" in answer.stderr


def test_a_copied_object_rewrites_its_references_by_event(site: ReferringSite) -> None:
    """The manifest's own stream, then the same as an event of the audit bus, alone and in a pack."""
    site.put_job("1", uri={"S": site.uri("old/a.tar")})
    references = references_of(site.process)
    assert sum(respond(event, references)["rewritten"] for event in site.changes()) == 0
    site.migrate()
    assert sum(respond(event, references)["rewritten"] for event in site.changes()) == 1
    assert site.job("1")["uri"] == {"S": site.uri("new/a.tar")}
    site.put_job("1", uri={"S": site.uri("old/a.tar")})
    detail = {"source": site.uri("old/a.tar"), "state": "COPIED", "running": False}
    assert [respond({"detail": detail}, references)["rewritten"] for _ in range(2)] == [1, 0]
    site.put_job("1", uri={"S": site.uri("old/a.tar")})
    running = {"source": site.uri("old/b.tar"), "state": "NEW", "running": True}
    pack = {"detail-type": PACK_TYPE, "detail": {"events": [{"detail": running}, {"detail": detail}]}}
    assert [respond(pack, references)["rewritten"] for _ in range(2)] == [1, 0]


def test_an_old_uri_that_is_written_again_is_rewritten_by_the_tables_stream(site: ReferringSite) -> None:
    """The event names only the item: what it holds now is what counts."""
    site.migrate()
    references = references_of(site.process)
    site.put_job("7", uri={"S": site.uri("old/b.png")})
    entry = {
        "eventSourceARN": f"arn:aws:dynamodb:us-east-1:000000000000:table/{site.jobs}/stream/now",
        "dynamodb": {"NewImage": {"id": {"S": "7"}, "uri": {"S": "stale"}}, "SequenceNumber": "1"},
    }
    assert respond({"Records": [entry]}, references) == {"batchItemFailures": [], "rewritten": 1}
    assert site.job("7")["uri"] == {"S": site.uri("new/b.png")}
    gone = {**entry, "dynamodb": {"OldImage": {"id": {"S": "7"}}, "SequenceNumber": "2"}}
    assert respond({"Records": [gone]}, references)["rewritten"] == 0


def test_the_resolver_is_a_plain_call(site: ReferringSite) -> None:
    """On real records and objects."""
    site.migrate()
    answer = resolver_of(site.process).resolve(site.uri("old/a.tar"))
    assert (answer.new_uri, str(answer.state)) == (site.uri("new/a.tar"), "COPIED")
