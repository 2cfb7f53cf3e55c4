"""The rules say where each key goes, and where it came from."""

import pytest

from domain.keys import Location
from domain.rules.branches import MAX_REVERSE
from domain.rules.compiled import CompiledRules, MapOutcome, MappedKey
from handlers.config.rules_file import read_rules

HEAD = "version: 1\nmigration: m\nsource: {bucket: src-bucket}\ntarget: {bucket: dst-bucket}\n"


def rules(body: str, head: str = HEAD) -> CompiledRules:
    """Rules from the text after the usual head."""
    return read_rules(head + body)


def test_the_first_rule_that_matches_wins() -> None:
    """Later rules do not see a key that an earlier one matched."""
    compiled = rules("rules:\n- {name: a, from: 'x/{n}', to: 'a/{n}'}\n- {name: b, from: '{n...}', to: 'b/{n...}'}\n")
    assert compiled.map_key("x/1").target == Location("dst-bucket", "a/1")
    assert compiled.map_key("x/1/2").rule == "b"


def test_keep_comes_before_every_rule() -> None:
    """A key that ``keep`` names stays, also when a rule would match it."""
    compiled = rules("rules: [{name: a, from: '{n*}', to: 'a/{n}'}]\nkeep: ['stay/{x...}']\n")
    assert compiled.map_key("stay/1").outcome is MapOutcome.KEEP
    assert compiled.map_key("stay/").outcome is MapOutcome.MOVE


def test_a_key_that_would_move_to_itself_is_kept() -> None:
    """The target being the source is no move."""
    head = HEAD.replace("dst-bucket", "src-bucket")
    assert rules("rules: [{name: a, from: '{n*}', to: '{n}'}]\n", head).map_key("x").outcome is MapOutcome.KEEP
    assert rules("rules: [{name: a, from: '{n*}', to: '{n}'}]\n").map_key("x").outcome is MapOutcome.MOVE


def test_prefixes_stand_outside_the_templates() -> None:
    """The source prefix is taken off before matching, the target prefix is put on after."""
    head = HEAD.replace("src-bucket}", "src-bucket, prefix: 'in//'}").replace(
        "dst-bucket}", "dst-bucket, prefix: out/}"
    )
    compiled = rules("rules: [{name: a, from: 'x/{n}', to: 'y/{n}'}]\n", head)
    assert compiled.map_key("in//x/1").target == Location("dst-bucket", "out/y/1")
    assert compiled.map_key("x/1").outcome is MapOutcome.UNMAPPED
    assert [found.key for found in compiled.unmap_key("out/y/1").keys] == ["in//x/1"]
    assert compiled.unmap_key("y/1").keys == ()


@pytest.mark.parametrize(
    ("key", "words"), [("", "empty"), ("a" * 1025, "1025 bytes"), ("../a", "above"), ("\udcff", "surrogate")]
)
def test_what_is_no_key_is_rejected_with_its_reason(key: str, words: str) -> None:
    """A text that S3 refuses as a key is rejected, never mapped."""
    mapped = rules("rules: [{name: a, from: '{n*}', to: 'a/{n}'}]\n").map_key(key)
    assert mapped.outcome is MapOutcome.REJECTED
    assert words in str(mapped.reason)


def test_a_target_that_is_too_long_is_rejected_at_its_very_edge() -> None:
    """1,024 bytes of target pass, 1,025 do not; bytes count, not characters."""
    compiled = rules("rules: [{name: a, from: '{n*}', to: 'aa/{n}'}]\n")
    assert compiled.map_key("é" * 510 + "x").outcome is MapOutcome.MOVE
    assert compiled.map_key("é" * 511).outcome is MapOutcome.REJECTED


@pytest.mark.parametrize(
    "key",
    [
        "a b", "a+b", "a%b", "a%2Fb", "a#b", "a?versionId=x", "a//b", "/a", "a/./b", "a/../b", "a\U0001f600",
        "e\u0301", "a'b\"c", "a\nb\r\t", "a\x01\x7f", "x" * 1022, "a/", "{a}", "null\x00byte",
    ],
)  # fmt: skip
def test_every_odd_key_moves_raw_and_comes_back(key: str) -> None:
    """Each class of awkward key is mapped byte for byte, there and back."""
    compiled = rules("rules: [{name: a, from: '{n*}', to: 'n/{n}'}]\n")
    assert compiled.map_key(key).target == Location("dst-bucket", f"n/{key}")
    assert [found.key for found in compiled.unmap_key(f"n/{key}").keys] == [key]


def test_a_rule_that_drops_a_text_names_no_source_unless_few_are_possible() -> None:
    """Reverse mapping answers only what it can prove."""
    wide = rules("rules: [{name: a, from: '{d}/{n}', to: '{n}'}]\n")
    few = rules("kinds: {d: [u, v]}\nrules: [{name: a, from: '{d:d}/{n}', to: '{n}'}]\n")
    assert wide.unmap_key("x").keys == ()
    assert {found.key for found in few.unmap_key("x").keys} == {"u/x", "v/x"}


def test_a_filter_is_turned_round_by_trying_both_cases() -> None:
    """Every legacy key that the filter brings here is named; too many to try name none."""
    compiled = rules("rules: [{name: a, from: '{n}', to: '{n|lower}/x'}]\n")
    assert compiled.map_key("A-b").target == Location("dst-bucket", "a-b/x")
    assert {found.key for found in compiled.unmap_key("a-b/x").keys} == {"a-b", "A-b", "a-B", "A-B"}
    assert compiled.unmap_key("A/x").keys == ()
    assert compiled.unmap_key("a-b/x").reason is None
    assert len(compiled.unmap_key("abcdef/x").keys) == 64
    assert compiled.unmap_key("abcdef/x").reason is None
    assert len(compiled.unmap_key("abcdefg/x").keys) == 64
    assert "at most 64 are looked for" in (compiled.unmap_key("abcdefg/x").reason or "")
    assert compiled.unmap_key("abcdefghijklmnop/x").keys == ()


def test_unmapped_can_mean_keep() -> None:
    """``unmapped: keep`` leaves what no rule matches where it is."""
    compiled = rules("rules: [{name: a, from: 'x', to: 'y'}]\nunmapped: keep\n")
    assert compiled.map_key("z") == MappedKey(MapOutcome.KEEP, "z", reason="no rule matches it")


def test_every_outcome_that_is_no_move_has_its_reason() -> None:
    """What plan and map print beside the key."""
    head = HEAD.replace("src-bucket}", "src-bucket, prefix: in/}").replace("dst-bucket}", "src-bucket, prefix: in/}")
    text = "rules: [{name: same, from: 's/{n}', to: 's/{n}'}, {name: long, from: 'l/{n}', to: 'longer/{n}'}]\n"
    compiled = rules(text + "keep: ['k/{x...}']\n", head)
    told = {
        key: (mapped.outcome, mapped.rule, mapped.reason)
        for key in ("out/s/1", "in/k/1", "in/s/1", "in/x", "in/l/" + "z" * 1015)
        for mapped in [compiled.map_key(key)]
    }
    assert list(told.values()) == [
        (MapOutcome.UNMAPPED, None, "it does not begin with 'in/'"),
        (MapOutcome.KEEP, None, "keep 'k/{x...}'"),
        (MapOutcome.KEEP, "same", "its new key is the one it has"),
        (MapOutcome.UNMAPPED, None, "no rule matches it"),
        (
            MapOutcome.REJECTED,
            "long",
            "its new key would not be a valid S3 key: it has 1025 bytes of UTF-8, S3 allows 1024",
        ),
    ]


def test_a_key_that_can_be_split_in_too_many_ways_is_rejected_with_the_remedy() -> None:
    """It is parked and named, and does not stop the others."""
    compiled = rules("rules: [{name: a, from: '{a*}{b*}{c*}{a}{b}{z:[x]}', to: '{a}'}]\n")
    mapped = compiled.map_key("a" * 600)
    assert (mapped.outcome, mapped.target) == (MapOutcome.REJECTED, None)
    assert "make the rule's placeholders narrower" in str(mapped.reason)


def test_a_kept_key_is_nobodys_source() -> None:
    """Its new key would be another object's name, so that no old place is named for it."""
    compiled = rules("rules: [{name: a, from: '{n*}', to: 'a/{n}'}]\nkeep: ['stay/{x...}']\n")
    assert compiled.unmap_key("a/stay/1").keys == ()
    assert [found.key for found in compiled.unmap_key("a/stay").keys] == ["stay"]


def test_a_text_that_comes_twice_in_the_target_is_turned_round() -> None:
    """Both places must hold the same."""
    compiled = rules("rules: [{name: a, from: '{n}', to: '{n}/{n}'}]\n")
    assert [found.key for found in compiled.unmap_key("x/x").keys] == ["x"]
    assert compiled.unmap_key("x/y").keys == ()


def test_as_many_dropped_words_as_are_tried_still_name_every_source() -> None:
    """One more word names none: an incomplete answer would be taken for the whole one."""
    for words, sources in ((MAX_REVERSE, MAX_REVERSE), (MAX_REVERSE + 1, 0)):
        kinds = f"kinds: {{d: [{', '.join(f'w{n}' for n in range(words))}]}}\n"
        compiled = rules(kinds + "rules: [{name: a, from: '{d:d}/{n}', to: '{n}'}]\n")
        assert len(compiled.unmap_key("x").keys) == sources


def test_what_the_kind_does_not_hold_is_no_origin_of_a_filtered_text() -> None:
    """Only lower case was ever captured, so only that is tried: ten letters have a thousand other spellings."""
    compiled = rules("rules: [{name: a, from: '{n:[a-z]+}', to: '{n|upper}/x'}]\n")
    assert [found.key for found in compiled.unmap_key("ABCDEFGHIJ/x").keys] == ["abcdefghij"]


def test_a_kind_of_words_takes_nothing_else() -> None:
    """Not even a text of the same length."""
    compiled = rules("kinds: {d: [u, vv]}\nrules: [{name: a, from: '{d:d}/{n}', to: '{n}'}]\n")
    assert [compiled.map_key(key).outcome.value for key in ("u/x", "vv/x", "w/x", "uu/x")] == [
        *("move", "move", "unmapped", "unmapped")
    ]
