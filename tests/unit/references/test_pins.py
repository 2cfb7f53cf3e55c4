"""Which objects a published URI keeps where they are, and a look that says nothing about when."""

from collections.abc import Iterable

import pytest

from domain.keys import Location, Sequencer
from domain.protocol.notices import Notice, NoticeKind
from domain.references.holders import Pin
from domain.references.pins import HeldUri, pins_of
from handlers.config.rules_file import read_rules

RULES = read_rules(
    "version: 1\nmigration: m\nsource: {bucket: src-bucket}\ntarget: {bucket: dst-bucket}\n"
    "rules: [{name: move, from: 'old/{n...}', to: 'new/{n...}'}]\nkeep: ['old/stays']\n"
)


def below(location: Location) -> Iterable[Location]:
    """Two objects that a rule moves, one that stays, and one of another bucket."""
    keys = [Location(location.bucket, location.key + name) for name in ("a", "b", "stays")]
    return [*keys, Location("dst-bucket", "old/a")]


@pytest.mark.parametrize(
    ("uri", "is_prefix", "pinned"),
    [
        ("s3://src-bucket/old/a", False, ["old/a"]),
        ("https://src-bucket.s3.amazonaws.com/old/a", False, ["old/a"]),
        ("s3://src-bucket/old/stays", False, []),
        ("s3://dst-bucket/old/a", False, []),
        ("no uri", False, []),
        ("s3://src-bucket/old/", True, ["old/a", "old/b"]),
        ("S3://src-bucket/old/", True, ["old/a", "old/b"]),
        ("s3://dst-bucket/old/", True, []),
        ("https://src-bucket.s3.amazonaws.com/old/a", True, ["old/a"]),
    ],
)
def test_a_uri_pins_what_a_rule_would_move(uri: str, is_prefix: bool, pinned: list[str]) -> None:
    """One object, or all below it; what stays, or lies in another bucket, needs no pin."""
    held = HeldUri("component 1.0", uri, "publish it again", *([is_prefix] if is_prefix else []))
    found = [Pin("component 1.0", uri, Location("src-bucket", key), "publish it again") for key in pinned]
    assert list(pins_of(held, rules=RULES, below=below)) == found


def test_a_look_without_an_order_claims_nothing_about_when() -> None:
    """Kept, the sequencer would let it overtake what really came later."""
    notice = Notice(NoticeKind.CREATED, Location("b", "k"), "e", "v", 7, Sequencer("1"), "STANDARD")
    assert notice.without_order() == Notice(NoticeKind.LISTED, Location("b", "k"), "e", "v", 7, None, "STANDARD")
