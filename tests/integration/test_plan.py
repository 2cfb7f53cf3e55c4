"""``keyshift plan`` on whole inventories of each format, and on a listing."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result

from adapters.aws.clients import AwsClients
from adapters.duckdb.saved_plan import shares_of_plan
from adapters.inventory.files import opened_inventory
from adapters.inventory.rows import read_rows
from domain.errors import InputError
from handlers.bootstrap.planning import plan_rows
from handlers.cli.plan import plan
from handlers.config.rules_file import read_rules
from tests.inventories import BUCKET, altered, write_inventory, write_rows
from tests.servers import REGION, Server, new_name

RULES = """version: 1
migration: m
source: {bucket: BUCKET}
target: {bucket: BUCKET}
rules:
  - {name: a, from: "a/{n...}", to: "b/{n}"}
  - {name: c, from: "c/{n*}", to: "b/{n}"}
"""
FORMATS = ["CSV", "ORC", "Parquet"]
SEALS = ("encryption_status", "object_lock_mode", "object_lock_retain_until_date", "object_lock_legal_hold_status")
COMPILED = read_rules(RULES.replace("BUCKET", BUCKET))
GIB = 2**30


@pytest.fixture(autouse=True)
def _some_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "REGION": REGION}.items():
        monkeypatch.setenv(f"AWS_{name}", value)


def run(folder: Path, *arguments: str | Path, bucket: str = BUCKET, more_rules: str = "") -> Result:
    """Run the command with the rules above."""
    rules = folder / "rules.yaml"
    rules.write_text(RULES.replace("BUCKET", bucket) + more_rules)
    return CliRunner().invoke(plan, [str(rules), *map(str, arguments)], catch_exceptions=False)


def planned(folder: Path, manifest: Path, *arguments: str | Path) -> Any:
    """What the command prints for machines."""
    result = run(folder, "--inventory", manifest, "--json", *arguments)
    assert result.exit_code in {0, 1}, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("file_format", FORMATS)
def test_every_format_gives_the_same_figures(tmp_path: Path, file_format: str) -> None:
    """Objects and bytes per rule, special ones, and what no rule matches, from two files."""
    rows = [
        {"key": "a/1", "size": 10, "storage_class": "STANDARD", "encryption_status": "SSE-S3"},
        {"key": "a/2", "size": 6 * GIB, "is_multipart_uploaded": True, "encryption_status": "SSE-KMS"},
        {"key": "c/3", "size": 5, "storage_class": "GLACIER", "object_lock_legal_hold_status": "On"},
        {
            "key": "c/4",
            "size": 5,
            "intelligent_tiering_access_tier": "ARCHIVE_ACCESS",
            "object_lock_mode": "GOVERNANCE",
        },
        {"key": "logs/1.gz", "size": 1},
        {"key": "logs/22.gz", "size": 1},
        {"key": "other", "size": 1},
    ]
    seen = planned(tmp_path, write_rows(tmp_path, rows, file_format=file_format, files=2))
    assert seen["rules"] == {"a": {"objects": 2, "size": 6 * GIB + 10}, "c": {"objects": 2, "size": 10}}
    assert seen["unmapped"] == {"objects": 3, "size": 3}
    assert [(one["shape"], one["objects"]) for one in seen["shapes"]] == [("logs/<n>.gz", 2), ("other", 1)]
    assert (seen["large"]["objects"], seen["in_parts"]["objects"], seen["archived"]["objects"]) == (1, 1, 2)
    assert (seen["locked"], seen["parts"], seen["encryption"]["SSE-KMS"]) == (2, 48, 1)
    assert (seen["total"], seen["safe"]) == (7, True)
    assert any("locked" in note for note in seen["fidelity"])


PLAIN = dict.fromkeys(SEALS, "") | {"encryption_status": "SSE-S3", "storage_class": "STANDARD"}
NO_KEY_NO_LOCK = {"encryption": "AES256", "object_lock": "none"}


@pytest.mark.parametrize(
    ("last", "promises"),
    [
        ({}, {"storage_class": "STANDARD"} | NO_KEY_NO_LOCK),
        ({"storage_class": "STANDARD_IA"}, NO_KEY_NO_LOCK),
        ({"encryption_status": "SSE-KMS"}, {"storage_class": "STANDARD"}),
        ({"object_lock_legal_hold_status": "ON"}, {"storage_class": "STANDARD"}),
    ],
)
def test_promises_that_every_object_keeps_are_offered(
    tmp_path: Path, last: dict[str, str], promises: dict[str, str]
) -> None:
    """With the line for the rules file, which can be read; one object that breaks one is enough."""
    rows = [{"key": f"a/{number}", "size": 1, **PLAIN} for number in range(3)]
    manifest = write_rows(tmp_path, [*rows, {"key": "a/9", "size": 1, **PLAIN, **last}])
    assert planned(tmp_path, manifest)["promises"] == promises
    named = "".join(f", {name}: {value}" for name, value in promises.items())
    offer = f"source: {{bucket: {BUCKET}{named}}}"
    assert offer in run(tmp_path, "--inventory", manifest).stdout
    promising = RULES.replace("source: {bucket: BUCKET}", offer).replace("BUCKET", BUCKET)
    assert read_rules(promising).promised_plain is ("encryption" in promises)


@pytest.mark.parametrize(
    ("choice", "name", "entries"),
    [("", "EventBridge, full packs", 3), ("audit: {events: single}\n", "EventBridge, single events", 120)],
)
def test_the_bill_has_the_audit_events_as_the_rules_choose_them(
    tmp_path: Path, choice: str, name: str, entries: int
) -> None:
    """Two events for each of 60 objects, 50 in a pack or each by itself."""
    manifest = write_rows(tmp_path, [{"key": f"a/{number}", "size": 1} for number in range(60)])
    answer = run(tmp_path, "--inventory", manifest, "--json", more_rules=choice)
    lines = {line["name"]: line["requests"] for line in json.loads(answer.stdout)["cost"]["lines"]}
    assert {one: number for one, number in lines.items() if one.startswith("EventBridge")} == {name: entries}


def test_what_an_inventory_does_not_say_is_not_offered(tmp_path: Path) -> None:
    """Without the columns of a lock nothing is known of it."""
    row = {"key": "a/1", "size": 1, "encryption_status": "SSE-S3", "storage_class": "STANDARD"}
    assert planned(tmp_path, write_rows(tmp_path, [row]))["promises"] == {"storage_class": "STANDARD"}


@pytest.mark.parametrize("file_format", FORMATS)
def test_old_versions_and_delete_markers_do_not_move(tmp_path: Path, file_format: str) -> None:
    """Only the current version of each key counts, one without a version id too."""
    rows: list[dict[str, object]] = [
        {"key": "a/1", "version_id": "v2", "is_latest": True, "is_delete_marker": False, "size": 1},
        {"key": "a/1", "version_id": "v1", "is_latest": False, "is_delete_marker": False, "size": 100},
        {"key": "a/2", "version_id": "v4", "is_latest": True, "is_delete_marker": True},
        {"key": "a/2", "version_id": "v3", "is_latest": False, "is_delete_marker": False, "size": 100},
        {"key": "a/3", "version_id": "null", "is_latest": True, "is_delete_marker": False, "size": 2},
        {"key": "a/4", "version_id": None, "is_latest": True, "is_delete_marker": False, "size": 3},
    ]
    seen = planned(tmp_path, write_rows(tmp_path, rows, file_format=file_format))
    assert (seen["total"], seen["moving"]) == (3, {"objects": 3, "size": 6})


@pytest.mark.parametrize("file_format", FORMATS)
def test_only_csv_keys_are_decoded(tmp_path: Path, file_format: str) -> None:
    """Spaces, plus and percent signs, line feeds, quotes and other alphabets arrive as they are in S3."""
    keys = ["a/b c", "a/b+c", "a/b%20c", "a/é\u4e2d𝄞", "a/x\ny", 'a/"q"', "a/,", "a/'", "a/%", "a/b%2Bc"]
    manifest = write_rows(tmp_path, [{"key": key} for key in keys], file_format=file_format)
    planned(tmp_path, manifest, "--out", tmp_path / "plan.parquet")
    rows = duckdb.connect().execute(f"SELECT key, target FROM '{tmp_path}/plan.parquet'").fetchall()  # noqa: S608
    assert sorted(rows) == sorted((key, "b" + key[1:]) for key in keys)


@pytest.mark.parametrize("file_format", FORMATS)
def test_only_bucket_and_key_must_be_there(tmp_path: Path, file_format: str) -> None:
    """Without the optional columns what they would say is unknown, not wrong."""
    seen = planned(tmp_path, write_rows(tmp_path, [{"key": "a/1"}], file_format=file_format))
    assert seen["moving"] == {"objects": 1, "size": 0}
    assert seen["storage_classes"] == {"unknown": {"objects": 1, "size": 0}}


def test_collisions_name_all_their_keys(tmp_path: Path) -> None:
    """Two rules that meet, and an object that is there already; exit code 1."""
    rows = [{"key": key} for key in ("a/1", "c/1", "a/2", "b/2", "a/3", "b/4")]
    manifest = write_rows(tmp_path, rows)
    seen = planned(tmp_path, manifest)
    assert seen["collisions"] == [
        {"target": "b/1", "keys": ["a/1", "c/1"], "occupied": False},
        {"target": "b/2", "keys": ["a/2", "b/2"], "occupied": True},
    ]
    assert (seen["colliding_targets"], seen["safe"]) == (2, False)
    result = run(tmp_path, "--inventory", manifest)
    assert result.exit_code == 1
    assert "COLLISION at 'b/1': 'a/1', 'c/1' would meet each other" in result.stdout
    assert "COLLISION at 'b/2': 'a/2', 'b/2' would meet an object that is there already" in result.stdout


@pytest.mark.parametrize("file_format", FORMATS)
def test_data_lake_tables_are_named_until_the_rules_file_accepts_them(tmp_path: Path, file_format: str) -> None:
    """By their folders, however many files they have; a folder accepts what lies below it."""
    keys = ["a/t/_delta_log/0.json", "a/ice/metadata/v1.metadata.json", "a/plain.csv"]
    keys += [f"a/hive/dt={day}/{number}.csv" for day in range(3) for number in range(2)]
    manifest = write_rows(tmp_path, [{"key": key} for key in keys], file_format=file_format)
    seen = planned(tmp_path, manifest)
    assert seen["lake_tables"] == [
        {"root": "a/hive/", "format": "Hive"},
        {"root": "a/ice/", "format": "Iceberg"},
        {"root": "a/t/", "format": "Delta Lake"},
    ]
    assert seen["lake_table_count"] == 3
    note = (
        "data-lake tables: Hive table 'a/hive/', Iceberg table 'a/ice/', Delta Lake table 'a/t/'. Metadata or a catalog"
    )
    assert any(one.startswith(note) for one in seen["fidelity"])
    accepting = "cleanup: {lake_tables: [a/t, a/ice/]}\n"
    result = run(tmp_path, "--inventory", manifest, "--json", more_rules=accepting)
    assert [one["root"] for one in json.loads(result.stdout)["lake_tables"]] == ["a/hive/"]
    result = run(tmp_path, "--inventory", manifest, "--json", more_rules="cleanup: {lake_tables: [/]}\n")
    assert json.loads(result.stdout)["lake_table_count"] == 0


def test_many_tables_are_counted(tmp_path: Path) -> None:
    """Twenty are told, the number is of all."""
    manifest = write_rows(tmp_path, [{"key": f"a/{number}/dt=1/a"} for number in range(33)])
    seen = planned(tmp_path, manifest)
    assert (len(seen["lake_tables"]), seen["lake_table_count"]) == (20, 33)
    assert "and 30 more" in run(tmp_path, "--inventory", manifest).stdout


def test_two_keys_of_one_rule_may_collide(tmp_path: Path) -> None:
    """A rule that drops a text joins what differed only in it."""
    rules = tmp_path / "lossy.yaml"
    head = f"version: 1\nmigration: m\nsource: {{bucket: {BUCKET}}}\ntarget: {{bucket: {BUCKET}}}\n"
    rules.write_text(head + 'rules: [{name: a, from: "a/{x}/{y}", to: "b/{y}"}]\n')
    manifest = write_rows(tmp_path, [{"key": "a/1/k"}, {"key": "a/2/k"}, {"key": "a/2/l"}])
    result = CliRunner().invoke(plan, [str(rules), "--inventory", str(manifest), "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["collisions"] == [{"target": "b/k", "keys": ["a/1/k", "a/2/k"], "occupied": False}]


def test_more_collisions_than_are_shown_are_counted(tmp_path: Path) -> None:
    """Twenty are shown, the number is of all."""
    rows: list[dict[str, object]] = [{"key": f"{letter}/{number}"} for number in range(33) for letter in "ac"]
    manifest = write_rows(tmp_path, rows)
    seen = planned(tmp_path, manifest)
    assert (len(seen["collisions"]), seen["colliding_targets"]) == (20, 33)
    assert "... and 13 more targets with collisions" in run(tmp_path, "--inventory", manifest).stdout


def test_an_impossible_key_is_rejected(tmp_path: Path) -> None:
    """A target above 1,024 bytes is no key: exit code 1, with the key."""
    rules = tmp_path / "long.yaml"
    head = f"version: 1\nmigration: m\nsource: {{bucket: {BUCKET}}}\ntarget: {{bucket: {BUCKET}}}\n"
    rules.write_text(head + 'rules: [{name: a, from: "a/{x*}", to: "longer/{x}"}]\n')
    key = "a/" + "x" * 1020
    manifest = write_rows(tmp_path, [{"key": key}, {"key": "a/1"}])
    result = CliRunner().invoke(plan, [str(rules), "--inventory", str(manifest), "--json"])
    seen = json.loads(result.stdout)
    assert (result.exit_code, seen["rejected"]["objects"], seen["rejected_examples"]) == (1, 1, [key])


def test_a_saved_plan_has_the_same_figures(tmp_path: Path) -> None:
    """--out changes nothing that is said, and the file has every row with its target."""
    manifest = write_inventory(tmp_path, file_format="Parquet", rows=2000)
    rules = "migrations/edge-cv-portal.yaml"
    out = tmp_path / "it's.parquet"
    plain, saved = (
        CliRunner().invoke(plan, [rules, "--inventory", str(manifest), "--json", *more]).stdout
        for more in ([], ["--out", str(out)])
    )
    assert json.loads(plain) == json.loads(saved)
    count = duckdb.connect().read_parquet(str(out)).filter("target IS NOT NULL").shape[0]
    assert count == json.loads(plain)["moving"]["objects"] == 1000


def test_the_page_escapes_every_key_and_needs_nothing_else(tmp_path: Path) -> None:
    """A key is text even where it looks like a script; no address is fetched."""
    keys = ("a/<script>1</script>", "c/<script>1</script>", "<b>&")
    manifest = write_rows(tmp_path, [{"key": key} for key in keys])
    page = tmp_path / "plan.html"
    planned(tmp_path, manifest, "--html", page)
    text = page.read_text()
    assert "<script" not in text
    assert "a/&lt;script&gt;1&lt;/script&gt;" in text
    assert "&lt;b&gt;&amp;" in text
    assert not any(word in text for word in ("http:", "https:", "src=", "href="))


def test_the_users_prices_are_in_the_bill(tmp_path: Path) -> None:
    """A file of prices replaces the default ones, and its date is said."""
    manifest = write_rows(tmp_path, [{"key": f"a/{number}"} for number in range(100)])
    prices = tmp_path / "prices.yaml"
    prices.write_text("as_of: '2027-02-03'\ncopy_per_million: 1000000\n")
    seen = planned(tmp_path, manifest, "--prices", prices)
    assert seen["cost"]["prices_as_of"] == "2027-02-03"
    assert seen["cost"]["lines"][0] == {"name": "S3 copies", "requests": 100, "dollars": 100.0}
    assert "2027-02-03" in run(tmp_path, "--inventory", manifest, "--prices", prices).stdout


def test_a_listing_gives_the_figures_too(tmp_path: Path, standin: Server) -> None:
    """--list looks at the source bucket itself, and collisions are found in it."""
    bucket = new_name()
    client = standin.client("s3")
    client.create_bucket(Bucket=bucket)
    for key in ("a/1", "c/1", "a/é +%", "b/x", "other"):
        client.put_object(Bucket=bucket, Key=key, Body=b"12345")
    result = run(tmp_path, "--list", "--json", "--endpoint-url", standin.endpoint_url, bucket=bucket)
    seen = json.loads(result.stdout)
    assert (result.exit_code, seen["total"], seen["moving"]) == (1, 5, {"objects": 3, "size": 15})
    assert [one["keys"] for one in seen["collisions"]] == [["a/1", "c/1"]]


@pytest.mark.parametrize("file_format", FORMATS)
def test_an_inventory_in_s3_is_fetched_and_verified(tmp_path: Path, standin: Server, file_format: str) -> None:
    """The manifest's own destination bucket has the data files; a changed one is refused."""
    bucket = new_name()
    client = standin.client("s3")
    client.create_bucket(Bucket=bucket)
    manifest = write_rows(tmp_path, [{"key": "a/1", "size": 3}], file_format=file_format)
    altered(manifest, destinationBucket=f"arn:aws:s3:::{bucket}")
    for name in ("manifest.json", "manifest.checksum"):
        client.put_object(Bucket=bucket, Key=f"all/2026/{name}", Body=manifest.with_name(name).read_bytes())
    (data,) = (tmp_path / "data").iterdir()
    client.put_object(Bucket=bucket, Key=f"all/data/{data.name}", Body=data.read_bytes())
    place = f"s3://{bucket}/all/2026/manifest.json"
    result = run(tmp_path, "--inventory", place, "--json", "--endpoint-url", standin.endpoint_url)
    assert json.loads(result.stdout)["moving"] == {"objects": 1, "size": 3}
    client.put_object(Bucket=bucket, Key=f"all/data/{data.name}", Body=data.read_bytes()[:-1])
    with pytest.raises(InputError, match="truncated"):
        run(tmp_path, "--inventory", place, "--json", "--endpoint-url", standin.endpoint_url)


@pytest.mark.parametrize("file_format", FORMATS)
def test_early_deletion_is_in_the_bill(tmp_path: Path, file_format: str) -> None:
    """Each class counts the days that its youngest objects miss, by the inventory's own date; old ones cost nothing."""
    rows = [
        {"key": "a/1", "size": 30 * GIB, "storage_class": "STANDARD_IA", "last_modified_date": "2025-11-12 01:00:00"},
        {"key": "a/2", "size": 9 * GIB, "storage_class": "STANDARD_IA", "last_modified_date": "2024-01-01 00:00:00"},
        {"key": "a/3", "size": 2 * GIB, "storage_class": "DEEP_ARCHIVE", "last_modified_date": "2025-11-22 01:00:00"},
        {"key": "a/4", "size": GIB, "storage_class": "STANDARD_IA"},
        {"key": "a/5", "size": GIB, "storage_class": "STANDARD", "last_modified_date": "2025-11-22 01:00:00"},
    ]
    seen = planned(tmp_path, write_rows(tmp_path, rows, file_format=file_format))
    (line,) = [one for one in seen["cost"]["lines"] if one["name"].startswith("early deletion")]
    assert line["dollars"] == pytest.approx(30 * 20 / 30 * 0.0125 + 2 * 180 / 30 * 0.00099, abs=0.005)
    assert any("the age of 1 of them is not known" in note for note in seen["fidelity"])


def test_the_bill_counts_the_parts_that_the_workers_copy(tmp_path: Path) -> None:
    """A worker cuts above 1 GiB, and copies what was uploaded in parts in parts; the plan asks the same settings."""
    rows: list[dict[str, object]] = [
        {"key": "a/1", "size": 3 * GIB},
        {"key": "a/2", "size": GIB},
        {"key": "a/3", "size": 10, "is_multipart_uploaded": True},
        {"key": "a/4", "size": 0, "is_multipart_uploaded": True},
    ]
    manifest = write_rows(tmp_path, rows)
    seen = planned(tmp_path, manifest)
    assert (seen["large"], seen["parts"]) == ({"objects": 2, "size": 3 * GIB + 10}, 25)
    lines = {line["name"]: line["requests"] for line in seen["cost"]["lines"]}
    assert (lines["S3 copies"], lines["S3 parts of large objects"]) == (2, 25 + 4)
    asked = planned(tmp_path, manifest, "--multipart-above", str(4 * GIB), "--part-size", str(5 * 2**20))
    assert (asked["large"]["objects"], asked["parts"]) == (1, 1)
    saved = planned(tmp_path, manifest, "--out", tmp_path / "plan.parquet")
    assert saved["parts"] == shares_of_plan(tmp_path / "plan.parquet", COMPILED).parts == 25


def test_an_archived_object_is_neither_copied_nor_cut(tmp_path: Path) -> None:
    """It is parked, however large it is; a saved plan says the same."""
    rows: list[dict[str, object]] = [
        {"key": "a/1", "size": 3 * GIB, "storage_class": "GLACIER"},
        {"key": "a/2", "size": 3 * GIB, "storage_class": "STANDARD"},
    ]
    seen = planned(tmp_path, write_rows(tmp_path, rows), "--out", tmp_path / "plan.parquet")
    saved = shares_of_plan(tmp_path / "plan.parquet", COMPILED)
    assert (seen["large"]["objects"], seen["archived"]["objects"], seen["parts"]) == (1, 1, 24)
    assert (saved.large.objects, saved.archived.objects, saved.parts) == (1, 1, 24)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_saved_plan_rules_out_what_its_inventory_does(tmp_path: Path, file_format: str) -> None:
    """A KMS key and a lock, in every spelling, row by row."""
    values = product(
        ("", None, "SSE-S3", "SSE-KMS", "DSSE-KMS", "NOT-SSE"),
        ("", None, "GOVERNANCE"),
        ("", None, "2026-11-22T01:00:00.000Z"),
        ("", None, "OFF", "Off", "ON"),
    )
    rows = [dict(zip(SEALS, one, strict=True)) | {"key": f"a/{number}"} for number, one in enumerate(values)]
    manifest = write_rows(tmp_path, rows, file_format=file_format)
    planned(tmp_path, manifest, "--out", tmp_path / "plan.parquet")
    with opened_inventory(str(manifest), AwsClients(region=REGION)) as local:
        (path,) = local.paths.values()
        known = {row.key: row.is_plain for row in read_rows(path, local.inventory) if row is not None}
    with plan_rows(tmp_path / "plan.parquet", BUCKET) as (_, files):
        (read,) = files.values()
        assert {row.key: row.is_plain for row in read(0) if row is not None} == known
    assert 0 < sum(known.values()) < len(rows)
