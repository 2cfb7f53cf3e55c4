"""``keyshift backfill --inventory`` and ``--plan`` as an operator runs them."""

import json
from pathlib import Path

import pytest

from domain.planning.total import Total
from handlers.bootstrap.inventories import total_book_of
from handlers.intake.messages import decode_message
from tests.e2e.command_line import run_keyshift
from tests.inventories import altered, data_file, write_rows
from tests.servers import Server
from tests.worlds.site import Site

pytestmark = pytest.mark.slow("runs a backfill as a process for each test")

KEYS = ("old/a b+c", "old/é%41", "old/#", "keep/me")


@pytest.fixture
def site(standin: Server, tmp_path: Path) -> Site:
    """A migration of one bucket."""
    return Site(standin, tmp_path)


def report(site: Site, folder: Path, file_format: str) -> Path:
    """An inventory of KEYS."""
    rows = [{"key": key, "size": 3, "e_tag": "e" * 32, "storage_class": "STANDARD"} for key in KEYS]
    manifest = write_rows(folder / "inventory", [{"bucket": site.name, **row} for row in rows], file_format=file_format)
    return altered(manifest, sourceBucket=site.name)


def enqueued(site: Site) -> list[str]:
    """The keys in the backfill queue, taken out."""
    queue = site.dependencies.backfill_queue
    messages = queue.receive_messages(at_most=10, wait=0)
    queue.delete_messages(messages)
    return sorted(notice.source.key for one in messages for notice in decode_message(one.body).notices)


@pytest.mark.parametrize("file_format", ["CSV", "ORC", "Parquet"])
def test_an_inventory_is_enqueued_once(site: Site, more: dict[str, str], tmp_path: Path, file_format: str) -> None:
    """Only what moves is enqueued; the same command again finds every row done."""
    manifest = str(report(site, tmp_path, file_format))
    answer = run_keyshift("backfill", "--inventory", manifest, "--json", more=more)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == {"rows": 4, "skipped": 0, "messages": 1, "move": 3, "unmapped": 1}
    assert enqueued(site) == sorted(key for key in KEYS if key.startswith("old/"))
    again = run_keyshift("backfill", "--inventory", manifest, "--json", more=more)
    assert json.loads(again.stdout) == {"rows": 0, "skipped": 4, "messages": 0}
    assert enqueued(site) == []


def test_a_dry_run_enqueues_and_remembers_nothing(site: Site, more: dict[str, str], tmp_path: Path) -> None:
    """It counts; the real run afterwards begins at the first row."""
    manifest = str(report(site, tmp_path, "CSV"))
    dry = run_keyshift("backfill", "--inventory", manifest, "--dry-run", more=more)
    assert "3 objects would be enqueued in 1 messages" in dry.stdout
    assert enqueued(site) == []
    real = run_keyshift("backfill", "--inventory", manifest, more=more)
    assert "3 objects enqueued in 1 messages" in real.stdout


def test_a_saved_plan_is_enqueued(site: Site, more: dict[str, str], tmp_path: Path) -> None:
    """A backfill can start from what ``plan --out`` saved."""
    saved = str(tmp_path / "plan.parquet")
    manifest = str(report(site, tmp_path, "Parquet"))
    rules = str(site.settings.rules_file)
    assert run_keyshift("plan", rules, "--inventory", manifest, "--out", saved, more=more).returncode == 0
    answer = run_keyshift("backfill", "--plan", saved, "--json", more=more)
    assert json.loads(answer.stdout)["move"] == 3
    assert enqueued(site) == sorted(key for key in KEYS if key.startswith("old/"))


def test_an_inventory_of_all_versions_enqueues_deleted_keys(site: Site, more: dict[str, str], tmp_path: Path) -> None:
    """Where every version is carried, also by way of a saved plan; a report of current versions is warned of."""
    rules = Path(site.settings.rules_file)
    rules.write_text(rules.read_text() + "versions: all\n")
    rows: list[dict[str, object]] = [
        {"key": "old/1", "is_latest": True, "is_delete_marker": False, "size": 3, "e_tag": "e" * 32},
        {"key": "old/2", "is_latest": True, "is_delete_marker": True},
        {"key": "old/2", "is_latest": False, "is_delete_marker": False, "size": 3, "e_tag": "e" * 32},
    ]
    manifest = altered(
        write_rows(tmp_path / "all", [{"bucket": site.name, **row} for row in rows]), sourceBucket=site.name
    )
    answer = run_keyshift("backfill", "--inventory", str(manifest), more=more)
    assert "1 objects enqueued in 1 messages\n1 deleted keys enqueued with them" in answer.stdout, answer.stderr
    assert "current versions only" not in answer.stderr
    assert enqueued(site) == ["old/1", "old/2"]
    saved = str(tmp_path / "plan.parquet")
    run_keyshift("plan", str(rules), "--inventory", str(manifest), "--out", saved, more=more)
    answer = run_keyshift("backfill", "--plan", saved, "--json", more=more)
    assert (json.loads(answer.stdout)["move"], json.loads(answer.stdout)["deleted"]) == (1, 1), answer.stderr
    assert enqueued(site) == ["old/1", "old/2"]
    current = str(report(site, tmp_path, "CSV"))
    answer = run_keyshift("backfill", "--inventory", current, more=more)
    assert f"warning: {current} lists current versions only" in answer.stderr
    assert answer.returncode == 0


def test_a_truncated_file_is_one_sentence(site: Site, more: dict[str, str], tmp_path: Path) -> None:
    """Exit code 2, the file and what is wrong with it are named, nothing is enqueued."""
    manifest = report(site, tmp_path, "CSV")
    file = data_file(manifest)
    file.write_bytes(file.read_bytes()[:-5])
    answer = run_keyshift("backfill", "--inventory", str(manifest), more=more)
    assert answer.returncode == 2
    assert len(answer.stderr.strip().splitlines()) == 1
    assert file.name in answer.stderr
    assert "truncated" in answer.stderr
    assert enqueued(site) == []


@pytest.mark.parametrize("options", [[], ["--list", "--plan", "p.parquet"], ["--plan", "nothing.parquet"]])
def test_a_source_that_cannot_be_used_is_one_sentence(more: dict[str, str], options: list[str]) -> None:
    """None, two, or one that is not there."""
    answer = run_keyshift("backfill", *options, more=more)
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr


def _planned(site: Site, more: dict[str, str], folder: Path, *keys: str) -> str:
    """A plan of these keys, always saved under one name."""
    rows = [{"bucket": site.name, "key": key, "size": 3, "e_tag": "e" * 32} for key in keys]
    manifest = altered(write_rows(folder / f"of-{len(keys)}", rows, file_format="CSV"), sourceBucket=site.name)
    saved = str(folder / "plan.parquet")
    words = ("plan", str(site.settings.rules_file), "--inventory", str(manifest), "--out", saved)
    assert run_keyshift(*words, more=more).returncode == 0
    return saved


def test_another_plan_under_the_same_name_is_enqueued(site: Site, more: dict[str, str], tmp_path: Path) -> None:
    """It was skipped with exit code 0: the checkpoint knew the name of the file alone."""
    keys = ["old/1", "old/2", "old/3"]
    for some in (keys[:2], keys):
        saved = _planned(site, more, tmp_path, *some)
        assert run_keyshift("backfill", "--plan", saved, "--json", more=more).returncode == 0
        assert enqueued(site) == some


def test_what_is_skipped_is_said_with_how_to_redo_it(site: Site, more: dict[str, str], tmp_path: Path) -> None:
    """--again begins at the first row; afterwards it is done as before."""
    saved = _planned(site, more, tmp_path, "old/1")
    run_keyshift("backfill", "--plan", saved, more=more)
    assert enqueued(site) == ["old/1"]
    skipped = run_keyshift("backfill", "--plan", saved, more=more)
    assert "1 rows were skipped" in skipped.stdout
    assert "--again" in skipped.stdout
    assert enqueued(site) == []
    again = run_keyshift("backfill", "--plan", saved, "--again", more=more)
    assert "1 objects enqueued" in again.stdout
    assert enqueued(site) == ["old/1"]
    assert "1 rows were skipped" in run_keyshift("backfill", "--plan", saved, more=more).stdout


def test_corrected_rules_read_the_same_inventory_once_more(site: Site, more: dict[str, str], tmp_path: Path) -> None:
    """What was unmapped before was never looked at again."""
    manifest = str(report(site, tmp_path, "CSV"))
    assert run_keyshift("backfill", "--inventory", manifest, more=more).returncode == 0
    enqueued(site)
    rules = site.settings.rules_file
    text = rules.read_text().replace(
        "rules:\n", 'rules:\n  - {name: more, from: "keep/{rest...}", to: "kept/{rest}"}\n'
    )
    rules.write_text(text)
    answer = run_keyshift("backfill", "--inventory", manifest, "--json", more=more)
    assert json.loads(answer.stdout)["skipped"] == 0
    assert enqueued(site) == sorted(KEYS)


def test_again_is_refused_for_a_listing(more: dict[str, str]) -> None:
    """It has no checkpoint."""
    answer = run_keyshift("backfill", "--list", "--again", more=more)
    assert answer.returncode == 2
    assert "--after" in answer.stderr


def test_the_total_is_stored_for_status(site: Site, more: dict[str, str], tmp_path: Path) -> None:
    """By an inventory at its end, by a listing too, by a plan before anything is enqueued; never by a dry run."""
    book, manifest = total_book_of(site.process), str(report(site, tmp_path, "CSV"))
    assert run_keyshift("backfill", "--inventory", manifest, "--dry-run", more=more).returncode == 0
    assert book.read_total() is None
    assert run_keyshift("backfill", "--inventory", manifest, more=more).returncode == 0
    assert book.read_total() == Total(manifest, 3, 9, is_complete=True)
    saved = tmp_path / "plan.parquet"
    plan = run_keyshift("plan", str(site.settings.rules_file), "--inventory", manifest, "--out", saved, more=more)
    assert saved.exists(), plan.stderr
    for body in (b"1234", b"12345"):
        site.put(f"old/{len(body)}", body)
    assert run_keyshift("backfill", "--list", more=more).returncode == 0
    assert book.read_total() == Total(f"listing of s3://{site.name}/", 2, 9, is_complete=True)
    waiting = len(enqueued(site))
    answer = run_keyshift("backfill", "--totals", saved, more=more)
    assert answer.returncode == 0, answer.stderr
    assert book.read_total() == Total("plan.parquet", 3, 9, is_complete=True)
    assert (waiting, enqueued(site)) == (5, [])
    resumed = run_keyshift("backfill", "--list", "--after", "old/4", more=more)
    assert (resumed.returncode, len(enqueued(site))) == (0, 1)
    assert book.read_total() == Total("plan.parquet", 3, 9, is_complete=True)
    status = json.loads(run_keyshift("status", "--json", more=more).stdout)
    assert (status["objects_to_do"], status["objects_left"], status["share"]) == (3, 3, 0.0)


def test_a_file_that_is_no_plan_stores_no_total(site: Site, more: dict[str, str], tmp_path: Path) -> None:
    """Nothing is enqueued either."""
    bad = tmp_path / "plan.json"
    bad.write_text("[]")
    site.put("old/1", b"1")
    answer = run_keyshift("backfill", "--list", "--totals", bad, more=more)
    assert answer.returncode == 2
    assert "is not a plan of 'keyshift plan --json' or '--out'" in answer.stderr
    assert (enqueued(site), total_book_of(site.process).read_total()) == ([], None)
