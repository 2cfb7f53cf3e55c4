"""What init guesses from the shapes of keys, how sure it says it is, and that its files can be used."""

from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InputError
from domain.guessing import Guess, Sureness, guess_rules
from domain.rules import MapOutcome
from handlers.cli.init import init, rules_text
from handlers.demo.objects import legacy_keys
from handlers.rules_file import load_rules, read_rules
from tests.inventories import BUCKET, write_rows

KEYS = st.text(st.sampled_from("ab/{}1-.é \n\"'#:"), min_size=1, max_size=25)


def by_source(keys: list[str]) -> dict[str, Guess]:
    """The guesses by their template."""
    return {guess.source: guess for guess in guess_rules(keys, below="new/")}


def test_dates_and_numbers_are_seen() -> None:
    """Logs by date are one rule, and a sure one."""
    keys = [f"logs/2024-{month:02}-{day:02}/part-{day:05}.gz" for month in range(1, 13) for day in range(1, 28)]
    guess = by_source(keys)["logs/{day:day}/part-{number:number}.gz"]
    assert (guess.target, guess.objects, guess.sureness) == ("new/logs/{day}/part-{number}.gz", 324, Sureness.SURE)
    assert guess.example in keys


def test_hive_partitions_are_seen() -> None:
    """The names of the partitions stay literal."""
    keys = [f"table/year={year}/month={month}/{month}.parquet" for year in range(2020, 2025) for month in range(1, 13)]
    (guess,) = guess_rules(keys, below="v2/")
    assert guess.source == "table/year={number:number}/month={number2:number}/{number3:number}.parquet"
    assert guess.target == "v2/table/year={number}/month={number2}/{number3}.parquet"
    assert guess.sureness is Sureness.SURE


def test_a_place_with_many_texts_is_a_name() -> None:
    """Customers are no part of the layout; the extension that all files share is."""
    customers = ["acme", "globex", "initech", "umbrella", "stark", "wayne", "tyrell", "cyberdyne"]
    keys = [f"uploads/{name}/invoice {number}.pdf" for name in customers for number in range(5)]
    guess = by_source(keys)["uploads/{name}/invoice {number:number}.pdf"]
    assert guess.sureness is Sureness.LIKELY


def test_random_keys_are_a_guess_and_say_so() -> None:
    """Where nothing is fixed, nothing is pretended."""
    random = Random(1)
    keys = ["".join(random.choices("ghijklmnopqrstuvwxyz", k=12)) for _ in range(500)]
    (guess,) = guess_rules(keys, below="new/")
    assert guess.sureness is Sureness.GUESS
    assert "almost any key" in guess.why


def test_few_objects_are_a_guess() -> None:
    """An anecdote is no layout."""
    (guess,) = guess_rules(["once/only-1.txt"], below="new/")
    assert (guess.sureness, guess.objects) == (Sureness.GUESS, 1)


def test_a_doubled_slash_stays_in_the_source_and_leaves_the_target() -> None:
    """The old mistake is matched as it is, and not carried on."""
    (guess,) = guess_rules([f"datasets//out/{n}.bin" for n in range(30)], below="new/")
    assert (guess.source, guess.target) == ("datasets//out/{number:number}.bin", "new/datasets/out/{number}.bin")


def test_the_portal_is_recognised_in_its_main_shapes() -> None:
    """Nearly every key of the demo's bucket is mapped by what was guessed."""
    keys = list(legacy_keys(Random(3), 2_000))
    compiled = read_rules(rules_text("bucket", "", guess_rules(keys, below="new/")))
    assert compiled.map_key("datasets//training-output/cookie-7/output/model.tar.gz").rule != "datasets"
    outcomes = [compiled.map_key(key).outcome for key in keys]
    assert outcomes.count(MapOutcome.MOVE) >= 0.98 * len(keys)


@settings(max_examples=200, deadline=None)
@given(st.lists(KEYS, min_size=1, max_size=30, unique=True))
def test_what_is_written_can_be_read_and_maps_what_it_was_made_of(keys: list[str]) -> None:
    """Whatever the keys hold, the file is valid, and each guess's own example is mapped."""
    guesses = guess_rules(keys, below="new/")
    if not guesses:
        assert all(key.endswith("/") for key in keys)
        return
    compiled = read_rules(rules_text("bucket", "", guesses))
    for guess in guesses:
        assert compiled.map_key(guess.example).outcome in (MapOutcome.MOVE, MapOutcome.REJECTED)


def run(folder: Path, *arguments: str) -> Result:
    """Run the command with its files in the folder."""
    files = ["--out", str(folder / "rules.yaml"), "--env", str(folder / "keyshift.env")]
    return CliRunner().invoke(init, [BUCKET, *files, *arguments], catch_exceptions=False)


def test_init_writes_files_that_the_other_commands_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From an inventory: rules that compile, settings that name them, exit code by the proofs."""
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    rows = [{"key": f"logs/2024-01-{day:02}/{hour}.gz"} for day in range(1, 29) for hour in range(24)]
    manifest = write_rows(tmp_path / "inventory", rows)
    result = run(tmp_path, "--inventory", str(manifest))
    assert result.exit_code == 0, result.output
    assert "sure" in result.stdout
    assert "672 keys looked at, 0 of them match no rule" in result.stdout
    compiled = load_rules(tmp_path / "rules.yaml")
    target = compiled.map_key("logs/2024-01-02/3.gz").target
    assert target is not None
    assert target.key == "new/logs/2024-01-02/3.gz"
    assert f"KEYSHIFT_RULES_FILE={tmp_path / 'rules.yaml'}" in (tmp_path / "keyshift.env").read_text()


def test_init_replaces_nothing_unasked(tmp_path: Path) -> None:
    """A file that is there stays as it is."""
    (tmp_path / "rules.yaml").write_text("mine")
    with pytest.raises(InputError, match="--force"):
        run(tmp_path)
    assert (tmp_path / "rules.yaml").read_text() == "mine"


@pytest.mark.parametrize("below", ["new", "/new/", "a//b/"])
def test_init_refuses_an_unclean_beginning(tmp_path: Path, below: str) -> None:
    """The new layout must not begin with the old mistakes."""
    with pytest.raises(InputError, match="--below"):
        run(tmp_path, "--below", below)
