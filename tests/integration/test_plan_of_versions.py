"""``keyshift plan`` where the rules file says ``versions: all``: what is carried besides the current objects."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from adapters.duckdb.saved_plan import shares_of_plan
from domain.planning.history import History
from domain.planning.shares import Share
from handlers.bootstrap.planning import read_plan
from handlers.cli.plan import plan
from handlers.config.rules_file import read_rules
from tests.inventories import BUCKET, write_rows
from tests.servers import REGION, Server, new_name

RULES = """version: 1
migration: m
source: {bucket: BUCKET}
target: {bucket: BUCKET}
versions: all
rules:
  - {name: a, from: "a/{n...}", to: "b/{n}"}
  - {name: c, from: "c/{n}", to: "b/{n}"}
"""


def version(key: str, *, size: int | None = None, is_latest: bool = False, **more: object) -> dict[str, object]:
    """One row; without a size it is a delete marker's."""
    said = {"key": key, "is_latest": is_latest, "is_delete_marker": size is None, "size": size}
    return said | ({} if size is None else {"e_tag": "e" * 32, "storage_class": "STANDARD"}) | more


ROWS = [
    version("a/1", size=1, is_latest=True),
    version("a/1", size=10),
    version("a/1", size=20, storage_class="STANDARD_IA"),
    version("a/2", is_latest=True),
    version("a/2", size=3),
    version("a/2"),
    version("a/3", size=5, is_latest=True),
    version("a/4", is_latest=True),
    version("a/5", size=5, is_latest=True),
    version("a/5", size=7 * 2**30, storage_class="GLACIER"),
    version("a/6", size=1, is_latest=True),
    version("a/6", size=2 * 2**30),
    version("other", size=5, is_latest=True),
    version("other", size=500),
    version("gone", is_latest=True),
]
GIB_SIZE = 10 + 20 + 3 + 9 * 2**30
HISTORY = History(
    versions=Share(5, GIB_SIZE),
    markers=3,
    keys=4,
    deleted=2,
    deleted_keys=1,
    storage_classes={
        "GLACIER": Share(1, 7 * 2**30),
        "STANDARD": Share(3, 13 + 2 * 2**30),
        "STANDARD_IA": Share(1, 20),
    },
    large=Share(1, 2 * 2**30),
    parts=16,
    archived=Share(1, 7 * 2**30),
    encrypted=0,
)


@pytest.fixture(autouse=True)
def _some_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "REGION": REGION}.items():
        monkeypatch.setenv(f"AWS_{name}", value)


def run(folder: Path, *arguments: str | Path, bucket: str = BUCKET) -> Result:
    """Run the command with the rules above."""
    rules = folder / "rules.yaml"
    rules.write_text(RULES.replace("BUCKET", bucket))
    return CliRunner().invoke(plan, [str(rules), *map(str, arguments)], catch_exceptions=False)


def bill(seen: Any) -> dict[str, int]:
    """The requests of each item."""
    return {line["name"]: line["requests"] for line in seen["cost"]["lines"]}


@pytest.mark.parametrize("file_format", ["CSV", "ORC", "Parquet"])
def test_an_inventory_of_all_versions_tells_the_history(tmp_path: Path, file_format: str) -> None:
    """Earlier versions and delete markers of keys that move, and what they cost; objects are counted as before."""
    manifest = write_rows(tmp_path, ROWS, file_format=file_format, files=2)
    result = run(tmp_path, "--inventory", manifest, "--json", "--out", tmp_path / "plan.parquet")
    seen = json.loads(result.stdout)
    assert seen["moving"] == {"objects": 4, "size": 12}
    assert (seen["unmapped"], seen["total"]) == ({"objects": 2, "size": 5}, 6)
    assert shares_of_plan(tmp_path / "plan.parquet", read_rules(RULES.replace("BUCKET", BUCKET))).history == HISTORY
    assert seen["history"]["versions"] == {"objects": 5, "size": GIB_SIZE}
    items = bill(seen)
    assert items["S3 copies of earlier versions"] == 3
    assert items["S3 parts of large objects"] == 16 + 2
    assert items["S3 lists of versions"] == 4 + 2 + 4
    assert items["DynamoDB writes"] == 3 * 4 + 2 * 2 + 2 * (5 + 3) + 3
    assert seen["cost"]["doubled_storage_per_month"] == pytest.approx((12 + GIB_SIZE) / 2**30 * 0.023)
    assert "current versions only" not in result.stderr


def test_a_saved_plan_tells_the_report_and_the_total(tmp_path: Path) -> None:
    """As JSON and as Parquet: the same history, and as many keys as the backfill enqueues."""
    manifest, rules = write_rows(tmp_path, ROWS), read_rules(RULES.replace("BUCKET", BUCKET))
    saved, said = tmp_path / "plan.parquet", tmp_path / "plan.json"
    said.write_text(run(tmp_path, "--inventory", manifest, "--json", "--out", saved).stdout)
    for planned in (read_plan(saved, rules), read_plan(said, rules)):
        assert planned.history == HISTORY
        assert (planned.objects, planned.rows) == (4, 4 + 2)


def test_a_listing_tells_the_history_too(standin: Server, tmp_path: Path) -> None:
    """A listing of every version."""
    bucket, s3 = new_name("bucket"), standin.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    histories: dict[str, list[bytes | None]] = {
        "a/1": [b"1", b"22"],
        "a/2": [b"1", None],
        "a/3": [b"1"],
        "other": [b"1", b"2"],
    }
    for key, bodies in histories.items():
        for body in bodies:
            if body is None:
                s3.delete_object(Bucket=bucket, Key=key)
            else:
                s3.put_object(Bucket=bucket, Key=key, Body=body)
    given = ("--endpoint-url", standin.endpoint_url)
    seen = json.loads(run(tmp_path, "--list", "--json", *given, bucket=bucket).stdout)
    assert seen["moving"] == {"objects": 2, "size": 3}
    assert seen["unmapped"] == {"objects": 1, "size": 1}
    assert {name: seen["history"][name] for name in ("versions", "markers", "keys", "deleted")} == {
        "versions": {"objects": 2, "size": 2},
        "markers": 1,
        "keys": 2,
        "deleted": 1,
    }


def test_an_inventory_of_current_versions_does_not_tell(tmp_path: Path) -> None:
    """The figures are not known, in each form; an object costs more all the same."""
    manifest = write_rows(tmp_path, [{"key": "a/1", "size": 1, "e_tag": "e" * 32, "storage_class": "STANDARD"}])
    result = run(tmp_path, "--inventory", manifest, "--html", tmp_path / "plan.html")
    page = (tmp_path / "plan.html").read_text()
    for name in ("earlier versions", "delete markers", "deleted keys"):
        (line,) = (one for one in result.stdout.splitlines() if one.strip("│ ").startswith(name))
        assert line.count("not known") == 2
        assert f"<td>{name}</td><td>not known</td>" in page
    assert "the cost of earlier versions and delete markers is not known" in result.stdout
    assert "the cost of earlier versions and delete markers is not known" in page
    assert f"warning: {manifest} lists current versions only" in result.stderr
    seen = json.loads(run(tmp_path, "--inventory", manifest, "--json").stdout)
    assert (seen["carries_versions"], seen["history"]) == (True, None)
    assert (bill(seen)["S3 reads"], bill(seen)["S3 lists of versions"], bill(seen)["DynamoDB writes"]) == (3, 1, 3)


def test_a_deleted_key_meets_others_at_its_target(tmp_path: Path) -> None:
    """Two histories cannot be carried to one key."""
    rows = [version("a/x", size=1, is_latest=True), version("c/x", is_latest=True), version("c/x", size=1)]
    result = run(tmp_path, "--inventory", write_rows(tmp_path, rows))
    assert result.exit_code == 1
    assert "COLLISION at 'b/x': 'a/x', 'c/x' would meet each other" in result.stdout


def test_the_text_has_a_line_for_each_figure(tmp_path: Path) -> None:
    """Beside those of objects; what is not preserved is said."""
    result = run(tmp_path, "--inventory", write_rows(tmp_path, ROWS))
    table = [line for line in result.stdout.splitlines() if line.startswith("│")]
    lines = {line.strip("│ ").split("  ")[0]: line.split() for line in table}
    assert "5" in lines["earlier versions"]
    assert "3" in lines["delete markers"]
    assert "2" in lines["deleted keys"]
    assert "not preserved: version ids are new" in result.stdout
    assert "1 earlier versions are archived" in result.stdout
