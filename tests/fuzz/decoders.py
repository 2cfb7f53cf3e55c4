"""Every decoder of outside input, with what it may be fed and the errors that are an answer; anything else is a bug."""

import gzip
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import md5
from pathlib import Path
from typing import Any

from adapters.inventory.files import opened_inventory
from adapters.inventory.rows import plan_inventory, read_rows
from domain.errors import KeyshiftError
from domain.keys import Location
from domain.planning.inventory import read_inventory_manifest
from domain.runs.works import Work
from handlers.config.rules_file import read_rules
from handlers.intake.messages import decode_message
from handlers.intake.stage_tasks import StageTask, encode_stage_task, stage_task_of
from tests.fuzz import deeper
from tests.fuzz.growing import Dice, damaged, damaged_bytes, grown_text
from tests.inventories import write_rows

EVENTS = Path(__file__).parent.parent / "events"
MIGRATIONS = Path(__file__).parents[2] / "migrations"
_BACKFILL = {
    "v": 1,
    "kind": "backfill",
    "migration": "m",
    "bucket": "b",
    "rows": [
        {"key": "old/a b+c%2F", "etag": "d41d8", "size": 5, "version_id": "v1", "storage_class": "STANDARD"},
        {"key": "old/\n", "sequencer": "0055AED6DCD90281E5"},
    ],
}
_ROWS: list[dict[str, object]] = [
    {"key": f"training-output/job{number}/a b+%2F.bin", "size": number, "e_tag": f"{number:032x}", "is_latest": True}
    for number in range(50)
]


@dataclass(frozen=True, slots=True)
class Decoder:
    """One decoder: ``feed`` makes an input of the dice and decodes it; only KeyshiftErrors are an answer."""

    name: str
    feed: Callable[[Dice], None]

    def try_once(self, dice: Dice) -> None:
        """Feed it once."""
        try:
            self.feed(dice)
        except KeyshiftError as error:
            if not str(error).strip():
                raise AssertionError("a refusal must say why") from error


@cache
def recorded() -> tuple[Any, ...]:
    """Every recorded body, and a body of our own."""
    return (*(json.loads(path.read_text()) for path in sorted(EVENTS.glob("*.json"))), _BACKFILL)


@cache
def _inventories() -> Mapping[str, tuple[str, bytes]]:
    """For each format, the manifest's text and the data file's bytes of a small report."""
    found = {}
    for file_format in ("CSV", "ORC", "Parquet"):
        with tempfile.TemporaryDirectory() as folder:
            manifest = write_rows(Path(folder), _ROWS, file_format=file_format)
            name = Path(json.loads(manifest.read_text())["files"][0]["key"]).name
            (data,) = (path for path in Path(folder).rglob(name))
            found[file_format] = (manifest.read_text(), data.read_bytes())
    return found


def feed_message(dice: Dice) -> None:
    """A queue message, whatever its shape; every key that comes out can be put into a request."""
    bodies = recorded()
    decoded = decode_message(grown_text(bodies[dice.below(len(bodies))], dice))
    for notice in decoded.notices:
        assert isinstance(notice.source, Location)
        assert notice.source.key.encode()
        assert notice.size is None or notice.size >= 0


def feed_stage_task(dice: Dice) -> None:
    """A message of stage work; what comes out is written again as it was read."""
    body = json.loads(encode_stage_task(StageTask("m", Work.VERIFY, "run", part=1, lost_slice=2, cursor="c", why="w")))
    task = stage_task_of(grown_text(body, dice))
    assert task is None or stage_task_of(encode_stage_task(task)) == task


def feed_manifest(dice: Dice) -> None:
    """An inventory's manifest.json."""
    formats = sorted(_inventories())
    text = _inventories()[formats[dice.below(3)]][0]
    inventory = read_inventory_manifest(grown_text(json.loads(text), dice), name="manifest.json")
    assert all(isinstance(column, str) for column in inventory.columns)


def feed_rows(dice: Dice) -> None:
    """A data file with changed bytes (a wrong MD5 is refused before: here it is made to fit)."""
    file_format = sorted(_inventories())[dice.below(3)]
    text, data = _inventories()[file_format]
    if file_format == "CSV":
        lines = gzip.decompress(data).decode()
        data = gzip.compress(damaged(lines, dice).encode(errors="surrogatepass")) if dice.below(3) else data
    data = damaged_bytes(data, dice) if dice.below(3) == 0 or file_format != "CSV" else data
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        content = json.loads(text)
        content["files"][0] |= {"key": "x/data/0", "size": len(data), "MD5checksum": md5(data).hexdigest()}  # noqa: S324
        (folder / "0").write_bytes(data)
        sealed = json.dumps(content).encode()
        (folder / "manifest.json").write_bytes(sealed)
        (folder / "manifest.checksum").write_text(md5(sealed).hexdigest())  # noqa: S324
        with opened_inventory(str(folder / "manifest.json"), None) as local:
            for listed in read_rows(local.paths["x/data/0"], local.inventory, start=dice.below(60)):
                if listed is not None:
                    assert isinstance(listed.key, str)
                    assert listed.key
                    assert listed.size is None or listed.size >= 0


def feed_saved_plan(dice: Dice) -> None:
    """A saved plan that is no such thing."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "plan.parquet")
        path.write_bytes(damaged_bytes(_inventories()["Parquet"][1], dice))
        for _ in read_rows(path, plan_inventory(path, "b")):
            pass


def feed_rules(dice: Dice) -> None:
    """A rules file with damaged text; what compiles must map any key to an answer."""
    paths = sorted(MIGRATIONS.rglob("*.yaml"))
    compiled = read_rules(damaged(paths[dice.below(len(paths))].read_text(), dice))
    compiled.map_key("datasets//training-output/j1/output/model.tar.gz")


DECODERS = (
    Decoder("messages", feed_message),
    Decoder("stage-tasks", feed_stage_task),
    Decoder("inventory-manifest", feed_manifest),
    Decoder("inventory-rows", feed_rows),
    Decoder("saved-plan", feed_saved_plan),
    Decoder("rules-file", feed_rules),
    Decoder("batch-operations", deeper.feed_batch_job),
    Decoder("dead-letter", deeper.feed_dead_letter),
    Decoder("api-request", deeper.feed_request),
    Decoder("job-event", deeper.feed_job_event),
    Decoder("archive", deeper.feed_archive),
    Decoder("audit-segment", deeper.feed_segment),
    Decoder("uri", deeper.feed_uri),
    Decoder("json-line", deeper.feed_json_line),
)
