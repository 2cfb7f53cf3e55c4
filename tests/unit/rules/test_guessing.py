"""What init guesses from the shapes of keys, how sure it says it is, and that its files can be used."""

from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InputError
from domain.rules.compiled import MapOutcome
from domain.rules.guessing import Guess, Sureness, guess_rules
from handlers.cli.init import init, rules_text
from handlers.config.rules_file import load_rules, read_rules
from handlers.demo.objects import legacy_keys
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


SEVEN = ("acme", "globex", "initech", "stark", "tyrell", "umbrella", "wayne")
"""One text more than a place may take and still be a part of the layout."""


def test_few_objects_are_a_guess() -> None:
    """An anecdote is no layout."""
    (guess,) = guess_rules(["once/only-1.txt"], below="new/")
    assert (guess.sureness, guess.objects) == (Sureness.GUESS, 1)
    assert guess.why == "only 1 object looks like this"
    (guess,) = guess_rules([f"few/{n}.txt" for n in range(19)], below="new/")
    assert (guess.sureness, guess.why) == (Sureness.GUESS, "only 19 objects look like this")
    (guess,) = guess_rules([f"few/{n}.txt" for n in range(20)], below="new/")
    assert (guess.sureness, guess.why) == (Sureness.SURE, "every changing place has its own form")
    (guess,) = guess_rules(20 * ["one/and/the/same.txt"], below="new/")
    assert guess.why == "all of them have this very key"


@pytest.mark.parametrize(
    ("keys", "sources"),
    [
        ([f"in/{name}.csv" for name in SEVEN], ["in/{name}.csv"]),
        ([f"in/{name}.tar.gz" for name in SEVEN], ["in/{name}.tar.gz"]),
        ([f"in/{name}" for name in SEVEN], ["in/{name}"]),
        ([f"in/{name}.{end}" for name, end in zip(SEVEN, "ababaab", strict=True)], ["in/{name}"]),
        ([f"{name}/data.csv" for name in SEVEN], ["{name}/data.csv"]),
        (20 * [f"in/{name}.csv" for name in SEVEN[:6]], [f"in/{name}.csv" for name in SEVEN[:6]]),
        ([f"{n}.csv/{name}.csv" for n in (1, 2) for name in SEVEN], ["{number:number}.csv/{name}.csv"]),
        (
            [*(f"few/{name}.csv" for name in SEVEN[:2]), *(f"many/{name}.csv" for name in SEVEN)],
            ["few/acme.csv", "few/globex.csv", "many/{name}.csv"],
        ),
    ],
)
def test_a_place_is_a_name_from_the_seventh_text_on(keys: list[str], sources: list[str]) -> None:
    """And a last place keeps the file extension if all have the same, however many dots it has."""
    assert sorted(by_source(keys)) == sorted(sources)


@pytest.mark.parametrize(
    ("keys", "sources"),
    [
        ([f"x/{'q/' * n}end" for n in range(7)], ["x/end", "x/q/{rest...}"]),
        ([f"x/{'q/' * n}/end" for n in range(7)], ["x//end", "x/q/{text*}"]),
        ([f"x/{'q/' * (n > 0)}{'r/' * n}{'/' * (n == 1)}end" for n in range(7)], ["x/end", "x/q/r/{text*}"]),
        ([f"x/{'q/' * n}end" for n in range(5)], [f"x/{'q/' * n}end" for n in range(5)]),
        ([f"in/{name}.csv" for name in SEVEN[:6]], ["in/{rest...}"]),
        (["x/q", *(f"x/q/{'r/' * n}end" for n in range(5))], ["x/{rest...}"]),
        ([f"{'q/' * n}end" for n in range(6)], [f"{'q/' * n}end" for n in range(6)]),
        (
            [*(f"a/{'q/' * n}end" for n in range(1, 3)), *(f"x/{'q/' * n}end" for n in range(6))],
            ["a/q/end", "a/q/q/end", "x/{rest...}"],
        ),
    ],
)
def test_many_rare_shapes_under_one_beginning_are_that_beginning(keys: list[str], sources: list[str]) -> None:
    """The longest beginning with more than five shapes; its rest is any text where some key is not clean."""
    assert sorted(by_source(keys)) == sorted(sources)


def test_a_shape_that_is_not_rare_keeps_its_rule() -> None:
    """Twenty objects are enough to be a layout beside the rest, with the smallest key as the example."""
    keys = [f"x/{'q/' * n}end" for n in range(7)] + [f"x/q/{n}" for n in range(20)]
    guesses = by_source(keys)
    assert sorted(guesses) == ["x/end", "x/q/{number:number}", "x/q/{rest...}"]
    rest = guesses["x/q/{rest...}"]
    assert (rest.objects, rest.example, rest.sureness) == (6, "x/q/end", Sureness.GUESS)
    assert rest.why == "many shapes under one beginning: only the beginning is known"
    assert guesses["x/q/{number:number}"].sureness is Sureness.SURE


@pytest.mark.parametrize("unclean", ["", ".", ".."])
def test_what_is_no_clean_segment_is_no_name(unclean: str) -> None:
    """A name's placeholder would not match it, so its keys would be left behind by the rule that was made of them."""
    keys = [f"in/{name}/x" for name in SEVEN] + [f"in/{unclean}/x"]
    assert sorted(by_source(keys)) == [f"in/{unclean}/x", "in/{name}/x"]


def test_narrow_guesses_come_before_open_ones() -> None:
    """Rules are tried in their order: what takes any text must not come first."""
    keys = [f"a/{'q/' * n}/end" for n in range(1, 7)] + [f"b/{'q/' * n}end" for n in range(1, 7)] + ["c/1"]
    assert [guess.source for guess in guess_rules(keys, below="n/")] == [
        "c/{number:number}",
        "a/q/{text*}",
        "b/q/{rest...}",
    ]


def test_where_everything_changes_nothing_is_pretended() -> None:
    """Numbers alone would match almost any key of two segments."""
    (guess,) = guess_rules([f"{n}/{n}" for n in range(50)], below="new/")
    assert (guess.source, guess.name) == ("{number:number}/{number2:number}", "keys")
    assert guess.why == "nothing in it is fixed: it would match almost any key of this depth"


def test_names_of_rules_come_from_four_fixed_words_and_are_never_the_same() -> None:
    """A rule's name is what audit and plan call it."""
    keys = ["one/two/three/four/five-1.txt", "a/1", "a/1/1", "a/1/1/1"]
    assert [guess.name for guess in guess_rules(keys, below="new/")] == ["a", "a-2", "a-3", "one-two-three-four"]


def test_only_the_most_frequent_shapes_are_guessed() -> None:
    """And what leaves no room for the new beginning, or is a folder's marker, is left unmapped."""
    keys = ["a/x", "a/x/", "b/1", "b/2", "c/y" + "z" * 1018, "d/y" + "z" * 1017]
    assert [guess.source[:3] for guess in guess_rules(keys, below="new/")] == ["a/x", "b/{", "d/y"]
    assert [guess.source for guess in guess_rules(keys, below="new/", at_most=1)] == ["b/{number:number}"]


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


@settings(max_examples=200)
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
    assert "672 keys read, 0 of them match no rule" in result.stdout
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
