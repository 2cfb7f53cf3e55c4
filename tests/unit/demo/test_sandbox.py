"""The sandbox's parts: its folder, its producers, and what it prints for a shell."""

import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest

from adapters.standin import StandIn, StandInError
from domain.errors import InputError
from domain.keys import Location
from domain.objects import ObjectState
from domain.rules.compiled import MapOutcome
from handlers.cli.demo import packaged_rules
from handlers.cli.sandbox import RULES as RULES_NAME
from handlers.cli.sandbox import need_free
from handlers.config.rules_file import load_rules, read_rules
from handlers.demo.readings import (
    NEW,
    OLD,
    REFERENCES,
    REFERRED,
    STOP,
    UNMAPPED,
    URI_ATTRIBUTE,
    URI_TABLE,
    URI_TABLE_KEY,
    Readings,
    modes_of,
    reading_key,
)
from handlers.demo.sandbox import SandboxFolder, exports, last_line
from handlers.demo.wiring import demo_world

RULES = load_rules(packaged_rules(RULES_NAME))


class WrittenBucket:
    """A producer's bucket that keeps the bytes of each key, and every write and delete in order."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.deeds: list[tuple[str, str]] = []

    def put_object(
        self,
        location: Location,
        *,
        body: bytes,
        metadata: Mapping[str, str],
        tags: Mapping[str, str],
        content_type: str,
        cache_control: str | None = None,
        in_parts: bool = False,
    ) -> None:
        """Keep it."""
        self.deeds.append(("overwrite" if location.key in self.objects else "create", location.key))
        self.objects[location.key] = body

    def delete_object(self, location: Location) -> None:
        """Forget it; it must be there."""
        del self.objects[location.key]
        self.deeds.append(("delete", location.key))

    def read_object(self, location: Location) -> tuple[bytes, ObjectState] | None:
        """Not needed."""
        raise NotImplementedError


def test_the_seed_has_each_kind_of_object() -> None:
    """Readings that the rules move, one key that no rule maps, and another writer's object at one new key."""
    bucket = WrittenBucket()
    Readings(bucket, RULES).seed(60)
    outcomes = [RULES.map_key(key) for key in bucket.objects]
    targets = [one.target.key for one in outcomes if one.outcome is MapOutcome.MOVE and one.target is not None]
    assert len(targets) == 60
    assert RULES.map_key(UNMAPPED).outcome is MapOutcome.UNMAPPED
    taken = set(targets) & set(bucket.objects)
    assert len(taken) == 1
    assert b"another writer" in bucket.objects[taken.pop()]


def test_producers_create_overwrite_and_delete_old_keys() -> None:
    """Everything that a migration has to follow happens, in the source prefix only."""
    bucket = WrittenBucket()
    readings = Readings(bucket, RULES)
    readings.seed(8)
    del bucket.deeds[:]
    for _ in range(12):
        readings.change(OLD)
    assert {what for what, _ in bucket.deeds} == {"create", "overwrite", "delete"}
    assert all(key.startswith("in/") for _, key in bucket.deeds)


def test_producers_never_delete_what_the_table_names() -> None:
    """So that each URI of the application's table has an object, however long the sandbox runs."""
    bucket = WrittenBucket()
    readings = Readings(bucket, RULES)
    readings.seed(8)
    named = readings.referred()
    assert len(named) == REFERRED
    for _ in range(200):
        readings.change(OLD)
    assert {Location(RULES.source_bucket, key).uri for key in bucket.objects} >= set(named.values())
    assert any(what == "delete" for what, _ in bucket.deeds)


def test_the_rules_file_names_the_applications_table() -> None:
    """Each item that the sandbox writes is declared, under the names of the table that it makes."""
    (declared,) = read_rules(packaged_rules(RULES_NAME).read_text(encoding="utf-8") + REFERENCES).references.tables
    assert (declared.table, declared.key) == (URI_TABLE, (URI_TABLE_KEY,))
    assert [path.text for path in declared.attributes] == [URI_ATTRIBUTE]


def test_a_single_object_is_enough() -> None:
    """Producers then only create, until there is something to change."""
    bucket = WrittenBucket()
    readings = Readings(bucket, RULES)
    readings.seed(1)
    for _ in range(20):
        readings.change(OLD)
    assert reading_key(1) in bucket.objects


def test_switched_producers_only_create_new_keys() -> None:
    """An overwritten copy would keep its source from being cleaned up."""
    bucket = WrittenBucket()
    readings = Readings(bucket, RULES)
    readings.seed(8)
    del bucket.deeds[:]
    for _ in range(12):
        readings.change(NEW)
    assert {what for what, _ in bucket.deeds} == {"create"}
    assert all(key.startswith("by-date/") for _, key in bucket.deeds)


def test_the_producers_follow_their_file(tmp_path: Path) -> None:
    """Each change is said once; a word that is not valid, and a missing file, stop them."""
    file, said = tmp_path / "producers", list[str]()
    modes, found = modes_of(file, said.append), []
    for word in (OLD, OLD, NEW, "both", STOP):
        file.write_text(f"{word}\n")
        found.append(next(modes))
    file.unlink()
    assert [*found, *islice(modes, 2)] == [OLD, OLD, NEW, STOP, STOP, STOP, STOP]
    assert len(said) == 4
    assert "'both'" in said[1]
    assert "write old, new or stop" in said[1]


def test_a_folder_with_files_is_refused(tmp_path: Path) -> None:
    """Its files are not the sandbox's to delete."""
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(InputError, match=r"is not empty: remove its files, or give another --directory"):
        SandboxFolder(tmp_path).make()
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "logs").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """With the remedy."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/below cannot be used: .*; give another --directory"):
        SandboxFolder(tmp_path / "file" / "below").make()


def test_nothing_stays_of_what_the_sandbox_wrote(tmp_path: Path) -> None:
    """Logs, files and the folder itself."""
    folder = SandboxFolder(tmp_path / "toy")
    folder.make()
    folder.write("rules.yaml", "version: 1\n")
    folder.write("producers", "old\n")
    folder.producers.write_text("new\n")
    (folder.logs / "worker-1.log").write_text("{}")
    assert folder.remove() == []
    assert not folder.path.exists()


def test_a_persons_files_stay(tmp_path: Path) -> None:
    """Rules that were edited, and a file that was added."""
    folder = SandboxFolder(tmp_path)
    folder.make()
    folder.write("rules.yaml", "version: 1\n")
    folder.write("settings.sh", "export A=1\n")
    folder.rules.write_text("edited")
    (tmp_path / "guess.yaml").write_text("mine")
    assert [one.name for one in folder.remove()] == ["guess.yaml", "rules.yaml"]
    assert folder.rules.read_text() == "edited"


def test_a_shell_reads_the_settings() -> None:
    """As they are, whatever is in them; a profile of the person's own is unset."""
    text = exports({"KEYSHIFT_TABLE": "it's $HOME; `x`"})
    script = f'{text}printf "%s" "$KEYSHIFT_TABLE$AWS_PROFILE"'
    answer = subprocess.run(  # noqa: S603  # the text is the test's own
        ["/bin/sh", "-c", script], env={"AWS_PROFILE": "mine"}, capture_output=True, check=True
    )
    assert answer.stdout.decode() == "it's $HOME; `x`"


def test_a_taken_port_is_named() -> None:
    """Before anything is started."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(InputError, match=rf"port {port} of 127.0.0.1 cannot be used: .*; give another --port"):
            need_free(port)
    need_free(0)


def test_a_stand_in_that_does_not_start_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is missing, and how to install it."""

    @contextmanager
    def refused(*, port: int) -> Iterator[StandIn]:
        raise StandInError("The stand-in did not start within 30 s: it needs ministack")
        yield

    monkeypatch.setattr("handlers.demo.wiring.running_standin", refused)
    match = r"it needs ministack; install keyshift with the extra demo"
    with pytest.raises(InputError, match=match), demo_world(RULES, tmp_path):
        pass


@pytest.mark.parametrize(("text", "expected"), [("one\ntwo\n", "two"), ("", "its log is empty")])
def test_the_last_line_of_a_log(text: str, expected: str) -> None:
    """What a person is told of a worker that ended."""
    assert last_line(text) == expected
